//! The load that wrk cannot make, for `scripts/bench`: each command loads what runs already and prints one line of JSON.

#![expect(clippy::print_stdout, reason = "a program whose output is a report")]

mod adds;
mod bulk;
mod figures;
mod http;
mod outage;
mod pollers;
mod redis;
mod values;
mod visible;
mod wires;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::Value;

/// Whatever ends a measurement; the driver only shows it.
type Failure = Box<dyn Error + Send + Sync>;

/// Makes load for `scripts/bench`.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    load: Load,
}

#[derive(Subcommand)]
enum Load {
    /// Single adds, as many as answers allow or at a rate
    Adds(adds::Adds),
    /// A list in bulk requests, until it is there
    Bulk(bulk::Bulk),
    /// From an add on one node until it is in the other node's export
    Visible(visible::Visible),
    /// The longest time without an acknowledged write
    Outage(outage::Outage),
    /// Firewalls that poll the list, and followers that wait for changes
    Pollers(pollers::Pollers),
    /// SET and WAIT 1
    Redis(redis::Redis),
    /// Proxies that delay what they pass on; prints their addresses and runs until its input ends
    Wires(wires::Wires),
}

fn main() -> ExitCode {
    match measure(Arguments::parse().load) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("load: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn measure(load: Load) -> Result<Value, Failure> {
    match load {
        Load::Adds(adds) => adds.run().await,
        Load::Bulk(bulk) => bulk.run().await,
        Load::Visible(visible) => visible.run().await,
        Load::Outage(outage) => outage.run().await,
        Load::Pollers(pollers) => pollers.run().await,
        Load::Redis(redis) => redis.run().await,
        Load::Wires(wires) => wires.run(),
    }
}
