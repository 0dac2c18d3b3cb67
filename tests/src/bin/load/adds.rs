//! Single adds over kept-alive connections: each waits for its answer, or all of them keep a rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Interval, interval_at};

use crate::Failure;
use crate::figures::Figures;
use crate::http::Account;
use crate::values::Kind;

#[derive(Args, Clone)]
pub(crate) struct Adds {
    /// host:port of the nodes; the connections go to them in turn
    #[arg(long, required = true, num_args = 1..)]
    to: Vec<String>,
    #[arg(long, value_enum, default_value_t = Kind::Stockade)]
    kind: Kind,
    #[arg(long, default_value_t = 64)]
    connections: u32,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Adds a second, all connections together; latency then counts from when an add was due
    #[arg(long)]
    rate: Option<f64>,
    /// The first octet of the addresses
    #[arg(long, default_value_t = 110)]
    first: u8,
    #[command(flatten)]
    account: Account,
}

impl Adds {
    pub(crate) async fn run(self) -> Result<Value, Failure> {
        let (next, mut tasks) = (Arc::new(AtomicU32::new(0)), JoinSet::new());
        let began = Instant::now();
        let until = began + Duration::from_secs_f64(self.seconds);
        for number in 0..self.connections {
            let to = self.to[number as usize % self.to.len()].clone();
            tasks.spawn(self.clone().add(number, to, next.clone(), until));
        }
        let figures = Figures::gather(tasks).await?;
        Ok(figures.report(began.elapsed()))
    }

    async fn add(
        self,
        number: u32,
        to: String,
        next: Arc<AtomicU32>,
        until: Instant,
    ) -> Result<Figures, Failure> {
        let mut figures = Figures::default();
        let mut connection = self.account.connect(&to).await?;
        let mut pace = self.pace(number);
        loop {
            let due = match &mut pace {
                Some(pace) => pace.tick().await.into_std(),
                None => Instant::now(),
            };
            if due >= until || Instant::now() >= until {
                return Ok(figures);
            }
            let body = self.kind.add(self.first, next.fetch_add(1, Ordering::Relaxed));
            match connection.post(self.kind.path(), "application/json", body).await {
                Ok(200 | 201) => figures.latencies.push(due.elapsed()),
                Ok(_) => figures.errors += 1,
                Err(_) => {
                    figures.errors += 1;
                    connection = self.account.connect(&to).await?;
                }
            }
        }
    }

    /// The turns of one connection, so that together they keep the rate.
    fn pace(&self, number: u32) -> Option<Interval> {
        let turn = Duration::from_secs_f64(f64::from(self.connections) / self.rate?);
        let first = tokio::time::Instant::now() + turn * number / self.connections;
        Some(interval_at(first, turn))
    }
}
