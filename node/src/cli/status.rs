//! `stockade status`

use clap::Args;

use super::client::{As, Client, Connection};
use super::{Ended, output};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// The whole state, as JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(self) -> Result<Ended, String> {
        let answer = Client::new(&self.connection).get("/admin/status", As::Operator)?.success()?;
        let status = answer.json()?;
        if self.json {
            output::line(&format!("{status:#}"))?;
            return Ok(Ended::Done);
        }
        let text = |name: &str| status[name].as_str().map_or(status[name].to_string(), str::to_owned);
        for name in ["cluster_id", "node_id", "state", "leader", "term", "applied_index", "committed_index"] {
            output::line(&format!("{:<16} {}", name.replace('_', " "), text(name)))?;
        }
        let lag = status["lag_ms"].as_u64().map_or("no leader heard yet".into(), |ms| format!("{ms} ms"));
        output::line(&format!("{:<16} {lag}", "lag"))?;
        output::line(&format!("{:<16} {}", "waiting writes", text("outbox_commands")))?;
        Ok(Ended::Done)
    }
}
