//! A writer on each node, while the driver kills one: how long no write was acknowledged.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::Failure;
use crate::http::Account;
use crate::values::Kind;

/// Between two attempts of a writer.
const TURN: Duration = Duration::from_millis(2);
/// A writer gives up on an answer after this, and tries again.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Numbers of each writer.
const APART: u32 = 1 << 20;

#[derive(Args, Clone)]
pub(crate) struct Outage {
    /// host:port of the nodes
    #[arg(long, required = true, num_args = 1..)]
    to: Vec<String>,
    #[arg(long, value_enum, default_value_t = Kind::Stockade)]
    kind: Kind,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// The first octet of the addresses
    #[arg(long, default_value_t = 130)]
    first: u8,
    #[command(flatten)]
    account: Account,
}

impl Outage {
    pub(crate) async fn run(self) -> Result<Value, Failure> {
        let mut tasks = JoinSet::new();
        let until = Instant::now() + Duration::from_secs_f64(self.seconds);
        for number in 0..self.to.len() {
            tasks.spawn(self.clone().write(number, until));
        }
        let mut acknowledged = Vec::new();
        while let Some(times) = tasks.join_next().await {
            acknowledged.extend(times?);
        }
        if acknowledged.is_empty() {
            return Err("no write was acknowledged".into());
        }
        acknowledged.sort_unstable();
        // The end counts: a cluster that never wrote again has a gap up to it.
        acknowledged.push(until.max(Instant::now()));
        let longest = acknowledged.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
        Ok(json!({
            "count": acknowledged.len() - 1,
            "longest_ms": longest.as_secs_f64() * 1000.0,
        }))
    }

    /// When each write to one node was acknowledged as durable.
    async fn write(self, writer: usize, until: Instant) -> Vec<Instant> {
        let (mut acknowledged, mut connection) = (Vec::new(), None);
        let mut number = u32::try_from(writer).unwrap_or_default() * APART;
        let mut turns = interval(TURN);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < until {
            turns.tick().await;
            let mut open = match connection.take() {
                Some(open) => open,
                None => match self.account.connect(&self.to[writer]).await {
                    Ok(open) => open,
                    Err(_) => continue,
                },
            };
            number += 1;
            let body = self.kind.add(self.first, number);
            let answer = timeout(ANSWER_WITHIN, open.post(self.kind.path(), "application/json", body));
            if let Ok(Ok(status)) = answer.await {
                if matches!(status, 200 | 201) {
                    acknowledged.push(Instant::now());
                }
                connection = Some(open);
            }
        }
        acknowledged
    }
}
