//! The openraft adapter of the list: decode, apply, publish, store, answer. It decides nothing.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::{Stream, StreamExt};
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot};
use tokio::sync::watch;

use crate::blocklist::{Batch, List, Outcome};
use crate::cluster::Picture;
use crate::codec::{self, Content};
use crate::outbox::Outbox;
use crate::space::Space;
use crate::store::digest::{Changes, Passed, REMEMBERED_EVERY};
use crate::store::disk::{Disk, DiskMark};
use crate::store::snapshot::{Header, SnapshotFile, Snapshots};
use crate::types::{LogId, SnapshotMeta, StoredMembership, TypeConfig};
use crate::version;

/// Log entries applied before a picture of the result is published, when so many are ready.
const ENTRIES_PER_PICTURE: usize = 64;
/// A snapshot is taken to need this many times the room of the last one.
const SNAPSHOT_GROWTH: u64 = 2;
/// Changed keys after which they are settled, whatever else is ready. Of what one picture shares with the next, the
/// changes after it copy their part: fewer pictures are fewer copies.
const KEYS_PER_PICTURE: usize = 2048;

/// What readers see, and how far it is: the machine writes here, the cluster handle reads.
#[derive(Clone)]
pub(crate) struct Applier {
    pub(crate) picture: Arc<ArcSwap<Picture>>,
    pub(crate) applied: watch::Sender<u64>,
    pub(crate) passed: Arc<Passed>,
    pub(crate) outbox: Arc<Outbox>,
}

/// The list in memory, and everything that keeps it.
pub(crate) struct StateMachine {
    list: List,
    mark: DiskMark,
    applier: Applier,
    disk: Disk,
    snapshots: Snapshots,
    space: Arc<Space>,
}

impl StateMachine {
    pub(crate) fn new(
        list: List,
        mark: DiskMark,
        applier: Applier,
        disk: Disk,
        snapshots: Snapshots,
        space: Arc<Space>,
    ) -> Self {
        let machine = StateMachine { list, mark, applier, disk, snapshots, space };
        machine.publish();
        machine
    }

    fn index(&self) -> u64 {
        self.mark.last_applied.map_or(0, |id| id.index)
    }

    fn publish(&self) {
        let index = self.index();
        self.applier.picture.store(Arc::new(Picture {
            list: self.list.clone(),
            index,
            digest: self.mark.digest,
            pending: 0,
        }));
        self.applier.applied.send_replace(index);
    }

    /// Applies one entry; its changes are added, its outcomes go out once they are settled.
    fn apply_entry(&mut self, entry: &crate::types::Entry, effects: &mut Effects) -> io::Result<()> {
        let log_id = entry.log_id();
        self.mark.last_applied = Some((&log_id).into());
        match &entry.payload {
            EntryPayload::Blank => {}
            EntryPayload::Membership(membership) => {
                let stored = StoredMembership::new(Some(log_id), membership.clone());
                self.mark.membership = (&stored).into();
            }
            EntryPayload::Normal(encoded) => {
                let newer = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
                let unknown = |error: io::Error| {
                    newer(version::too_old(format_args!("log index {}: {error}", log_id.index)))
                };
                let batch: Batch = codec::decode(Content::Batch, &encoded.0).map_err(unknown)?;
                let applied = self.list.apply(log_id.index, &batch);
                version::check(&self.list).map_err(newer)?;
                effects.changes.join(applied.changes);
                if !self.applier.outbox.is_of(batch.origin) {
                    return Ok(());
                }
                if applied.rejected {
                    tracing::warn!(?batch.origin, batch.first_sequence, "own writes came out of order; sending again");
                    self.applier.outbox.reset_session();
                } else {
                    effects.own.push((log_id.index, batch.first_sequence, applied.outcomes));
                }
            }
        }
        Ok(())
    }

    /// Makes the changes of a group of entries known: to the digest, to readers, to callers, to the disk.
    async fn settle(&mut self, effects: Effects, responders: Vec<Responder>) -> io::Result<()> {
        let before = self.applier.picture.load_full();
        let stored = self.mark.digest.follow(&before.list, effects.changes)?;
        drop(before);
        self.publish();
        if self.index().is_multiple_of(REMEMBERED_EVERY) {
            self.applier.passed.note(self.index(), self.mark.digest);
        }
        for (index, first_sequence, outcomes) in effects.own {
            self.applier.outbox.applied(index, first_sequence, outcomes);
        }
        responders.into_iter().for_each(|responder| responder.send(()));
        self.disk.apply(self.mark.clone(), stored, &self.list).await
    }
}

/// What a group of entries leaves to be done once all of them are applied.
#[derive(Default)]
struct Effects {
    changes: Changes,
    own: Vec<(u64, u64, Vec<Option<Outcome>>)>,
}

type Responder = openraft::storage::ApplyResponder<TypeConfig>;

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.mark.last_applied.map(LogId::from), self.mark.membership.clone().into()))
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + Send,
    {
        // What tells the other nodes of these entries goes first: then they apply them at the same time.
        tokio::task::yield_now().await;
        let mut groups = entries.ready_chunks(ENTRIES_PER_PICTURE);
        while let Some(group) = groups.next().await {
            let mut effects = Effects::default();
            let mut responders = Vec::new();
            for item in group {
                let (entry, responder) = item?;
                self.apply_entry(&entry, &mut effects)?;
                responders.extend(responder);
                let passes = self.index().is_multiple_of(REMEMBERED_EVERY);
                if effects.changes.len() >= KEYS_PER_PICTURE || passes {
                    self.settle(std::mem::take(&mut effects), std::mem::take(&mut responders)).await?;
                }
            }
            self.settle(effects, responders).await?;
        }
        Ok(())
    }

    /// Without room a snapshot waits: half of one would take the room that is left, and its failure ends the node.
    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<SnapshotBuilder> {
        if !force && !self.space.has_room(SNAPSHOT_GROWTH * self.snapshots.bytes()) {
            tracing::warn!("there is no room for a snapshot; it is made later");
            return None;
        }
        Some(self.get_snapshot_builder().await)
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        SnapshotBuilder {
            header: Header {
                last_log_id: self.mark.last_applied,
                membership: self.mark.membership.clone(),
                digest: self.mark.digest,
            },
            list: self.list.clone(),
            snapshots: self.snapshots.clone(),
            disk: self.disk.clone(),
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotFile) -> io::Result<()> {
        let received = snapshot.path().to_path_buf();
        let (header, list) = blocking(move || snapshot.load()).await?;
        if header.meta() != *meta {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the snapshot is not the one announced"));
        }
        let snapshots = self.snapshots.clone();
        let kept = header.clone();
        blocking(move || snapshots.keep(&kept, &received)).await?;
        version::check(&list).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        self.list = list;
        self.mark = DiskMark {
            last_applied: header.last_log_id,
            membership: header.membership,
            digest: header.digest,
        };
        self.publish();
        self.applier.outbox.overtaken(&self.list);
        self.disk.replace(self.mark.clone(), self.list.clone())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<openraft::type_config::alias::SmSnapshotOf<TypeConfig, Self>>> {
        let current = self.snapshots.current()?;
        Ok(current.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Writes one still picture to a snapshot file.
pub(crate) struct SnapshotBuilder {
    header: Header,
    list: List,
    snapshots: Snapshots,
    disk: Disk,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(
        &mut self,
    ) -> io::Result<openraft::type_config::alias::SnapshotOf<TypeConfig, SnapshotFile>> {
        let (header, list, snapshots) = (self.header.clone(), self.list.clone(), self.snapshots.clone());
        let meta = header.meta();
        let snapshot = blocking(move || snapshots.write(&header, &list)).await?;
        // What the log loses after this is covered twice: by the file, and by sled on the disk itself.
        self.disk.flush().await?;
        Ok(Snapshot { meta, snapshot })
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
