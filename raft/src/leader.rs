//! What only the leader can do, asked for from any node: read indexes, membership, handing over.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, Instant};

use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use tokio::sync::MutexGuard;

use crate::cluster::Address;
use crate::error::Error;
use crate::health::{Leading, is_caught_up, replacement};
use crate::network::{Denied, PeerClient, Reply, Request, call_timeout};
use crate::node::Node;
use crate::status::{HEALTHY_MS, Member, MemberRole, members};
use crate::types::{Metrics, TypeConfig};

/// Between two tries, while there is no leader or the membership is changing.
const PAUSE: Duration = Duration::from_millis(50);
/// A member that is about to leave is asked for no longer than this.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

type Done = Result<(), Denied>;

/// What a node keeps for leading and for being led.
#[derive(Default)]
pub(crate) struct Leadership {
    /// The line to the present leader, kept between questions.
    line: tokio::sync::Mutex<Option<(u64, PeerClient)>>,
    /// One change of the members at a time: each is decided on what the one before has left.
    changing: tokio::sync::Mutex<()>,
    leading: Leading,
}

impl Node {
    /// A new line to a member; `None` when it is none.
    pub(crate) fn client_of(&self, id: u64) -> Option<PeerClient> {
        let metrics = self.metrics();
        metrics.membership_config.get_node(&id).map(|address| self.peers.client(id, address))
    }

    /// Asks whoever leads, for as long as a write may wait: through elections and membership changes.
    pub(crate) async fn ask_leader(&self, request: Request) -> Result<Reply, Error> {
        let deadline = Instant::now() + self.settings.write_timeout;
        let mut unanswered = false;
        loop {
            let reply = match self.metrics().current_leader {
                Some(leader) if leader == self.id() => self.lead(request.clone()).await,
                Some(leader) => self.ask(leader, request.clone()).await.unwrap_or_else(|error| {
                    Reply::Denied(Denied::Unavailable(format!("the leader, node {leader}: {error}")))
                }),
                None => Reply::Denied(Denied::Unavailable("no leader is known".into())),
            };
            let message = match reply {
                Reply::Denied(Denied::Refused(reason)) => return Err(Error::Refused(reason)),
                // Removed by an earlier try, the answer of which was lost.
                Reply::Denied(Denied::NotFound(_))
                    if unanswered && matches!(request, Request::RemoveMember { .. }) =>
                {
                    return Ok(Reply::Done);
                }
                Reply::Denied(Denied::NotFound(reason)) => return Err(Error::NotFound(reason)),
                Reply::Denied(Denied::Unavailable(reason) | Denied::Stopped(reason)) => {
                    unanswered = true;
                    reason
                }
                Reply::Denied(Denied::NotLeader(_)) => "the leader is changing".into(),
                done => return Ok(done),
            };
            if Instant::now() > deadline {
                return Err(Error::Unavailable { message, retry_after: Duration::from_secs(1) });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn ask(&self, leader: u64, request: Request) -> io::Result<Reply> {
        let waiting = {
            let mut line = self.leadership.line.lock().await;
            if line.as_ref().is_none_or(|(id, _)| *id != leader) {
                let client = self.client_of(leader).ok_or_else(|| io::Error::other("not a member"))?;
                *line = Some((leader, client));
            }
            match line.as_mut() {
                Some((_, client)) => client.start(request).await?,
                None => return Err(io::ErrorKind::NotConnected.into()),
            }
        };
        let reply = call_timeout(waiting, self.settings.write_timeout).await;
        if reply.is_err() {
            *self.leadership.line.lock().await = None;
        }
        reply
    }

    /// Carries out what only the leader can; denied when this node does not lead.
    pub(crate) async fn lead(&self, request: Request) -> Reply {
        let done = |result: Done| result.map_or_else(Reply::Denied, |()| Reply::Done);
        match request {
            Request::ReadIndex => match self.read_index().await {
                Ok(index) => Reply::Index(index),
                Err(leader) => Reply::Denied(Denied::NotLeader(leader)),
            },
            Request::Members => match self.leading() {
                Ok(members) => Reply::Members(members),
                Err(denied) => Reply::Denied(denied),
            },
            Request::PutMember { id, address } => done(self.put_member(id, address).await),
            Request::Promote { id } => done(self.promote(id).await),
            Request::RemoveMember { id } => done(self.remove(id).await),
            Request::TransferLeader { to } => match self.hand_over(to).await {
                Ok(leader) => Reply::Leader(leader),
                Err(denied) => Reply::Denied(denied),
            },
            other => Reply::Denied(Denied::Refused(format!("not a question for a leader: {other:?}"))),
        }
    }

    /// The members as this node knows them.
    pub(crate) fn members(&self, metrics: &Metrics) -> Vec<Member> {
        members(metrics, self.leadership.leading.leading_for(metrics))
    }

    /// Waits for the change of members before this one.
    async fn one_change(&self) -> Result<MutexGuard<'_, ()>, Denied> {
        let busy = |_| Denied::Unavailable("another change of the members is under way".into());
        tokio::time::timeout(self.settings.write_timeout, self.leadership.changing.lock()).await.map_err(busy)
    }

    /// The members, if this node leads.
    fn leading(&self) -> Result<Vec<Member>, Denied> {
        let metrics = self.metrics();
        match metrics.current_leader == Some(metrics.id) && self.raft.is_leader() {
            true => Ok(self.members(&metrics)),
            false => Err(Denied::NotLeader(metrics.current_leader)),
        }
    }

    async fn put_member(&self, id: u64, address: Address) -> Done {
        let _turn = self.one_change().await?;
        let members = self.leading()?;
        match members.iter().find(|member| member.id == id) {
            Some(member) if member.address == address => Ok(()),
            Some(_) => {
                self.check_place(id, &address).await?;
                self.change(ChangeMembers::SetNodes(BTreeMap::from([(id, address)])), true).await
            }
            None => self.change(ChangeMembers::AddNodes(BTreeMap::from([(id, address)])), true).await,
        }
    }

    /// A member has moved only when it is found at its new address: a wrong one would cut it off.
    async fn check_place(&self, id: u64, address: &Address) -> Done {
        let known = self.metrics().membership_config.get_node(&id).map(|known| known.peers.clone());
        if id == self.id() || known.as_ref() == Some(&address.peers) {
            return Ok(());
        }
        match self.ask_standing(id, address).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(Denied::Refused(format!("node {id} is not at {}: {error}", address.peers)))
            }
            Err(error) => Err(Denied::Unavailable(format!("node {id} at {}: {error}", address.peers))),
        }
    }

    /// Makes a learner a voter. A voter whose peers' address it has taken over lost its disk and came back
    /// as this one: it leaves in the same step.
    async fn promote(&self, id: u64) -> Done {
        let _turn = self.one_change().await?;
        let members = self.leading()?;
        let member = find(&members, id)?;
        if member.role == MemberRole::Voter {
            return Ok(());
        }
        let end = self.metrics().last_log_index.unwrap_or(0);
        if !is_caught_up(member, end) {
            return Err(Denied::Refused(format!("node {id} has not caught up yet")));
        }
        let replaced = |other: &&Member| other.id != id && other.address.peers == member.address.peers;
        let gone: BTreeSet<u64> = members.iter().filter(replaced).map(|other| other.id).collect();
        let mut voters: BTreeSet<u64> = voters(&members).map(|voter| voter.id).collect();
        voters.insert(id);
        voters.retain(|voter| !gone.contains(voter));
        self.change(ChangeMembers::ReplaceAllVoters(voters), false).await?;
        let learners =
            members.iter().filter(|other| gone.contains(&other.id) && other.role == MemberRole::Learner);
        let learners: BTreeSet<u64> = learners.map(|other| other.id).collect();
        match learners.is_empty() {
            true => Ok(()),
            false => self.change(ChangeMembers::RemoveNodes(learners), false).await,
        }
    }

    async fn remove(&self, id: u64) -> Done {
        let _turn = self.one_change().await?;
        let members = self.leading()?;
        let member = find(&members, id)?;
        if member.role == MemberRole::Learner {
            return self.change(ChangeMembers::RemoveNodes(BTreeSet::from([id])), false).await;
        }
        let left: BTreeSet<u64> =
            voters(&members).map(|voter| voter.id).filter(|voter| *voter != id).collect();
        if left.is_empty() {
            return Err(Denied::Refused(format!(
                "node {id} is the only voter; removing it would end the cluster"
            )));
        }
        let healthy = self.answering(&left).await?;
        if healthy < left.len() / 2 + 1 {
            return Err(Denied::Refused(format!(
                "removing node {id} would leave {} voters, of which {healthy} answer: no majority",
                left.len()
            )));
        }
        if id == self.id() {
            let leader = self.hand_over(None).await?;
            return Err(Denied::NotLeader(Some(leader)));
        }
        self.drained(id).await?;
        self.change(ChangeMembers::RemoveVoters(BTreeSet::from([id])), false).await
    }

    /// Waits until a member that is about to leave has handed on what it accepted on its own word; one that does not
    /// answer cannot be waited for. Whoever asks through another node waits no longer than a write may take, and
    /// shall hear why: the half of that is for the way.
    async fn drained(&self, id: u64) -> Done {
        let since = Instant::now();
        let patience = self.settings.write_timeout / 2;
        loop {
            let Some(mut client) = self.client_of(id) else { return Ok(()) };
            let asked = client.call(Request::PendingReports, ANSWER_WITHIN).await;
            match asked {
                Ok(Reply::Index(waiting)) if waiting > 0 => {
                    if since.elapsed() > patience {
                        return Err(Denied::Refused(format!(
                            "node {id} has accepted {waiting} writes that are not in the list yet; try again"
                        )));
                    }
                }
                _ => return Ok(()),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Puts a caught-up learner in the place of a voter that has been silent for as long as an admin has decided.
    pub(crate) async fn replace_dead(&self, after: Duration) -> Done {
        let end = self.metrics().last_log_index.unwrap_or(0);
        if replacement(&self.leading()?, after, end).is_none() {
            return Ok(());
        }
        let _turn = self.one_change().await?;
        let members = self.leading()?;
        let Some((dead, spare)) = replacement(&members, after, end) else { return Ok(()) };
        let mut left: BTreeSet<u64> = voters(&members).map(|voter| voter.id).collect();
        left.remove(&dead);
        left.insert(spare);
        let healthy = self.answering(&left).await?;
        if healthy < left.len() / 2 + 1 {
            return Err(Denied::Refused(format!(
                "node {spare} cannot take the place of node {dead}: of the voters {left:?} only {healthy} answer"
            )));
        }
        tracing::warn!(
            dead,
            spare,
            ?after,
            "a voter has been silent for too long; a learner takes its place"
        );
        self.change(ChangeMembers::ReplaceAllVoters(left), false).await
    }

    /// How many of these voters answer a heartbeat sent from now on; waits for a majority of them, but not long.
    async fn answering(&self, voters: &BTreeSet<u64>) -> Result<usize, Denied> {
        let since = Instant::now();
        loop {
            let heard = |member: &&Member| {
                let ms = member.last_heard_ms.unwrap_or(u64::MAX);
                voters.contains(&member.id)
                    && is_healthy(member)
                    && (member.id == self.id() || u128::from(ms) < since.elapsed().as_millis())
            };
            let answering = self.leading()?.iter().filter(heard).count();
            if answering > voters.len() / 2 || since.elapsed() > Duration::from_millis(HEALTHY_MS) {
                return Ok(answering);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Hands leadership to a voter, by default the healthy one with the longest log.
    pub(crate) async fn hand_over(&self, to: Option<u64>) -> Result<u64, Denied> {
        let members = self.leading()?;
        let target = match to {
            Some(id) => {
                let member = find(&members, id)?;
                if member.role != MemberRole::Voter {
                    return Err(Denied::Refused(format!("node {id} has no vote and cannot lead")));
                }
                member
            }
            None => voters(&members)
                .filter(|voter| voter.id != self.id() && is_healthy(voter))
                .max_by_key(|voter| voter.matched)
                .ok_or_else(|| Denied::Refused("there is no other healthy voter to lead".into()))?,
        };
        if target.id == self.id() {
            return Ok(target.id);
        }
        let stopped = |error: openraft::errors::Fatal<_>| Denied::Stopped(error.to_string());
        self.raft.trigger().transfer_leader(target.id).await.map_err(stopped)?;
        let mut metrics = self.raft.metrics();
        let changed = metrics.wait_until(|m| m.current_leader.is_some_and(|leader| leader != m.id));
        let waited = Duration::from_millis(HEALTHY_MS);
        match tokio::time::timeout(waited, changed).await {
            Ok(Ok(metrics)) => Ok(metrics.current_leader.unwrap_or(target.id)),
            _ => Err(Denied::Unavailable(format!("node {} did not take over in time", target.id))),
        }
    }

    /// Whether this node leads and so many others answer that they could elect one of them.
    pub(crate) fn majority_of_others(&self) -> bool {
        let Ok(members) = self.leading() else { return false };
        let others = voters(&members).filter(|voter| voter.id != self.id() && is_healthy(voter)).count();
        others > voters(&members).count() / 2
    }

    async fn change(&self, change: ChangeMembers<u64, Address>, retain: bool) -> Done {
        let changing = self.raft.change_membership(change, retain);
        match tokio::time::timeout(self.settings.write_timeout, changing).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(RaftError::Fatal(error))) => Err(Denied::Stopped(error.to_string())),
            Ok(Err(RaftError::APIError(error))) => Err(denied(error)),
            Err(_) => Err(Denied::Unavailable("no majority confirmed the change of members yet".into())),
        }
    }
}

fn denied(error: ClientWriteError<TypeConfig>) -> Denied {
    match error {
        ClientWriteError::ForwardToLeader(to) | ClientWriteError::LogEntryDiscarded(to) => {
            Denied::NotLeader(to.leader_id)
        }
        ClientWriteError::ChangeMembershipError(
            busy @ (ChangeMembershipError::InProgress(_) | ChangeMembershipError::UncommittedLeaderLog(_)),
        ) => Denied::Unavailable(busy.to_string()),
        other => Denied::Refused(other.to_string()),
    }
}

fn find(members: &[Member], id: u64) -> Result<&Member, Denied> {
    let found = members.iter().find(|member| member.id == id);
    found.ok_or_else(|| Denied::NotFound(format!("node {id} is not a member")))
}

fn voters(members: &[Member]) -> impl Iterator<Item = &Member> {
    members.iter().filter(|member| member.role == MemberRole::Voter)
}

fn is_healthy(member: &Member) -> bool {
    member.healthy == Some(true)
}
