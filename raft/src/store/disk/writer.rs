//! The thread that writes the list to sled, behind the list in memory.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::layout::{self, BATCH_BLOCKS, BLOCK_BYTES, Blocks, Ground, Place, StoredChange};
use super::packing::Packer;
use super::{DiskMark, Progress, index_of};
use crate::blocklist::List;
use crate::codec::{self, Content};
use crate::store::digest::Encoder;

/// Bytes beyond which no further change set is joined to a write, so that it is one small batch.
const JOINED_BYTES: usize = BATCH_BLOCKS * BLOCK_BYTES;

/// How long a change waits for others. Each batch wakes all threads of sled: with one for every commit of the log
/// they took a fifth of a busy node's time.
const GATHERING: Duration = Duration::from_millis(20);

/// The changes of some consecutive log entries, and the mark after them.
pub(super) struct ChangeSet {
    pub(super) mark: DiskMark,
    pub(super) changes: Vec<StoredChange>,
    pub(super) room: OwnedSemaphorePermit,
}

impl ChangeSet {
    fn bytes(&self) -> usize {
        let of = |(key, value): &StoredChange| key.len() + value.as_ref().map_or(0, Bytes::len);
        self.changes.iter().map(of).sum()
    }
}

/// What the writer is told, in this order.
pub(super) enum Work {
    /// The list has changed.
    Apply(ChangeSet),
    /// Lay a new ground: this is the list after all changes handed on before.
    Lay(Box<List>),
    /// The list is another one now.
    Replace { mark: DiskMark, list: Box<List> },
    /// Bring everything handed on before to the disk itself.
    Flush(oneshot::Sender<io::Result<()>>),
    /// The same, and let go of the directory.
    Close(oneshot::Sender<io::Result<()>>),
}

/// Work that has come, and what was taken from it and put back.
pub(super) struct Queue {
    coming: mpsc::Receiver<Work>,
    back: VecDeque<Work>,
}

impl Queue {
    pub(super) fn new(coming: mpsc::Receiver<Work>) -> Queue {
        Queue { coming, back: VecDeque::new() }
    }

    fn wait(&mut self) -> Option<Work> {
        self.back.pop_front().or_else(|| self.coming.recv().ok())
    }

    fn wait_until(&mut self, deadline: Instant) -> Option<Work> {
        let rest = deadline.saturating_duration_since(Instant::now());
        self.back.pop_front().or_else(|| self.coming.recv_timeout(rest).ok())
    }

    fn next_now(&mut self) -> Option<Work> {
        self.back.pop_front().or_else(|| self.coming.try_recv().ok())
    }

    fn put_back(&mut self, work: Work) {
        self.back.push_front(work);
    }
}

/// sled, and where it is.
pub(super) struct Writer {
    pub(super) db: sled::Db,
    pub(super) file: PathBuf,
    pub(super) place: Place,
    pub(super) packer: Packer,
    pub(super) progress: Arc<Progress>,
}

/// Whether something that takes long may go on.
#[derive(PartialEq)]
enum Then {
    GoOn,
    GiveUp,
}

impl Writer {
    /// Works until it is told to close, or until nobody can tell it anything any more.
    pub(super) fn run(mut self, mut queue: Queue) -> io::Result<()> {
        self.sweep(&mut queue)?;
        while let Some(work) = queue.wait() {
            match work {
                Work::Apply(first) => self.join(first, Instant::now() + GATHERING, &mut queue)?,
                Work::Lay(list) => self.lay(&list, &mut queue)?,
                Work::Replace { mark, list } => self.replace(&mark, &list, &mut queue)?,
                Work::Flush(done) => drop(done.send(self.flush())),
                Work::Close(done) => {
                    drop(done.send(self.close()));
                    return Ok(());
                }
            }
        }
        self.flush()
    }

    /// Joins the change sets that come until a deadline into one atomic batch. Anything else that comes ends it.
    fn join(&mut self, first: ChangeSet, deadline: Instant, queue: &mut Queue) -> io::Result<()> {
        let mut bytes = first.bytes();
        let mut changes: BTreeMap<_, _> = first.changes.into_iter().collect();
        let mut mark = first.mark;
        let mut rooms = vec![first.room];
        while let Some(work) = queue.wait_until(deadline) {
            match work {
                Work::Apply(set) if bytes + set.bytes() <= JOINED_BYTES => {
                    bytes += set.bytes();
                    changes.extend(set.changes);
                    mark = set.mark;
                    rooms.push(set.room);
                }
                other => {
                    queue.put_back(other);
                    break;
                }
            }
        }
        let mut batch = sled::Batch::default();
        for block in layout::change_blocks(changes)? {
            batch.insert(layout::change_key(self.place.next_change), self.packer.pack(&block)?);
            self.place.next_change += 1;
        }
        batch.insert(layout::MARK, codec::encode(Content::DiskMark, &mark)?);
        self.db.apply_batch(batch)?;
        self.progress.stored_index.store(index_of(&mark), Ordering::Relaxed);
        Ok(())
    }

    /// Lays a new ground while changes go on; they are counted as coming after it.
    fn lay(&mut self, list: &List, queue: &mut Queue) -> io::Result<()> {
        let ground = self.place.next_ground();
        if let Some(records) = self.write_blocks(ground, list, |writer| writer.serve(queue))? {
            self.db.insert(layout::GROUND, codec::encode(Content::Ground, &ground)?)?;
            self.grounded(ground, records);
            self.sweep(queue)?;
        }
        self.progress.laying.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// The old list stays the one on the disk until the new one is whole.
    fn replace(&mut self, mark: &DiskMark, list: &List, queue: &mut Queue) -> io::Result<()> {
        let ground = self.place.next_ground();
        let records = self.write_blocks(ground, list, |_| Ok(Then::GoOn))?;
        let mut batch = sled::Batch::default();
        batch.insert(layout::GROUND, codec::encode(Content::Ground, &ground)?);
        batch.insert(layout::MARK, codec::encode(Content::DiskMark, mark)?);
        self.db.apply_batch(batch)?;
        self.grounded(ground, records.unwrap_or_default());
        self.progress.stored_index.store(index_of(mark), Ordering::Relaxed);
        self.sweep(queue)
    }

    /// Writes the blocks of a ground; gives the number of records, or nothing when it was to be given up.
    fn write_blocks(
        &mut self,
        ground: Ground,
        list: &List,
        mut between: impl FnMut(&mut Writer) -> io::Result<Then>,
    ) -> io::Result<Option<u64>> {
        let (mut cut, mut batch, mut number, mut records) =
            (Blocks::default(), sled::Batch::default(), 0_u32, 0);
        let mut encoder = Encoder::default();
        for record in list.records() {
            records += 1;
            let stored = Bytes::copy_from_slice(encoder.encode(&record)?);
            let Some(block) = cut.push(stored)? else { continue };
            batch.insert(layout::block_key(ground.generation, number), self.packer.pack(&block)?);
            number += 1;
            if (number as usize).is_multiple_of(BATCH_BLOCKS) {
                self.db.apply_batch(std::mem::take(&mut batch))?;
                if between(self)? == Then::GiveUp {
                    return Ok(None);
                }
            }
        }
        if let Some(block) = cut.finish()? {
            batch.insert(layout::block_key(ground.generation, number), self.packer.pack(&block)?);
        }
        self.db.apply_batch(batch)?;
        Ok(Some(records))
    }

    fn grounded(&mut self, ground: Ground, records: u64) {
        self.place.ground = ground;
        self.progress.grounded.store(records, Ordering::Relaxed);
    }

    /// Removes what the ground does not name, while changes go on. What is left is swept at the next start.
    fn sweep(&mut self, queue: &mut Queue) -> io::Result<()> {
        for range in self.place.ground.strangers() {
            loop {
                let mut batch = sled::Batch::default();
                let mut found = 0;
                for key in self.db.range(range.clone()).keys().take(BATCH_BLOCKS) {
                    batch.remove(key?);
                    found += 1;
                }
                if found == 0 {
                    break;
                }
                self.db.apply_batch(batch)?;
                if self.serve(queue)? == Then::GiveUp {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Does what has come meanwhile, as far as it goes together with something that takes long.
    fn serve(&mut self, queue: &mut Queue) -> io::Result<Then> {
        while let Some(work) = queue.next_now() {
            match work {
                Work::Apply(first) => self.join(first, Instant::now(), queue)?,
                Work::Flush(done) => drop(done.send(self.flush())),
                other => {
                    queue.put_back(other);
                    return Ok(Then::GiveUp);
                }
            }
        }
        Ok(Then::GoOn)
    }

    /// Flushes and lets go of the directory: whoever waits may open it next. sled unlocks it when it is dropped and
    /// what its own threads have begun is done.
    fn close(self) -> io::Result<()> {
        self.flush()?;
        drop(self.db);
        File::open(&self.file)?.lock()
    }

    /// sled's own flush leaves the data in the page cache; the sync of its file brings it to the disk.
    fn flush(&self) -> io::Result<()> {
        self.db.flush()?;
        File::open(&self.file)?.sync_data()
    }
}
