//! `stockade health`: the health check of a container. It asks one node and no other: another's health would
//! hide that this one is down.

use clap::Args;

use super::client::{Answer, As, Client, Connection};
use super::{Ended, output};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Ask whether the node is ready for traffic, not only alive
    #[arg(long)]
    ready: bool,
}

impl Arguments {
    pub(super) fn run(self) -> Result<Ended, String> {
        let path = if self.ready { "/readyz" } else { "/livez" };
        let client = Client::new(&self.connection.first_only());
        match client.get(path, As::Account).and_then(Answer::success) {
            Ok(_) => Ok(Ended::Done),
            Err(reason) => {
                output::error(&format!("stockade: {reason}"));
                Ok(Ended::Unhealthy)
            }
        }
    }
}
