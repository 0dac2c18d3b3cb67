//! A list in bulk requests over some connections, and how long it takes until the last one is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Failure;
use crate::figures::Figures;
use crate::http::Account;
use crate::values::Lines;

#[derive(Args, Clone)]
pub(crate) struct Bulk {
    /// host:port of the nodes; the connections go to them in turn
    #[arg(long, required = true, num_args = 1..)]
    to: Vec<String>,
    #[arg(long, default_value_t = 8)]
    connections: usize,
    #[arg(long, default_value_t = 1_000_000)]
    entries: u32,
    /// The number of the first one; entries of other numbers are others
    #[arg(long, default_value_t = 0)]
    start: u32,
    /// Lines of a request
    #[arg(long, default_value_t = 1000)]
    lines: u32,
    #[arg(long, value_enum, default_value_t = Lines::Plain)]
    form: Lines,
    /// The first octet of the addresses
    #[arg(long, default_value_t = 20)]
    first: u8,
    #[command(flatten)]
    account: Account,
}

impl Bulk {
    pub(crate) async fn run(self) -> Result<Value, Failure> {
        let (next, mut tasks) = (Arc::new(AtomicU32::new(0)), JoinSet::new());
        let began = Instant::now();
        for number in 0..self.connections {
            let to = self.to[number % self.to.len()].clone();
            tasks.spawn(self.clone().send(to, next.clone()));
        }
        let figures = Figures::gather(tasks).await?;
        let mut report = figures.report(began.elapsed());
        report["seconds"] = json!(began.elapsed().as_secs_f64());
        report["rate"] = json!(f64::from(self.entries) / began.elapsed().as_secs_f64());
        Ok(report)
    }

    async fn send(self, to: String, next: Arc<AtomicU32>) -> Result<Figures, Failure> {
        let mut figures = Figures::default();
        let mut connection = self.account.connect(&to).await?;
        loop {
            let from = next.fetch_add(self.lines, Ordering::Relaxed);
            if from >= self.entries {
                return Ok(figures);
            }
            let (from, to) = (self.start + from, self.start + (from + self.lines).min(self.entries));
            let body = self.form.body(self.first, from..to);
            let began = Instant::now();
            let status = connection.post("/ip/add", self.form.content_type(), body).await?;
            figures.latencies.push(began.elapsed());
            // Taken, but by no majority yet: it counts as an error, and the list is complete later.
            if status == 202 {
                figures.errors += 1;
            } else if !matches!(status, 200 | 201) {
                return Err(format!("a bulk request was answered {status}").into());
            }
        }
    }
}
