//! The one handle on the replicated list: propose, read, status, membership, shutdown.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::backup::{self, Backup};
use crate::blocklist::{Actor, Command, List, Operation, Outcome, Role};
use crate::error::Error;
use crate::network::{Reply, Request};
use crate::node::Node;
use crate::request::{RequestId, RequestState};
use crate::status::{Member, Status};
use crate::store::{self, StateDigest};
use crate::version;

/// How a node is reached. Stored in the membership.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// `host:port` of the peers' port.
    pub peers: String,
    /// The URL of the HTTP API, without a final slash.
    pub http: String,
}

/// Everything a node needs to start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where everything is kept.
    pub data: PathBuf,
    /// How others reach this node.
    pub address: Address,
    /// How long a write may wait for a majority.
    pub write_timeout: Duration,
    /// Raft entries between two snapshots.
    pub snapshot_after_entries: u64,
    /// Raft entries kept behind a snapshot, for nodes that lag.
    pub log_keep_entries: u64,
    /// Bytes of sled's page cache.
    pub sled_cache_bytes: u64,
    /// How long a report waits for a majority before this node's disk takes it.
    pub accept_after: Duration,
    /// Bytes of reports that may wait on this node's disk.
    pub pending_bytes_max: u64,
    /// How long the oldest of them may wait before further ones are refused.
    pub pending_age_max: Duration,
    /// With fewer bytes free on the disk this node only reads; zero: it never looks.
    pub disk_reserve_bytes: u64,
}

#[cfg(test)]
impl Settings {
    /// Small limits, and no look at the disk.
    pub(crate) fn of_a_test(data: &Path, address: Address) -> Settings {
        Settings {
            data: data.into(),
            address,
            write_timeout: Duration::from_secs(5),
            snapshot_after_entries: 1000,
            log_keep_entries: 1000,
            sled_cache_bytes: 1 << 20,
            accept_after: Duration::from_secs(2),
            pending_bytes_max: 1 << 20,
            pending_age_max: Duration::from_secs(3600),
            disk_reserve_bytes: 0,
        }
    }
}

/// Who a node is, kept in its data directory; written once, before the node takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The cluster it belongs to.
    pub cluster_id: [u8; 16],
    /// Its id there.
    pub node_id: u64,
    /// What peers prove to each other.
    pub peer_secret: [u8; 32],
    /// It stays a learner, as it was asked to.
    pub learner: bool,
    /// How to reach the cluster: the members when it joined. Empty for the node that founded it.
    pub peers: Vec<(u64, Address)>,
}

/// What a joining node gets from the cluster; `POST /admin/members` carries it.
pub type JoinTicket = Identity;

/// A write that was applied on this node.
#[derive(Clone, Debug)]
pub struct Written {
    /// The log index it was applied at.
    pub index: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What became of a report by the time its caller is answered.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// It was applied on this node.
    Written(Written),
    /// No majority has it; this node's disk has, and it joins the list when there is one.
    Accepted(RequestId),
}

/// A still picture of the list.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// The list; immutable.
    pub list: List,
    /// The last log index applied to it.
    pub index: u64,
    /// A digest of the whole state: the same on every node at this index.
    pub(crate) digest: StateDigest,
    /// Reports in it that wait for a majority on this node's disk, and are in no other node's list.
    pub pending: u64,
}

impl Picture {
    /// What a frozen feed shows, on a node that was there when it froze.
    pub fn frozen_at(&self, name: &str) -> Option<Picture> {
        let index = self.list.feed(name)?.frozen?.index;
        let list = List::clone(self.list.frozen_at(name)?);
        Some(Picture { list, index, ..Picture::default() })
    }
}

/// How fresh a read has to be. The default is local: whatever this node has.
#[derive(Clone, Debug, Default)]
pub struct Freshness {
    /// Wait until this index is applied here.
    pub min_index: Option<u64>,
    /// Confirm with the leader first, and wait for what it had committed.
    pub linearizable: bool,
    /// Refuse (`Unavailable`) when no leader was heard of for longer.
    pub max_lag: Option<Duration>,
    /// Leave out what waits for a majority on this node; a linearizable read always does.
    pub exclude_pending: bool,
}

/// A running node's view of the cluster. Clones are handles on the same node.
#[derive(Clone)]
pub struct Cluster {
    node: Arc<Node>,
}

impl Cluster {
    /// Reads who this node is; `None` on an empty data directory.
    pub fn identity(data: &Path) -> Result<Option<Identity>, Error> {
        store::read_identity(data)
            .map_err(|error| Error::Stopped(format!("cannot read the identity: {error}")))
    }

    /// Makes a cluster of one in an empty data directory: writes the identity of its first node.
    pub fn found(settings: &Settings) -> Result<Identity, Error> {
        let random = |bytes: &mut [u8]| {
            getrandom::fill(bytes).map_err(|error| Error::Stopped(format!("no random numbers: {error}")))
        };
        let (mut cluster_id, mut peer_secret) = ([0; 16], [0; 32]);
        random(&mut cluster_id)?;
        random(&mut peer_secret)?;
        let identity = Identity { cluster_id, node_id: 1, peer_secret, learner: false, peers: Vec::new() };
        Cluster::accept(settings, &identity)?;
        Ok(identity)
    }

    /// Keeps the identity that a cluster gave to this node.
    pub fn accept(settings: &Settings, ticket: &JoinTicket) -> Result<(), Error> {
        store::write_identity(&settings.data, ticket)
            .map_err(|error| Error::Stopped(format!("cannot keep the identity: {error}")))
    }

    /// Starts the node whose identity the data directory holds, taking peers on `listener`.
    pub async fn start(settings: Settings, listener: TcpListener) -> Result<Cluster, Error> {
        let identity = Cluster::identity(&settings.data)?
            .ok_or_else(|| Error::Stopped("the data directory holds no node".into()))?;
        Ok(Cluster { node: Node::start(settings, identity, listener).await? })
    }

    /// Puts a command through the log; returns when this node has applied it.
    pub async fn propose(&self, command: Command) -> Result<Written, Error> {
        let mut written = self.propose_all(vec![command]).await?;
        written.pop().ok_or_else(|| Error::Stopped("the outbox lost a command".into()))
    }

    /// Puts several commands through the log, in order and together (one Raft entry where they fit).
    pub async fn propose_all(&self, commands: Vec<Command>) -> Result<Vec<Written>, Error> {
        version::gate(&commands, self.node.decided().list.version())?;
        self.node.submit(commands).await
    }

    /// Puts reports through the log, in order and together; without a majority this node's disk takes them. Only
    /// `Add`, `Sight` and `Import`.
    pub async fn propose_reports(&self, commands: Vec<Command>) -> Result<Vec<Submitted>, Error> {
        self.node.submit_reports(commands).await
    }

    /// What became of a command, as far as this node knows.
    pub fn request(&self, id: RequestId) -> RequestState {
        self.node.outbox().request(id, &self.picture().list)
    }

    /// The list as it is here and now, without what waits for a majority. Waits for nobody, but for the first look after
    /// a while: that one waits for what is being applied at this moment.
    pub fn picture(&self) -> Arc<Picture> {
        self.node.picture()
    }

    /// The list, as fresh as asked.
    pub async fn read(&self, freshness: &Freshness) -> Result<Arc<Picture>, Error> {
        self.node.read(freshness).await
    }

    /// What was decided for the cluster (accounts, settings, the allow list, feeds, hooks, imports), as this node has it
    /// here and now; entries may be missing beside it, and its index may be old. It costs nothing, where `picture` makes
    /// what is written next copy what it changes.
    pub fn decided(&self) -> Arc<Picture> {
        self.node.decided()
    }

    /// The last log index that this node has applied.
    pub fn applied_index(&self) -> u64 {
        self.node.applier.head.index()
    }

    /// Resolves as soon as this node has applied more than `index`; may wait for ever.
    pub async fn moved_beyond(&self, index: u64) {
        self.node.moved_beyond(index).await;
    }

    /// Resolves when this node has begun to stop: whoever waits for something to come has to end.
    pub async fn closing(&self) {
        self.node.closing().await
    }

    /// Time since this node last heard from a leader (on the leader itself: from a majority);
    /// `None` when it never did.
    pub fn lag(&self) -> Option<Duration> {
        self.node.lag()
    }

    /// The state of this node.
    pub fn status(&self) -> Status {
        self.node.status()
    }

    /// The members as the leader knows them (with `matched` and `last_heard_ms`).
    pub async fn members(&self) -> Result<Vec<Member>, Error> {
        match self.node.ask_leader(Request::Members).await? {
            Reply::Members(members) => Ok(members),
            other => Err(unexpected(&other)),
        }
    }

    /// Takes in a node as a learner and gives it its ticket. The same join key gets the same id again.
    /// `learner`: it is to stay one; else the node asks for promotion itself once it has caught up.
    pub async fn add_member(
        &self,
        join_key: [u8; 16],
        address: Address,
        learner: bool,
    ) -> Result<JoinTicket, Error> {
        let actor = Actor { account: "".into(), role: Role::Admin, address: address.peers.as_str().into() };
        let command = Command::new(crate::upkeep::now(), actor, Operation::AllocateNode { join_key });
        let node_id = match self.propose(command).await?.outcome {
            Outcome::Node(id) => id,
            other => return Err(Error::Refused(format!("no node id was given: {other:?}"))),
        };
        self.node.ask_leader(Request::PutMember { id: node_id, address }).await?;
        let own = self.node.identity();
        let peers = self.status().members.into_iter().map(|member| (member.id, member.address)).collect();
        Ok(JoinTicket { node_id, learner, peers, ..own.clone() })
    }

    /// Makes a caught-up learner a voter.
    pub async fn promote(&self, id: u64) -> Result<(), Error> {
        self.node.ask_leader(Request::Promote { id }).await.map(drop)
    }

    /// Removes a member. Refused with the reason when the healthy voters left would be no majority.
    pub async fn remove_member(&self, id: u64) -> Result<(), Error> {
        self.node.ask_leader(Request::RemoveMember { id }).await.map(drop)
    }

    /// Hands leadership to this voter, or to the most caught-up one; returns the new leader.
    pub async fn transfer_leader(&self, to: Option<u64>) -> Result<u64, Error> {
        match self.node.ask_leader(Request::TransferLeader { to }).await? {
            Reply::Leader(id) => Ok(id),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes a snapshot on this node and purges what it covers; returns its index.
    pub async fn snapshot(&self) -> Result<u64, Error> {
        self.node.snapshot().await
    }

    /// Writes all of this node's list to a file, for whoever takes it away.
    pub async fn backup(&self) -> Result<Backup, Error> {
        backup::make(&self.node).await
    }

    /// Resolves when the node cannot go on; the process must end with this error.
    pub async fn stopped(&self) -> Error {
        self.node.stopped().await
    }

    /// Begins to stop: hands leadership over, while requests that are under way are still carried out.
    pub async fn retire(&self) {
        self.node.retire().await
    }

    /// Hands leadership over, drains the outbox, brings sled up and stops. Idempotent.
    pub async fn shutdown(&self) -> Result<(), Error> {
        self.node.shutdown().await
    }
}

fn unexpected(reply: &Reply) -> Error {
    Error::Stopped(format!("the leader gave an unexpected answer: {reply:?}"))
}
