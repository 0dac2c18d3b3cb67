//! One running node: its parts, how they start and stop, and what it says of itself.

mod agreement;
mod reading;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::blocklist::Command;
use crate::cluster::{Identity, Picture, Settings, Submitted, Written};
use crate::error::Error;
use crate::gathering::Gathering;
use crate::network::{Callers, PeerServer, Peers, Places, Told};
use crate::outbox::Outbox;
use crate::pending::Overlay;
use crate::recovery::broken;
use crate::recovery::{open_list, open_log, open_snapshots};
use crate::space::{self, Space};
use crate::status::{Status, millis};
use crate::store::{Applier, Disk, Head, Snapshots, StateDigest, StateMachine};
use crate::types::{Metrics, Raft};
use crate::{
    concluding, divergence, forwarder, gathering, handler, leader, silence, standing, upkeep, version,
};

pub(crate) use agreement::raft_config;

use agreement::watch_failure;

/// Between two heartbeats of the leader.
pub(crate) const HEARTBEAT_MS: u64 = 100;
/// A follower asks for votes when it has heard nothing for the longest of these times, in which no other grants one,
/// and then for a time between them: a leader is replaced within 0.7 to 1.0 s, and a stall of 0.7 s changes nothing.
pub(crate) const ELECTION_MS: std::ops::Range<u64> = 200..500;
/// Who is heard of more seldom is not well. Longer than an election, so that one is no illness.
pub(crate) const UNHEARD_MS: u64 = 2_400;
/// A snapshot has to be sent, checked and installed within this.
const INSTALL_SNAPSHOT_MS: u64 = 60_000;
/// Between two times that the same snapshot is asked for.
const SNAPSHOT_ASKED_EVERY: Duration = Duration::from_millis(500);
/// Shutting down waits no longer than this for the outbox and for a new leader, each.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// The parts of a running node.
pub(crate) struct Node {
    pub(crate) settings: Settings,
    pub(crate) identity: Identity,
    pub(crate) raft: Raft,
    pub(crate) applier: Applier,
    pub(crate) snapshots: Snapshots,
    pub(crate) peers: Peers,
    pub(crate) leadership: leader::Leadership,
    pub(crate) gathering: Gathering,
    pub(crate) space: Arc<Space>,
    /// One backup at a time.
    pub(crate) backups: Arc<Semaphore>,
    disk: Disk,
    heard: Mutex<Option<Instant>>,
    overlay: Overlay,
    failure: watch::Receiver<Option<Error>>,
    /// Taken by the first failure that is found here.
    failing: Mutex<Option<oneshot::Sender<String>>>,
    closing: watch::Sender<bool>,
    /// The others say that this node is not a member any more.
    removed: AtomicBool,
    tasks: Mutex<Vec<AbortOnDropHandle<()>>>,
    server: Mutex<Option<PeerServer>>,
}

impl Node {
    pub(crate) async fn start(
        settings: Settings,
        identity: Identity,
        listener: TcpListener,
    ) -> Result<Arc<Node>, Error> {
        let data = settings.data.clone();
        let space = Space::open(&data, settings.disk_reserve_bytes).map_err(broken("the free space"))?;
        let space = Arc::new(space);
        let log = open_log(&data)?;
        let snapshots = open_snapshots(&data)?;
        let (failed, disk_failed) = oneshot::channel();
        let (disk, mark, list) = open_list(&settings, &log, &snapshots, failed)?;
        version::check(&list).map_err(Error::Stopped)?;
        let outbox = Arc::new(Outbox::open(&settings, identity.node_id, &list)?);
        let applier = Applier { head: Arc::new(Head::new(list, mark)), passed: Arc::default(), outbox };
        let machine = StateMachine::new(applier.clone(), disk.clone(), snapshots.clone(), space.clone());
        let peers = Peers {
            cluster_id: identity.cluster_id,
            node_id: identity.node_id,
            secret: identity.peer_secret,
            places: Places::default(),
            silent: Arc::default(),
            callers: Callers::default(),
            told: Told::default(),
        };
        let config = Arc::new(raft_config(&settings)?);
        let raft = Raft::new(identity.node_id, config, peers.clone(), log, machine)
            .await
            .map_err(|error| Error::Stopped(error.to_string()))?;
        let (failing, failed) = oneshot::channel();
        let failure = watch_failure(&raft, disk_failed, failed);
        let (gathering, gathered) = Gathering::new(peers.callers.clone());
        let node = Arc::new(Node {
            settings,
            identity,
            raft,
            applier,
            snapshots,
            peers,
            leadership: leader::Leadership::default(),
            gathering,
            space,
            backups: Arc::new(Semaphore::new(1)),
            disk,
            heard: Mutex::new(None),
            overlay: Overlay::default(),
            failure,
            failing: Mutex::new(Some(failing)),
            closing: watch::Sender::new(false),
            removed: AtomicBool::new(false),
            tasks: Mutex::new(Vec::new()),
            server: Mutex::new(None),
        });
        let server =
            PeerServer::start(listener, node.identity.clone(), Arc::new(handler::PeerHandler::new(&node)));
        *node.server.lock() = Some(server);
        let writing = [
            tokio::spawn(gathering::run(node.clone(), gathered)),
            tokio::spawn(forwarder::run(node.clone())),
        ];
        node.tasks.lock().extend(writing.map(AbortOnDropHandle::new));
        // Before anything that looks after a cluster that is there.
        if node.identity.peers.is_empty() {
            upkeep::found(&node).await?;
        }
        let tasks = [
            tokio::spawn(upkeep::run(node.clone())),
            tokio::spawn(divergence::watch(node.clone())),
            tokio::spawn(standing::watch(node.clone())),
            tokio::spawn(space::watch(node.clone())),
            tokio::spawn(concluding::run(node.clone())),
            tokio::spawn(silence::watch(node.clone())),
        ];
        node.tasks.lock().extend(tasks.map(AbortOnDropHandle::new));
        Ok(node)
    }

    pub(crate) fn id(&self) -> u64 {
        self.identity.node_id
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.applier.outbox
    }

    pub(crate) fn metrics(&self) -> Metrics {
        self.raft.metrics().borrow_watched().clone()
    }

    pub(crate) fn picture(&self) -> Arc<Picture> {
        self.applier.head.picture()
    }

    /// What was decided, as it is now; the entries beside it may be old.
    pub(crate) fn decided(&self) -> Arc<Picture> {
        self.applier.head.decided()
    }

    /// The digests of the list at some indexes that were passed, and at the present one.
    pub(crate) fn digests(&self) -> BTreeMap<u64, StateDigest> {
        self.applier.passed.all().into_iter().chain([self.applier.head.digest()]).collect()
    }

    /// Ends this node with an error.
    pub(crate) fn fail(&self, reason: String) {
        if let Some(failing) = self.failing.lock().take() {
            // Nobody listening means that the node is ending already.
            drop(failing.send(reason));
        }
    }

    pub(crate) async fn submit(&self, commands: Vec<Command>) -> Result<Vec<Written>, Error> {
        self.takes_writes()?;
        self.outbox().submit(commands, self.settings.write_timeout).await
    }

    pub(crate) async fn submit_reports(&self, commands: Vec<Command>) -> Result<Vec<Submitted>, Error> {
        self.takes_writes()?;
        self.outbox().submit_reports(commands, self.settings.write_timeout).await
    }

    fn takes_writes(&self) -> Result<(), Error> {
        if let Some(error) = self.failure.borrow().clone() {
            return Err(error);
        }
        if self.removed.load(Ordering::Relaxed) {
            let message = "this node was removed from the cluster; send the write to a member".into();
            return Err(Error::Unavailable { message, retry_after: Duration::from_secs(60) });
        }
        self.space.writable()
    }

    /// What the others say: whether this node is no member any more, and nothing that it takes would come into force.
    pub(crate) fn note_removed(&self, removed: bool) {
        self.removed.store(removed, Ordering::Relaxed);
    }

    /// The index of the latest membership that this node knows, if it is one of its members.
    pub(crate) fn member_since(&self) -> Option<u64> {
        let membership = self.metrics().membership_config;
        membership.get_node(&self.id()).map(|_| membership.log_id().map_or(0, |id| id.index))
    }

    /// Resolves when the node has begun to stop.
    pub(crate) async fn closing(&self) {
        drop(self.closing.subscribe().wait_for(|closing| *closing).await);
    }

    pub(crate) async fn snapshot(&self) -> Result<u64, Error> {
        let stopped = |error: openraft::errors::Fatal<_>| Error::Stopped(error.to_string());
        self.space.writable()?;
        let target = self.applier.head.index();
        let mut metrics = self.raft.metrics();
        let done = metrics.wait_until(|metrics| metrics.snapshot.is_some_and(|id| id.index >= target));
        let mut done = pin!(tokio::time::timeout(Duration::from_millis(INSTALL_SNAPSHOT_MS), done));
        let done = loop {
            // Asked for while an earlier one is being made, it is not made: it has to be asked for again.
            self.raft.trigger().snapshot().await.map_err(stopped)?;
            if let Ok(done) = tokio::time::timeout(SNAPSHOT_ASKED_EVERY, &mut done).await {
                break done;
            }
        };
        let index = match done {
            Ok(Ok(metrics)) => metrics.snapshot.map_or(0, |id| id.index),
            _ => {
                return Err(Error::OutcomeUnknown {
                    message: "the snapshot is not finished yet".into(),
                    id: None,
                });
            }
        };
        let keep = self.settings.log_keep_entries;
        if index > keep {
            self.raft.trigger().purge_log(index - keep).await.map_err(stopped)?;
        }
        Ok(index)
    }

    /// A backup is about as large as a snapshot, and takes room beside it.
    pub(crate) fn room_for_backup(&self) -> Result<(), Error> {
        if self.space.has_room(2 * self.snapshots.bytes()) {
            return Ok(());
        }
        let message = "this node's disk has no room for a backup; take it from another node".into();
        Err(Error::Unavailable { message, retry_after: Duration::from_secs(60) })
    }

    /// This node and its members, as it sees them.
    pub(crate) fn status(&self) -> Status {
        let metrics = self.metrics();
        let index = |id: Option<crate::types::LogId>| id.map_or(0, |id| id.index);
        let (applied_index, digest) = self.applier.head.digest();
        let depth = self.outbox().depth();
        let learner = metrics.membership_config.voter_ids().all(|id| id != self.id());
        let state = match metrics.state {
            ServerState::Leader => "leader",
            ServerState::Candidate => "candidate",
            _ if learner => "learner",
            _ => "follower",
        };
        Status {
            cluster_id: hex::encode(self.identity.cluster_id),
            node_id: self.id(),
            state: state.into(),
            leader: metrics.current_leader,
            term: metrics.current_term,
            last_log_index: metrics.last_log_index.unwrap_or(0),
            committed_index: index(metrics.local_committed),
            applied_index,
            digest: digest.to_string(),
            stored_index: self.disk.stored_index(),
            snapshot_index: index(metrics.snapshot),
            purged_index: index(metrics.purged),
            lag_ms: self.lag().map(millis),
            command_version: self.decided().list.version(),
            outbox_commands: self.outbox().len() as u64,
            pending_commands: depth.commands,
            pending_bytes: depth.bytes,
            pending_oldest_ms: depth.oldest.map(millis),
            read_only: self.space.read_only(),
            disk_free_bytes: self.space.free(),
            changing: metrics.membership_config.get_joint_config().len() > 1,
            members: self.members(&metrics),
        }
    }

    pub(crate) async fn stopped(&self) -> Error {
        let mut failure = self.failure.clone();
        match failure.wait_for(Option::is_some).await {
            Ok(error) => error.clone().unwrap_or(Error::Stopped("the node has stopped".into())),
            Err(_) => Error::Stopped("the node has stopped".into()),
        }
    }

    /// The first half of stopping: those who wait for changes are let go, and another node leads. Writes that were
    /// taken here are still carried out.
    pub(crate) async fn retire(&self) {
        if self.closing.send_replace(true) {
            return;
        }
        if self.raft.is_leader() && self.metrics().membership_config.voter_ids().count() > 1 {
            match tokio::time::timeout(DRAIN_TIMEOUT, self.hand_over(None)).await {
                Ok(Ok(leader)) => tracing::info!(leader, "leadership is handed over"),
                _ => tracing::warn!("nobody took over leadership in time"),
            }
        }
    }

    pub(crate) async fn shutdown(&self) -> Result<(), Error> {
        self.retire().await;
        let drained = Instant::now() + DRAIN_TIMEOUT;
        while self.outbox().len() > 0 && Instant::now() < drained {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let tasks = std::mem::take(&mut *self.tasks.lock());
        if tasks.is_empty() {
            return Ok(());
        }
        drop(tasks);
        self.raft.shutdown().await.map_err(|error| Error::Stopped(error.to_string()))?;
        *self.server.lock() = None;
        self.disk.close().await.map_err(broken("the list"))
    }
}
