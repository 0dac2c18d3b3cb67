//! Adds on one node, one after the other; each is looked for in the whole list that another node exports.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use crate::Failure;
use crate::figures::Figures;
use crate::http::{Account, read};
use crate::values::{Kind, address};

/// An add that is not there by then never comes.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(crate) struct Visible {
    /// host:port of the node that is written to
    #[arg(long)]
    to: String,
    /// host:port of the node whose list is read
    #[arg(long)]
    from: String,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long, default_value = "/ip/all?fields=value&format=txt")]
    list: String,
    /// The first octet of the addresses
    #[arg(long, default_value_t = 140)]
    first: u8,
    #[command(flatten)]
    account: Account,
}

impl Visible {
    pub(crate) async fn run(self) -> Result<Value, Failure> {
        let mut writer = self.account.connect(&self.to).await?;
        let mut reader = self.account.connect(&self.from).await?;
        let mut figures = Figures::default();
        let began = Instant::now();
        while began.elapsed().as_secs_f64() < self.seconds {
            let number = u32::try_from(figures.latencies.len())?;
            let line = format!("{}\n", address(self.first, number));
            let body = Kind::Stockade.add(self.first, number);
            let sent = Instant::now();
            let status = writer.post("/ip/add", "application/json", body).await?;
            if !matches!(status, 200 | 201) {
                return Err(format!("the add was answered {status}").into());
            }
            while !holds(&read(reader.get(&self.list, None).await?).await?, &line) {
                if sent.elapsed() > VISIBLE_WITHIN {
                    return Err(format!("{line:?} is not in the other node's list").into());
                }
            }
            figures.latencies.push(sent.elapsed());
        }
        figures.latencies.sort_unstable();
        Ok(figures.report(began.elapsed()))
    }
}

/// Whether a list has this line.
fn holds(list: &[u8], line: &str) -> bool {
    // No address ends like a longer one: with three digits before the first dot none is longer.
    std::str::from_utf8(list).is_ok_and(|list| list.contains(line))
}
