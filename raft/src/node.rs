//! One running node: its parts, how they start and stop, and reads of its state.

use std::collections::BTreeMap;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Config, Instant as _, ReadPolicy, ServerState, SnapshotPolicy};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::blocklist::Command;
use crate::cluster::{Freshness, Identity, Picture, Settings, Submitted, Written};
use crate::error::Error;
use crate::network::{PeerServer, Peers, Places, Reply, Request};
use crate::outbox::Outbox;
use crate::pending::Overlay;
use crate::recovery::broken;
use crate::recovery::{open_list, open_log, open_snapshots};
use crate::space::{self, Space};
use crate::status::{Status, millis};
use crate::store::{Applier, Disk, Snapshots, StateDigest, StateMachine};
use crate::types::{Metrics, Raft};
use crate::{divergence, forwarder, handler, leader, silence, standing, upkeep, version};

/// Between two heartbeats of the leader.
pub(crate) const HEARTBEAT_MS: u64 = 100;
/// A follower that has heard nothing for a time between these asks for votes.
pub(crate) const ELECTION_MS: std::ops::Range<u64> = 600..1200;
/// Log entries in one append.
const ENTRIES_PER_APPEND: u64 = 64;
/// A snapshot has to be sent, checked and installed within this.
const INSTALL_SNAPSHOT_MS: u64 = 60_000;
/// Between two times that the same snapshot is asked for.
const SNAPSHOT_ASKED_EVERY: Duration = Duration::from_millis(500);
/// Log entries purged at once.
const PURGE_BATCH_ENTRIES: u64 = 1024;
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
        let applier = Applier {
            picture: Arc::new(ArcSwap::from_pointee(Picture::default())),
            applied: watch::Sender::new(0),
            passed: Arc::default(),
            outbox,
        };
        let machine =
            StateMachine::new(list, mark, applier.clone(), disk.clone(), snapshots.clone(), space.clone());
        let peers = Peers {
            cluster_id: identity.cluster_id,
            node_id: identity.node_id,
            secret: identity.peer_secret,
            places: Places::default(),
            silent: Arc::default(),
        };
        let config = Arc::new(raft_config(&settings)?);
        let raft = Raft::new(identity.node_id, config, peers.clone(), log, machine)
            .await
            .map_err(|error| Error::Stopped(error.to_string()))?;
        let (failing, failed) = oneshot::channel();
        let failure = watch_failure(&raft, disk_failed, failed);
        let node = Arc::new(Node {
            settings,
            identity,
            raft,
            applier,
            snapshots,
            peers,
            leadership: leader::Leadership::default(),
            space,
            backups: Arc::new(Semaphore::new(1)),
            disk,
            heard: Mutex::new(None),
            overlay: Overlay::default(),
            failure,
            failing: Mutex::new(Some(failing)),
            closing: watch::Sender::new(false),
            tasks: Mutex::new(Vec::new()),
            server: Mutex::new(None),
        });
        let server =
            PeerServer::start(listener, node.identity.clone(), Arc::new(handler::PeerHandler::new(&node)));
        *node.server.lock() = Some(server);
        let tasks = [
            tokio::spawn(forwarder::run(node.clone())),
            tokio::spawn(upkeep::run(node.clone())),
            tokio::spawn(divergence::watch(node.clone())),
            tokio::spawn(standing::watch(node.clone())),
            tokio::spawn(space::watch(node.clone())),
            tokio::spawn(silence::watch(node.clone())),
        ];
        node.tasks.lock().extend(tasks.map(AbortOnDropHandle::new));
        if node.identity.peers.is_empty() {
            upkeep::found(&node).await?;
        }
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
        self.applier.picture.load_full()
    }

    /// The digests of the list at some indexes that were passed, and at the present one.
    pub(crate) fn digests(&self) -> BTreeMap<u64, StateDigest> {
        let picture = self.picture();
        self.applier.passed.all().into_iter().chain([(picture.index, picture.digest)]).collect()
    }

    /// Ends this node with an error.
    pub(crate) fn fail(&self, reason: String) {
        if let Some(failing) = self.failing.lock().take() {
            // Nobody listening means that the node is ending already.
            drop(failing.send(reason));
        }
    }

    pub(crate) async fn submit(&self, commands: Vec<Command>) -> Result<Vec<Written>, Error> {
        if let Some(error) = self.failure.borrow().clone() {
            return Err(error);
        }
        self.space.writable()?;
        self.outbox().submit(commands, self.settings.write_timeout).await
    }

    pub(crate) async fn submit_reports(&self, commands: Vec<Command>) -> Result<Vec<Submitted>, Error> {
        if let Some(error) = self.failure.borrow().clone() {
            return Err(error);
        }
        self.space.writable()?;
        self.outbox().submit_reports(commands, self.settings.write_timeout).await
    }

    /// A message of the leader has arrived.
    pub(crate) fn heard_leader(&self) {
        *self.heard.lock() = Some(Instant::now());
    }

    pub(crate) fn lag(&self) -> Option<Duration> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        if metrics.state == ServerState::Leader {
            let alone = metrics.membership_config.voter_ids().count() == 1;
            let acked = metrics.last_quorum_acked.as_ref().map(|instant| instant.elapsed());
            return if alone { Some(Duration::ZERO) } else { acked };
        }
        drop(metrics);
        self.heard.lock().map(|instant| instant.elapsed())
    }

    pub(crate) async fn read(&self, freshness: &Freshness) -> Result<Arc<Picture>, Error> {
        if let Some(max_lag) = freshness.max_lag
            && self.lag().is_none_or(|lag| lag > max_lag)
        {
            let message = format!("no leader was heard of for more than {} s", max_lag.as_secs_f64());
            return Err(Error::Unavailable { message, retry_after: Duration::from_secs(1) });
        }
        let mut index = freshness.min_index.unwrap_or(0);
        if freshness.linearizable {
            match self.ask_leader(Request::ReadIndex).await? {
                Reply::Index(committed) => index = index.max(committed),
                other => return Err(Error::Stopped(format!("an unexpected read index: {other:?}"))),
            }
        }
        if index > 0 {
            self.wait_applied(index).await?;
        }
        match freshness.linearizable || freshness.exclude_pending {
            true => Ok(self.picture()),
            false => self.overlay.picture(self.picture(), &self.applier.outbox).await,
        }
    }

    async fn wait_applied(&self, index: u64) -> Result<(), Error> {
        let mut applied = self.applier.applied.subscribe();
        let reached = applied.wait_for(|applied| *applied >= index);
        let reached = tokio::time::timeout(self.settings.write_timeout, reached);
        let message = tokio::select! {
            reached = reached => match reached {
                Ok(_) => return Ok(()),
                Err(_) => format!("this node has not reached index {index} yet"),
            },
            () = self.closing() => format!("this node is stopping and has not reached index {index}"),
        };
        Err(Error::Unavailable { message, retry_after: Duration::from_secs(1) })
    }

    /// The picture once more than this index is applied; may wait for ever.
    pub(crate) async fn changed_beyond(&self, index: u64) -> Arc<Picture> {
        let mut applied = self.applier.applied.subscribe();
        // The sender lives as long as the node.
        drop(applied.wait_for(|applied| *applied > index).await);
        self.picture()
    }

    /// Resolves when the node has begun to stop.
    pub(crate) async fn closing(&self) {
        drop(self.closing.subscribe().wait_for(|closing| *closing).await);
    }

    /// The index a linearizable read waits for; this node must lead.
    pub(crate) async fn read_index(&self) -> Result<u64, Option<u64>> {
        match self.raft.get_read_linearizer(ReadPolicy::ReadIndex).await {
            Ok(linearizer) => Ok(linearizer.read_log_id().index()),
            Err(error) => {
                tracing::debug!(%error, "no read index");
                Err(self.metrics().current_leader)
            }
        }
    }

    pub(crate) async fn snapshot(&self) -> Result<u64, Error> {
        let stopped = |error: openraft::errors::Fatal<_>| Error::Stopped(error.to_string());
        self.space.writable()?;
        let target = self.picture().index;
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
        let picture = self.picture();
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
            applied_index: picture.index,
            digest: picture.digest.to_string(),
            stored_index: self.disk.stored_index(),
            snapshot_index: index(metrics.snapshot),
            purged_index: index(metrics.purged),
            lag_ms: self.lag().map(millis),
            command_version: picture.list.version(),
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

fn raft_config(settings: &Settings) -> Result<Config, Error> {
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
fn watch_failure(
    raft: &Raft,
    disk_failed: oneshot::Receiver<io::Error>,
    failed: oneshot::Receiver<String>,
) -> watch::Receiver<Option<Error>> {
    let (sender, receiver) = watch::channel(None);
    let mut metrics = raft.metrics();
    tokio::spawn(async move {
        let core = async {
            match metrics.wait_until(|metrics| metrics.running_state.is_err()).await {
                Ok(metrics) => {
                    metrics.running_state.clone().err().map_or("stopped".into(), |e| e.to_string())
                }
                Err(_) => "the Raft core has stopped".to_string(),
            }
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
