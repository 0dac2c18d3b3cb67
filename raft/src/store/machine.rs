//! The openraft adapter of the list: decode, apply, publish, store, answer. It decides nothing.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::storage::{ApplyResponder, EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot};

use crate::blocklist::{Batch, List, Outcome};
use crate::codec::{self, Content};
use crate::outbox::Outbox;
use crate::space::Space;
use crate::store::digest::{Changes, Passed, REMEMBERED_EVERY};
use crate::store::disk::{Disk, DiskMark, StoredChanges};
use crate::store::head::{Current, Head};
use crate::store::snapshot::{Header, SnapshotFile, Snapshots};
use crate::types::{Entry, LogId, SnapshotMeta, StoredMembership, TypeConfig};
use crate::version;

/// Log entries applied before the result is made known, when so many are ready.
const ENTRIES_TOGETHER: usize = 64;
/// A snapshot is taken to need this many times the room of the last one.
const SNAPSHOT_GROWTH: u64 = 2;
/// Changes after which they are made known, whatever else is ready: who looks for the first time waits for no more.
const CHANGES_TOGETHER: usize = 2048;

/// What others see of the machine: it writes here, the cluster handle reads.
#[derive(Clone)]
pub(crate) struct Applier {
    pub(crate) head: Arc<Head>,
    pub(crate) passed: Arc<Passed>,
    pub(crate) outbox: Arc<Outbox>,
}

/// The list in memory, and everything that keeps it.
pub(crate) struct StateMachine {
    applier: Applier,
    /// Empty between two groups of entries; kept for its room.
    changes: Changes,
    disk: Disk,
    snapshots: Snapshots,
    space: Arc<Space>,
}

impl StateMachine {
    pub(crate) fn new(applier: Applier, disk: Disk, snapshots: Snapshots, space: Arc<Space>) -> Self {
        StateMachine { applier, changes: Changes::default(), disk, snapshots, space }
    }

    /// Applies the first of these entries, as many as go together, and makes known what came of them: to readers, to
    /// callers, to the disk.
    async fn apply_some(&mut self, entries: &mut Entries) -> io::Result<()> {
        let Applied { mark, stored, listed, own, responders } = self.apply_together(entries)?;
        for (index, first_sequence, outcomes) in own {
            self.applier.outbox.applied(index, first_sequence, outcomes);
        }
        responders.into_iter().for_each(|responder| responder.send(()));
        self.disk.apply(mark, stored, listed, || self.applier.head.lock().list.clone()).await
    }

    fn apply_together(&mut self, entries: &mut Entries) -> io::Result<Applied> {
        let StateMachine { applier: Applier { head, passed, outbox }, changes, .. } = self;
        let current = &mut *head.lock();
        let rest_before = current.list.rest();
        let mut group = Group { current, changes, outbox, own: Vec::new() };
        let mut responders = Vec::new();
        let mut applied = Ok(());
        while let Some((entry, responder)) = entries.pop_front() {
            applied = group.apply(&entry);
            responders.extend(responder);
            if applied.is_err() || group.is_full() {
                break;
            }
        }
        let passes = group.passes();
        let Group { current, changes, own, .. } = group;
        let (count, decided) = (changes.len(), changes.decide());
        let stored = current.mark.digest.follow(&rest_before, changes)?;
        head.moved(current, count, decided);
        // Who looks before this node has ended sees a list that there was.
        applied?;
        if passes {
            passed.note(current.index(), current.mark.digest);
        }
        let (mark, listed) = (current.mark.clone(), current.list.entry_count());
        Ok(Applied { mark, stored, listed, own, responders })
    }
}

/// Entries of the log that are to be applied, and who waits for that.
type Entries = VecDeque<EntryResponder<TypeConfig>>;

/// What is left to be done once some entries are applied and readers can see it.
struct Applied {
    mark: DiskMark,
    stored: StoredChanges,
    /// Entries of the list.
    listed: usize,
    own: Vec<Own>,
    responders: Vec<ApplyResponder<TypeConfig>>,
}

/// Entries that are applied one after the other, before the result is made known.
struct Group<'a> {
    current: &'a mut Current,
    changes: &'a mut Changes,
    outbox: &'a Outbox,
    own: Vec<Own>,
}

impl Group<'_> {
    /// Fails on what only a newer program can apply.
    fn apply(&mut self, entry: &Entry) -> io::Result<()> {
        let log_id = entry.log_id();
        let last_applied = Some((&log_id).into());
        match &entry.payload {
            EntryPayload::Blank => self.current.mark.last_applied = last_applied,
            EntryPayload::Membership(membership) => {
                let stored = StoredMembership::new(Some(log_id), membership.clone());
                self.current.mark.membership = (&stored).into();
                self.current.mark.last_applied = last_applied;
            }
            EntryPayload::Normal(encoded) => {
                let newer = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
                let unknown = |error: io::Error| {
                    newer(version::too_old(format_args!("log index {}: {error}", log_id.index)))
                };
                let batch: Batch = codec::decode(Content::Batch, &encoded.0).map_err(unknown)?;
                let applied = self.current.list.apply(log_id.index, &batch);
                self.changes.join(applied.changes);
                self.current.mark.last_applied = last_applied;
                version::check(&self.current.list).map_err(newer)?;
                if !self.outbox.is_of(batch.origin) {
                    return Ok(());
                }
                if applied.rejected {
                    tracing::warn!(?batch.origin, batch.first_sequence, "own writes came out of order; sending again");
                    self.outbox.reset_session();
                } else {
                    self.own.push((log_id.index, batch.first_sequence, applied.outcomes));
                }
            }
        }
        Ok(())
    }

    /// Whether what was applied is to be made known before anything else is.
    fn is_full(&self) -> bool {
        self.changes.len() >= CHANGES_TOGETHER || self.passes()
    }

    /// Whether the digest at this index is remembered.
    fn passes(&self) -> bool {
        self.current.index().is_multiple_of(REMEMBERED_EVERY)
    }
}

/// What came of a batch of this node: its index, its first sequence, and an outcome a command.
type Own = (u64, u64, Vec<Option<Outcome>>);

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let mark = &self.applier.head.lock().mark;
        Ok((mark.last_applied.map(LogId::from), mark.membership.clone().into()))
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + Send,
    {
        // What tells the other nodes of these entries goes first: then they apply them at the same time.
        tokio::task::yield_now().await;
        let mut groups = entries.ready_chunks(ENTRIES_TOGETHER);
        while let Some(group) = groups.next().await {
            let mut group: VecDeque<_> = group.into_iter().collect::<io::Result<_>>()?;
            while !group.is_empty() {
                self.apply_some(&mut group).await?;
            }
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
        let current = self.applier.head.lock();
        let DiskMark { last_applied, membership, digest } = current.mark.clone();
        SnapshotBuilder {
            header: Header { last_log_id: last_applied, membership, digest },
            list: current.list.clone(),
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
        let mark = DiskMark {
            last_applied: header.last_log_id,
            membership: header.membership,
            digest: header.digest,
        };
        self.applier.head.replace(list.clone(), mark.clone());
        self.applier.outbox.overtaken(&list);
        self.disk.replace(mark, list)
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
