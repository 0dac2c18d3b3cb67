//! What a node says of itself and of the members.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::{Instant, ServerState};
use serde::{Deserialize, Serialize};

use crate::cluster::Address;
use crate::node::UNHEARD_MS;
use crate::types::Metrics;

/// A member that was heard of within this is healthy.
pub(crate) const HEALTHY_MS: u64 = UNHEARD_MS;

/// What a node plays in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// Has a vote.
    Voter,
    /// Receives the log, has no vote.
    Learner,
}

/// One member as this node sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Its id.
    pub id: u64,
    /// Voter or learner.
    pub role: MemberRole,
    /// It leads.
    pub leader: bool,
    /// How it is reached.
    pub address: Address,
    /// The last log index known to be on its disk; known to the leader only.
    pub matched: Option<u64>,
    /// Milliseconds since the leader last heard from it, at least; known to the leader only.
    pub last_heard_ms: Option<u64>,
    /// It was heard of lately; known to the leader only, and not in the first moments of one.
    pub healthy: Option<bool>,
}

/// The state of one node; times in milliseconds, sizes in bytes. `/admin/status` shows it as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The cluster's id in hex.
    pub cluster_id: String,
    /// This node's id.
    pub node_id: u64,
    /// `leader`, `follower`, `candidate` or `learner`.
    pub state: String,
    /// The leader, if one is known.
    pub leader: Option<u64>,
    /// The current term.
    pub term: u64,
    /// The last index in the log.
    pub last_log_index: u64,
    /// The last index known to be committed.
    pub committed_index: u64,
    /// The last index applied.
    pub applied_index: u64,
    /// A digest of the whole replicated state at that index, in hex: the same on every node.
    pub digest: String,
    /// The index that sled holds; it trails what is applied.
    pub stored_index: u64,
    /// The last index in a snapshot.
    pub snapshot_index: u64,
    /// The last index purged from the log.
    pub purged_index: u64,
    /// Milliseconds since a leader was last heard of; none when never.
    pub lag_ms: Option<u64>,
    /// The version of the commands that the cluster runs; raised once every member knows the next one.
    pub command_version: u32,
    /// Commands in the outbox.
    pub outbox_commands: u64,
    /// Reports that were accepted without a majority and wait on this node's disk.
    pub pending_commands: u64,
    /// The size of the file they are in.
    pub pending_bytes: u64,
    /// How long the oldest of them has waited.
    pub pending_oldest_ms: Option<u64>,
    /// The disk is nearly full: this node takes no writes until there is room.
    pub read_only: bool,
    /// Bytes that are free for this node on the disk of its data directory.
    pub disk_free_bytes: u64,
    /// The members are changing: until that is done, a node may still count that is to go.
    pub changing: bool,
    /// The members as this node sees them.
    pub members: Vec<Member>,
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The members; how far each is, and when it was heard, is known to the leader only.
///
/// A member that was never heard of since this node leads counts from then on.
pub(crate) fn members(metrics: &Metrics, leading_for: Option<Duration>) -> Vec<Member> {
    let membership = &metrics.membership_config;
    let voters: BTreeSet<u64> = membership.voter_ids().collect();
    let own = |id: u64| (id == metrics.id).then_some(());
    let matched = |id: u64| match own(id) {
        Some(()) => metrics.last_log_index,
        None => metrics.replication.as_ref()?.get(&id)?.as_ref().map(|id| id.index),
    };
    let heard = |id: u64| match own(id) {
        Some(()) => Some(Duration::ZERO),
        None => metrics.heartbeat.as_ref()?.get(&id)?.as_ref().map(|instant| instant.elapsed()),
    };
    let leads = metrics.state == ServerState::Leader;
    let long = leading_for.filter(|leading| millis(*leading) >= HEALTHY_MS);
    let silence = |id: u64| leads.then(|| heard(id).or(long).map(millis)).flatten();
    let member = |(id, address): (&u64, &Address)| Member {
        id: *id,
        role: if voters.contains(id) { MemberRole::Voter } else { MemberRole::Learner },
        leader: metrics.current_leader == Some(*id),
        address: address.clone(),
        matched: leads.then(|| matched(*id)).flatten(),
        last_heard_ms: silence(*id),
        healthy: silence(*id).map(|ms| ms < HEALTHY_MS),
    };
    membership.nodes().map(member).collect()
}
