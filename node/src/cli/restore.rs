//! `stockade restore`: the first node of a new cluster, from a backup. It talks to no node.

use std::path::PathBuf;

use clap::Args;

use super::{Ended, output};
use crate::data;

#[derive(Args)]
pub(super) struct Arguments {
    /// What `stockade backup` has written
    file: PathBuf,
    /// The data directory of the node to be; it has to be empty, or not there
    #[arg(long, env = "STOCKADE_DATA", value_name = "DIR", default_value = "./data")]
    data: PathBuf,
}

impl Arguments {
    pub(super) fn run(self) -> Result<Ended, String> {
        let found = raft::CheckedBackup::open(&self.file).map_err(|error| error.to_string())?;
        let (entries, index) = (found.entries(), found.index());
        let _lock = data::lock_empty(&self.data)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
        let restored = runtime.block_on(found.restore(&self.data)).map_err(|error| error.to_string())?;
        let data = self.data.display();
        output::line(&format!(
            "{entries} entries of index {index} are in {data}, as node {} of a new cluster, from index {} on",
            restored.node_id, restored.index
        ))?;
        output::line(&format!(
            "start it: stockade serve --data {data}; others, with empty data directories, join it with --join"
        ))?;
        Ok(Ended::Done)
    }
}
