//! A follower that waits for a write of its own concludes by itself that it is committed.
//!
//! What the present leader has written is committed once a majority has it on disk (Raft, 5.4.2). The leader learns of
//! that from its followers and tells them: a follower has to say that its disk has the entry, and to hear that this was
//! enough, which is a way there and back. All that it does not know itself is whether the leader's disk has the entry. So
//! the leader says that to a follower that waits, as soon as it is so; and the follower, if the two are a majority,
//! concludes the rest when its own disk is done.
//!
//! That is no weaker than the leader's word:
//! - The leader says it while it leads, of what it has written in its own term, and when the two are a majority of each
//!   set of voters in a membership that is as new as the entry.
//! - The follower concludes when its disk has what this same leader sent it up to there. If it has given its vote to
//!   another one since, the Raft core refuses it, as it refuses any append of a leader that is over; and whoever it gave
//!   its vote to has the entry.
//! - The follower may know it before the leader does. So a linearizable read waits for all that was said (`Told`).
//!
//! What is said is an offer: where it is lost, the follower is told as any other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{LinearizableReadError, RaftError};
use openraft::impls::leader_id_adv::LeaderId;
use openraft::raft::{AppendEntriesRequest, FlushPoint};
use openraft::storage::RaftStateMachine;
use openraft::{RaftMetrics, RaftTypeConfig, ReadPolicy, ServerState};
use tokio_util::task::AbortOnDropHandle;

use crate::cluster::Address;
use crate::network::{PeerClient, Request, Told};
use crate::node::Node;
use crate::types::{LogId, Membership, Vote};

/// All members understand it from this version on.
const SINCE_VERSION: u32 = 3;
/// A follower whose disk takes longer does not wait any more: it will be told.
pub(crate) const CONCLUDED_WITHIN: Duration = Duration::from_secs(1);
/// Before the next try, where one was not reached.
const PAUSE: Duration = Duration::from_millis(200);

/// The nodes' configuration of the Raft core, and that of the simulation.
pub(crate) trait Types:
    RaftTypeConfig<NodeId = u64, Node = Address, LeaderId = LeaderId<u64, u64>, Vote = Vote>
{
}

impl<C> Types for C where
    C: RaftTypeConfig<NodeId = u64, Node = Address, LeaderId = LeaderId<u64, u64>, Vote = Vote>
{
}

/// Runs until the node stops.
pub(crate) async fn run(node: Arc<Node>) {
    let mut metrics = node.raft.server_metrics();
    let mut telling: BTreeMap<u64, (Address, AbortOnDropHandle<()>)> = BTreeMap::new();
    loop {
        let (leads, members) = {
            let now = metrics.borrow_watched();
            (now.state == ServerState::Leader, now.membership_config.clone())
        };
        telling.retain(|id, (address, _)| leads && members.get_node(id) == Some(address));
        for follower in members.voter_ids().filter(|id| leads && *id != node.id()) {
            let Some(address) = members.get_node(&follower) else { continue };
            telling.entry(follower).or_insert_with(|| {
                let telling = tell(node.clone(), follower, node.peers.client(follower, address));
                (address.clone(), AbortOnDropHandle::new(tokio::spawn(telling)))
            });
        }
        if metrics.changed().await.is_err() {
            return;
        }
    }
}

/// Tells one follower, while it waits for a write of its own, how much is on this node's disk.
async fn tell(node: Arc<Node>, follower: u64, mut client: PeerClient) {
    let mut flushed = node.raft.watch_log_progress();
    let mut is_understood = false;
    while flushed.changed().await.is_ok() {
        if !node.peers.callers.waits(follower) {
            continue;
        }
        is_understood = is_understood || node.decided().list.version() >= SINCE_VERSION;
        let flushed = flushed.get().filter(|_| is_understood);
        let id = flushed
            .and_then(|flushed| concludable(&node.raft.metrics().borrow_watched(), follower, &flushed));
        let Some(id) = id else { continue };
        node.peers.told.note(follower, id);
        let request = Request::Flushed { vote: (&leader_of(&id)).into(), id: (&id).into() };
        if let Err(error) = client.tell(request).await {
            tracing::debug!(follower, %error, "it was not told what is on this node's disk");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Up to where all is committed once this follower, too, has it on disk; `flushed` is what the disk of this node has.
pub(crate) fn concludable<C: Types>(
    now: &RaftMetrics<C>,
    follower: u64,
    flushed: &FlushPoint<C>,
) -> Option<LogId> {
    let id = flushed.last_log_id?;
    let leads = now.state == ServerState::Leader && now.vote == flushed.vote;
    let is_own = id.leader_id == flushed.vote.leader_id;
    // The members of these metrics are then those of the log up to the entry, or later ones.
    let is_covered = now.last_log_index >= Some(id.index);
    let is_enough = is_majority(now.membership_config.membership(), [now.id, follower]);
    (leads && is_own && is_covered && is_enough).then_some(id)
}

/// Whether these two are a majority of each set of voters.
fn is_majority(members: &Membership, pair: [u64; 2]) -> bool {
    members.get_joint_config().iter().all(|voters| {
        let there = pair.iter().filter(|id| voters.contains(id)).count();
        2 * there > voters.len()
    })
}

/// The disk of the leader that has written an entry has all up to there. Once that of this node has, it is committed.
pub(crate) async fn conclude<C, SM>(raft: openraft::Raft<C, SM>, id: LogId)
where
    C: Types,
    SM: RaftStateMachine<C>,
{
    let request = committed_up_to(id);
    let wanted = Some(FlushPoint::new(request.vote, Some(id)));
    let Ok(Some(flushed)) = raft.watch_log_progress().wait_until_ge(&wanted).await else { return };
    let known = raft.metrics().borrow_watched().local_committed;
    // Under another leader this node may have something else there.
    if flushed.vote != request.vote || known >= Some(id) {
        return;
    }
    if let Err(error) = raft.append_entries(request).await {
        tracing::debug!(%error, "what is committed was not concluded");
    }
}

/// What the leader that has written an entry says once it knows that all up to there is committed.
pub(crate) fn committed_up_to<C: Types>(id: LogId) -> AppendEntriesRequest<C> {
    let vote = leader_of(&id);
    AppendEntriesRequest { vote, prev_log_id: Some(id), entries: Vec::new(), leader_commit: Some(id) }
}

/// The vote of the leader that has written an entry.
fn leader_of(id: &LogId) -> Vote {
    Vote::new_committed(id.leader_id.term, id.leader_id.node_id)
}

/// The index that a linearizable read has to wait for; this node must lead.
pub(crate) async fn read_index<C, SM>(
    raft: &openraft::Raft<C, SM>,
    told: &Told,
) -> Result<u64, RaftError<C, LinearizableReadError<C>>>
where
    C: Types,
    SM: RaftStateMachine<C>,
{
    // What followers have answered so far is not beyond this, and this node may not know yet that it is committed.
    let told = told.last();
    let linearizer = raft.get_read_linearizer(ReadPolicy::ReadIndex).await?;
    // What was told in an earlier term is below.
    let id = told.max(Some(*linearizer.read_log_id().log_id()));
    Ok(id.map_or(0, |id| id.index))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::types::{Metrics, StoredMembership, TypeConfig};

    fn id(term: u64, node: u64, index: u64) -> LogId {
        LogId::new(LeaderId { term, node_id: node }, index)
    }

    /// Node 1, which leads these voters in term 5, and has all up to entry 8 in its log.
    fn leading(voters: &[&[u64]]) -> Metrics {
        let sets = voters.iter().map(|set| set.iter().copied().collect::<BTreeSet<_>>()).collect::<Vec<_>>();
        let members = Membership::new_with_defaults(sets, []);
        let mut now = Metrics::new_initial(1);
        now.vote = Vote::new_committed(5, 1);
        now.state = ServerState::Leader;
        now.last_log_index = Some(8);
        now.membership_config = Arc::new(StoredMembership::new(Some(id(4, 2, 3)), members));
        now
    }

    fn flushed(vote: Vote, last: LogId) -> FlushPoint<TypeConfig> {
        FlushPoint::new(vote, Some(last))
    }

    #[test]
    fn what_two_make_a_majority_of_can_be_concluded() {
        let own = flushed(Vote::new_committed(5, 1), id(5, 1, 8));
        let rows: [(&[&[u64]], bool); 8] = [
            (&[&[1, 2, 3]], true),
            (&[&[1, 2]], true),
            (&[&[1, 3, 4]], false),
            (&[&[2, 3, 4]], false),
            (&[&[1, 2, 3, 4]], false),
            (&[&[1, 2, 3, 4, 5]], false),
            // While the members change.
            (&[&[1, 2, 3], &[1, 2, 4]], true),
            (&[&[1, 2, 3], &[1, 2, 3, 4]], false),
        ];
        for (voters, expected) in rows {
            let concluded = concludable(&leading(voters), 2, &own);
            assert_eq!(concluded, expected.then_some(id(5, 1, 8)), "{voters:?}");
        }
    }

    #[test]
    fn only_what_a_leader_has_written_in_its_term_can_be_concluded() {
        let (vote, last) = (Vote::new_committed(5, 1), id(5, 1, 8));
        let now = || leading(&[&[1, 2, 3]]);
        assert_eq!(concludable(&now(), 2, &flushed(vote, last)), Some(last));
        assert_eq!(concludable(&now(), 2, &flushed(vote, id(4, 2, 8))), None, "of an earlier term");
        assert_eq!(concludable(&now(), 2, &FlushPoint::new(vote, None)), None, "nothing yet");
        let before = Vote::new_committed(4, 1);
        assert_eq!(concludable(&now(), 2, &flushed(before, id(4, 1, 8))), None, "it leads anew since");
        let over = Metrics { state: ServerState::Follower, ..now() };
        assert_eq!(concludable(&over, 2, &flushed(vote, last)), None, "it leads no more");
        let behind = Metrics { last_log_index: Some(7), ..now() };
        assert_eq!(concludable(&behind, 2, &flushed(vote, last)), None, "the members may be others since");
    }
}
