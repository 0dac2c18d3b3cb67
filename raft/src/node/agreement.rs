//! The Raft core of a node: how it is configured, and what ends it.

use std::io;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Config, SnapshotPolicy};
use tokio::sync::{oneshot, watch};

use super::{ELECTION_MS, HEARTBEAT_MS, INSTALL_SNAPSHOT_MS};
use crate::cluster::Settings;
use crate::error::Error;
use crate::types::Raft;

/// Log entries in one append.
const ENTRIES_PER_APPEND: u64 = 64;
/// Log entries purged at once.
const PURGE_BATCH_ENTRIES: u64 = 1024;

/// What every node is configured with.
pub(crate) fn raft_config(settings: &Settings) -> Result<Config, Error> {
    let config = Config {
        cluster_name: "stockade".into(),
        heartbeat_interval: HEARTBEAT_MS,
        election_timeout_min: ELECTION_MS.start,
        election_timeout_max: ELECTION_MS.end,
        install_snapshot_timeout: INSTALL_SNAPSHOT_MS,
        max_payload_entries: ENTRIES_PER_APPEND,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(settings.snapshot_after_entries),
        max_in_snapshot_log_to_keep: settings.log_keep_entries,
        purge_batch_size: PURGE_BATCH_ENTRIES.min(settings.log_keep_entries.max(1)),
        enable_pre_vote: Some(true),
        // A majority of others may have committed what a killed leader had not on its own disk yet. Leading on in
        // the same term, it would give the same log ids to other entries.
        enable_leader_restore: Some(false),
        ..Config::default()
    };
    config.validate().map_err(|error| Error::Stopped(error.to_string()))
}

/// Turns the first failure of the Raft core, of sled's writer or of this node itself into the error the process ends with.
pub(super) fn watch_failure(
    raft: &Raft,
    disk_failed: oneshot::Receiver<io::Error>,
    failed: oneshot::Receiver<String>,
) -> watch::Receiver<Option<Error>> {
    let (sender, receiver) = watch::channel(None);
    // These change with every entry, those below with a leader: to wait for them costs nothing.
    let metrics = raft.metrics();
    let mut ended = raft.server_metrics();
    tokio::spawn(async move {
        let core = async {
            while ended.changed().await.is_ok() {}
            let state = metrics.borrow_watched().running_state.clone();
            state.err().map_or("the Raft core has stopped".into(), |error| error.to_string())
        };
        let reason = tokio::select! {
            reason = core => reason,
            Ok(error) = disk_failed => format!("the list cannot be stored: {error}"),
            Ok(reason) = failed => reason,
        };
        sender.send_replace(Some(Error::Stopped(reason)));
    });
    receiver
}
