//! One run of a node: the real Raft core over its disk, its list and its wires, and the forwarder of its outbox.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::SimRuntime;
use parking_lot::Mutex;
use tokio::runtime::Runtime;

use super::disk::Log;
use super::machine::{Machine, Still};
use super::wires::Line;
use super::{Defect, NODES};
use crate::cluster::{Address, Settings};
use crate::concluding::{committed_up_to, concludable, conclude};
use crate::network::Told;
use crate::node::raft_config;
use crate::outbox::Outbox;
use crate::types::{EncodedBatch, LogId};

/// As in `forwarder`.
const BATCHES_IN_FLIGHT_MAX: usize = 4;
const PAUSE: Duration = Duration::from_millis(20);
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);
/// So small that a node that was away for a while is behind what is left of the log.
const SNAPSHOT_AFTER: u64 = 30;
const LOG_KEEP: u64 = 10;

openraft::declare_raft_types!(
    /// The types of our Raft on the simulated runtime.
    pub(super) SimConfig:
        D = EncodedBatch,
        R = (),
        NodeId = u64,
        Node = Address,
        AsyncRuntime = SimRuntime,
);

pub(super) type Raft = openraft::Raft<SimConfig, Machine>;

/// A node from its start to its kill.
pub(super) struct Run {
    pub(super) raft: Raft,
    pub(super) outbox: Arc<Outbox>,
    pub(super) now: Arc<Mutex<Still>>,
    pub(super) told: Told,
    log: Log,
    pub(super) alive: Arc<AtomicBool>,
}

impl Run {
    pub(super) async fn start(
        log: Log,
        machine: Machine,
        line: Line,
        tokio: Arc<Runtime>,
        defect: Defect,
    ) -> Run {
        let settings = Settings {
            snapshot_after_entries: SNAPSHOT_AFTER,
            log_keep_entries: LOG_KEEP,
            ..Settings::of_a_test(Path::new(""), Address::default())
        };
        let mut config = raft_config(&settings).unwrap();
        if defect == Defect::LeadsOnAfterAKill {
            config.enable_leader_restore = Some(true);
        }
        let (outbox, now, alive) = (machine.outbox.clone(), machine.now.clone(), machine.alive.clone());
        let raft = Raft::new(line.from, Arc::new(config), line.clone(), log.clone(), machine).await.unwrap();
        line.wires.come(line.from, raft.clone());
        let told = Told::default();
        for to in (1..=NODES as u64).filter(|to| *to != line.from) {
            let line = Line { to, ..line.clone() };
            SimRuntime::spawn(tell(raft.clone(), told.clone(), line, defect));
        }
        let forwarder =
            Forwarder { raft: raft.clone(), outbox: outbox.clone(), line, alive: alive.clone(), tokio };
        SimRuntime::spawn(forwarder.run());
        Run { raft, outbox, now, told, log, alive }
    }

    /// Whatever is not on disk is gone.
    pub(super) fn kill(self) {
        self.alive.store(false, Ordering::Relaxed);
        self.log.kill();
        let raft = self.raft;
        SimRuntime::spawn(async move { drop(raft.shutdown().await) });
    }

    pub(super) fn index(&self) -> u64 {
        self.now.lock().last.map_or(0, |id| id.index)
    }
}

/// `forwarder` once more, on the wires of the simulation.
struct Forwarder {
    raft: Raft,
    outbox: Arc<Outbox>,
    line: Line,
    alive: Arc<AtomicBool>,
    tokio: Arc<Runtime>,
}

type Confirmation = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

impl Forwarder {
    async fn run(self) {
        let mut metrics = self.raft.server_metrics();
        while self.alive.load(Ordering::Relaxed) {
            let leader = match metrics.wait_until(|metrics| metrics.current_leader.is_some()).await {
                Ok(metrics) => metrics.current_leader,
                Err(_) => return,
            };
            let Some(leader) = leader else { continue };
            if !self.alive.load(Ordering::Relaxed) {
                return;
            }
            self.outbox.reset_session();
            if self.session(leader).await.is_err() {
                SimRuntime::sleep(PAUSE).await;
            }
        }
    }

    async fn session(&self, leader: u64) -> io::Result<()> {
        let mut metrics = self.raft.server_metrics();
        let mut in_flight = FuturesUnordered::new();
        loop {
            if self.outbox.under_way() == 0 {
                in_flight.clear();
            }
            while in_flight.len() < BATCHES_IN_FLIGHT_MAX {
                if !self.alive.load(Ordering::Relaxed) {
                    return Ok(());
                }
                // The file of accepted reports is a real one, and takes no time here.
                self.tokio.block_on(self.outbox.prepare()).unwrap();
                let Some(batch) = self.outbox.next_batch()? else { break };
                in_flight.push(self.hand_on(leader, batch));
            }
            let confirmed = async {
                match in_flight.next().await {
                    Some(confirmed) => confirmed,
                    None => std::future::pending().await,
                }
            };
            let more = self.outbox.work();
            let changed = metrics.wait_until(|metrics| metrics.current_leader != Some(leader));
            let (confirmed, more) = (pin!(confirmed), pin!(more));
            match select(select(confirmed, more), pin!(changed)).await {
                Either::Left((Either::Left((confirmed, _)), _)) => confirmed?,
                Either::Left((Either::Right(_), _)) => {}
                Either::Right((changed, _)) => return changed.map(drop).map_err(io::Error::other),
            }
        }
    }

    fn hand_on(&self, leader: u64, batch: EncodedBatch) -> Confirmation {
        let line = Line { to: leader, ..self.line.clone() };
        let own = (leader == self.line.from).then(|| self.raft.clone());
        let confirmed = async move {
            match own {
                Some(raft) => propose(raft, batch).await,
                None => line.ask(|raft| propose(raft, batch)).await?,
            }
        };
        Box::pin(async move {
            SimRuntime::timeout(CONFIRM_TIMEOUT, confirmed).await.map_err(|_| io::ErrorKind::TimedOut)?
        })
    }
}

/// As in `handler`.
async fn propose(raft: Raft, batch: EncodedBatch) -> io::Result<()> {
    let (responder, applied) = openraft::impls::ProgressResponder::complete_only();
    raft.client_write_ff(batch, Some(responder)).await.map_err(io::Error::other)?;
    match applied.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(io::Error::other(error)),
        Err(_) => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

/// As in `concluding`, and whether or not the follower waits.
async fn tell(raft: Raft, told: Told, line: Line, defect: Defect) {
    let mut flushed = raft.watch_log_progress();
    while flushed.changed().await.is_ok() && line.alive.load(Ordering::Relaxed) {
        let flushed = flushed.get();
        let id = flushed.and_then(|flushed| concludable(&raft.metrics().borrow_watched(), line.to, &flushed));
        let Some(id) = id else { continue };
        told.note(line.to, id);
        let line = line.clone();
        SimRuntime::spawn(async move {
            match defect {
                Defect::ConcludesBeforeTheFlush => line.tell(|raft| conclude_at_once(raft, id)).await,
                _ => line.tell(|raft| conclude(raft, id)).await,
            }
        });
    }
}

/// `conclude` that does not wait for this node's disk.
async fn conclude_at_once(raft: Raft, id: LogId) {
    // Whether it is taken up does not matter.
    drop(raft.append_entries(committed_up_to(id)).await);
}
