//! A leader that must not lead on falls silent, so that the others elect another one. openraft's transfer is no way
//! there: it cannot be taken back when nobody takes over, and needs answers.
//!
//! One such leader is the one that nobody answers. If it is still heard, its heartbeats keep the others from an
//! election, and nobody can write for as long as that lasts. So it is silent for longer than an election takes, then
//! speaks for a moment, to find out whether somebody answers again, and so on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Instant as _, ServerState};

use crate::node::{ELECTION_MS, Node, UNHEARD_MS};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(100);
/// A leader that no majority has answered for so long is answered by nobody.
const UNANSWERED: Duration = Duration::from_millis(UNHEARD_MS);
/// Time enough for the others to elect one: they wait for the lease of this one to end, and then for their own
/// election timeout.
const SILENCE: Duration = Duration::from_millis(2 * ELECTION_MS.end + 200);
/// Time enough for an answer, if there is to be one.
const MOMENT: Duration = Duration::from_millis(400);

/// Says nothing as the leader, for some time or until another node leads. True if one does.
pub(crate) async fn fall_silent(node: &Node, longest: Duration) -> bool {
    node.peers.silence(true);
    node.raft.runtime_config().heartbeat(false);
    let mut metrics = node.raft.metrics();
    let changed = metrics.wait_until(|metrics| metrics.current_leader != Some(metrics.id));
    let changed = tokio::time::timeout(longest, changed).await.is_ok();
    node.peers.silence(false);
    node.raft.runtime_config().heartbeat(true);
    changed
}

/// Watches until the node stops.
pub(crate) async fn watch(node: Arc<Node>) {
    let mut leading_since = None;
    let mut metrics = node.raft.server_metrics();
    loop {
        if !node.raft.is_leader() {
            leading_since = None;
            let leads = metrics.wait_until(|metrics| metrics.state == ServerState::Leader);
            if leads.await.is_err() {
                return;
            }
        }
        tokio::time::sleep(INTERVAL).await;
        if !node.raft.is_leader() {
            continue;
        }
        let since = *leading_since.get_or_insert_with(Instant::now);
        if since.elapsed() < UNANSWERED || !is_unanswered(&node) {
            continue;
        }
        tracing::warn!(
            "this node leads, and no majority answers it; it falls silent until another one leads"
        );
        while node.raft.is_leader() && is_unanswered(&node) {
            if fall_silent(&node, SILENCE).await {
                break;
            }
            tokio::time::sleep(MOMENT).await;
        }
    }
}

fn is_unanswered(node: &Node) -> bool {
    let metrics = node.metrics();
    let alone = metrics.membership_config.voter_ids().all(|voter| voter == node.id());
    !alone && metrics.last_quorum_acked.is_none_or(|acked| acked.elapsed() > UNANSWERED)
}
