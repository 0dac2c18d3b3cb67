//! What many tasks have measured, joined and put into numbers.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Failure;

/// How long each answer took, and how many were not what was asked for.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) latencies: Vec<Duration>,
    pub(crate) errors: u64,
}

impl Figures {
    /// Waits for all tasks.
    pub(crate) async fn gather(mut tasks: JoinSet<Result<Figures, Failure>>) -> Result<Figures, Failure> {
        let mut all = Figures::default();
        while let Some(figures) = tasks.join_next().await {
            let figures = figures??;
            all.latencies.extend(figures.latencies);
            all.errors += figures.errors;
        }
        all.latencies.sort_unstable();
        Ok(all)
    }

    /// Rate over this time, quantiles in milliseconds; the latencies are sorted.
    pub(crate) fn report(&self, over: Duration) -> Value {
        json!({
            "count": self.latencies.len(),
            "rate": self.latencies.len() as f64 / over.as_secs_f64(),
            "p50_ms": self.quantile_ms(0.5),
            "p99_ms": self.quantile_ms(0.99),
            "max_ms": self.quantile_ms(1.0),
            "errors": self.errors,
        })
    }

    fn quantile_ms(&self, part: f64) -> Option<f64> {
        let last = self.latencies.len().checked_sub(1)?;
        let latency = self.latencies.get((last as f64 * part).round() as usize)?;
        Some(latency.as_secs_f64() * 1000.0)
    }
}
