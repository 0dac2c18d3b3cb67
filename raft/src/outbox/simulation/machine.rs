//! The real list behind the real Raft core, with sled and the snapshots as values in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{Stream, StreamExt};
use openraft::EntryPayload;
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot};
use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::SimRuntime;
use parking_lot::Mutex;

use super::disk::killed;
use super::node::SimConfig;
use super::{Chance, Defect};
use crate::blocklist::{Batch, List};
use crate::codec::{self, Content};
use crate::outbox::Outbox;
use crate::types::{Entry, LogId, SnapshotMeta, StoredMembership};

/// The list at some index.
#[derive(Clone, Default)]
pub(super) struct Still {
    pub(super) list: List,
    pub(super) last: Option<LogId>,
    membership: StoredMembership,
}

/// What of it is on a disk: sled, which is behind, and the last snapshot.
#[derive(Clone, Default)]
pub(super) struct Stored {
    pub(super) still: Still,
    snapshot: Option<(SnapshotMeta, Still)>,
}

impl Stored {
    /// As `recovery` does it: a list ahead of this node's log needs a snapshot that reaches as far, because openraft
    /// purges the log up to the list.
    pub(super) fn close_gap(&mut self, last_in_log: Option<LogId>) {
        let covered = self.snapshot.as_ref().map(|(meta, _)| meta.last_log_id);
        if covered.is_some_and(|covered| covered < self.still.last) && self.still.last > last_in_log {
            self.snapshot = Some((self.still.meta(), self.still.clone()));
        }
    }
}

impl Still {
    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.last, last_membership: self.membership.clone() }
    }
}

/// Which entry every node has to apply at an index: the one that the first of them applied.
pub(super) type Order = Arc<Mutex<BTreeMap<u64, LogId>>>;

/// The list of one run of a node, and what keeps it.
pub(super) struct Machine {
    pub(super) number: usize,
    pub(super) now: Arc<Mutex<Still>>,
    pub(super) stored: Arc<Mutex<Stored>>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) alive: Arc<AtomicBool>,
    pub(super) order: Order,
    pub(super) chance: Chance,
    pub(super) defect: Defect,
}

impl Machine {
    fn living(&self) -> io::Result<()> {
        match self.alive.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(killed()),
        }
    }

    fn apply_entry(&mut self, entry: &Entry) -> io::Result<()> {
        let id = entry.log_id;
        let first = *self.order.lock().entry(id.index).or_insert(id);
        assert_eq!(first, id, "two nodes apply different entries at {}", id.index);
        let mut now = self.now.lock();
        now.last = Some(id);
        match &entry.payload {
            EntryPayload::Blank => {}
            EntryPayload::Membership(membership) => {
                now.membership = StoredMembership::new(Some(id), membership.clone());
            }
            EntryPayload::Normal(encoded) => {
                let mut batch: Batch = codec::decode(Content::Batch, &encoded.0)?;
                let (origin, first_sequence) = (batch.origin, batch.first_sequence);
                self.defect.spoil(&mut batch, self.number, id.index);
                let applied = now.list.apply(id.index, &batch);
                drop(now);
                if self.outbox.is_of(origin) {
                    match applied.rejected {
                        true => self.outbox.reset_session(),
                        false => self.outbox.applied(id.index, first_sequence, applied.outcomes),
                    }
                }
            }
        }
        Ok(())
    }
}

impl RaftStateMachine<SimConfig> for Machine {
    type SnapshotData = Still;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let now = self.now.lock();
        Ok((now.last, now.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<SimConfig>>> + Unpin + Send,
    {
        while let Some(item) = entries.next().await {
            let (entry, responder) = item?;
            if self.chance.percent(5) {
                SimRuntime::sleep(self.chance.between_ms(1, 50)).await;
            }
            self.living()?;
            self.apply_entry(&entry)?;
            if let Some(responder) = responder {
                responder.send(());
            }
            if self.chance.percent(15) {
                self.stored.lock().still = self.now.lock().clone();
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder {
            still: self.now.lock().clone(),
            stored: self.stored.clone(),
            alive: self.alive.clone(),
            chance: self.chance.clone(),
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Still) -> io::Result<()> {
        self.living()?;
        *self.stored.lock() =
            Stored { still: snapshot.clone(), snapshot: Some((meta.clone(), snapshot.clone())) };
        self.outbox.overtaken(&snapshot.list);
        *self.now.lock() = snapshot;
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<openraft::type_config::alias::SnapshotOf<SimConfig, Still>>> {
        let stored = self.stored.lock();
        Ok(stored.snapshot.clone().map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Makes a snapshot of a still picture, which takes its time.
pub(super) struct Builder {
    still: Still,
    stored: Arc<Mutex<Stored>>,
    alive: Arc<AtomicBool>,
    chance: Chance,
}

impl RaftSnapshotBuilder<SimConfig> for Builder {
    type SnapshotData = Still;

    async fn build_snapshot(
        &mut self,
    ) -> io::Result<openraft::type_config::alias::SnapshotOf<SimConfig, Still>> {
        let still = self.still.clone();
        SimRuntime::sleep(self.chance.between_ms(1, 200)).await;
        if !self.alive.load(Ordering::Relaxed) {
            return Err(killed());
        }
        let meta = still.meta();
        let mut stored = self.stored.lock();
        if stored.still.last < still.last {
            stored.still = still.clone();
        }
        if stored.snapshot.as_ref().is_none_or(|(known, _)| known.last_log_id < meta.last_log_id) {
            stored.snapshot = Some((meta.clone(), still.clone()));
        }
        Ok(Snapshot { meta, snapshot: still })
    }
}
