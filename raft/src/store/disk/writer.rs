//! The thread that writes the list to sled, behind the list in memory.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use super::changes::{self, StoredChange};
use super::layout::{self, BATCH_BLOCKS, BLOCK_BYTES, Blocks, Ground, Place};
use super::packing::Packer;
use super::queue::{ChangeSet, Queue, Work};
use super::{DiskMark, Progress, index_of};
use crate::blocklist::List;
use crate::codec::{self, Content};
use crate::store::digest::Encoder;

/// Bytes beyond which no further change set is joined to a write, so that it is one small batch.
const JOINED_BYTES: usize = BATCH_BLOCKS * BLOCK_BYTES;

/// How long a change waits for others. Each batch goes through several threads of sled: with one for every commit of the
/// log they took a fifth of a busy node's time.
const GATHERING: Duration = Duration::from_millis(20);

/// sled, and where it is.
pub(super) struct Writer {
    pub(super) db: sled::Db,
    pub(super) file: PathBuf,
    pub(super) place: Place,
    pub(super) packer: Packer,
    pub(super) progress: Arc<Progress>,
    /// The block that is written now; kept for its room.
    pub(super) block: Vec<u8>,
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
                Work::Apply(first) => self.join(first, Some(GATHERING), &mut queue)?,
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

    /// Joins the change sets that have come, and those that come in this time, into one atomic batch. Anything else
    /// ends it. Changes do not wake this thread meanwhile: each time that would cost more than the change.
    fn join(
        &mut self,
        first: ChangeSet,
        mut gathering: Option<Duration>,
        queue: &mut Queue,
    ) -> io::Result<()> {
        let mut bytes = first.changes.bytes();
        let mut sets = vec![first];
        loop {
            match queue.next_now() {
                Some(Work::Apply(set)) if bytes + set.changes.bytes() <= JOINED_BYTES => {
                    bytes += set.changes.bytes();
                    sets.push(set);
                }
                Some(other) => {
                    queue.put_back(other);
                    break;
                }
                None => match gathering.take() {
                    Some(time) => queue.gather(time),
                    None => break,
                },
            }
        }
        let mut all: Vec<StoredChange<'_>> =
            Vec::with_capacity(sets.iter().map(|set| set.changes.len()).sum());
        all.extend(sets.iter().flat_map(|set| set.changes.iter()));
        let mut batch = sled::Batch::default();
        for some in changes::cut(&changes::last_of_each(all)) {
            changes::write(&mut self.block, some)?;
            batch.insert(layout::change_key(self.place.next_change), self.packer.pack(&self.block)?);
            self.place.next_change += 1;
        }
        if let Some(ChangeSet { mark, .. }) = sets.last() {
            batch.insert(layout::MARK, codec::encode(Content::DiskMark, mark)?);
            self.db.apply_batch(batch)?;
            self.progress.stored_index.store(index_of(mark), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Lays a new ground while changes go on; they are counted as coming after it.
    fn lay(&mut self, list: &List, queue: &mut Queue) -> io::Result<()> {
        let ground = self.place.next_ground();
        if self.write_blocks(ground, list, |writer| writer.serve(queue))? == Then::GoOn {
            self.db.insert(layout::GROUND, codec::encode(Content::Ground, &ground)?)?;
            self.place.ground = ground;
            self.sweep(queue)?;
        }
        self.progress.laying.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// The old list stays the one on the disk until the new one is whole.
    fn replace(&mut self, mark: &DiskMark, list: &List, queue: &mut Queue) -> io::Result<()> {
        let ground = self.place.next_ground();
        self.write_blocks(ground, list, |_| Ok(Then::GoOn))?;
        let mut batch = sled::Batch::default();
        batch.insert(layout::GROUND, codec::encode(Content::Ground, &ground)?);
        batch.insert(layout::MARK, codec::encode(Content::DiskMark, mark)?);
        self.db.apply_batch(batch)?;
        self.place.ground = ground;
        self.progress.stored_index.store(index_of(mark), Ordering::Relaxed);
        self.sweep(queue)
    }

    /// Writes the blocks of a ground, or some of them when it is given up.
    fn write_blocks(
        &mut self,
        ground: Ground,
        list: &List,
        mut between: impl FnMut(&mut Writer) -> io::Result<Then>,
    ) -> io::Result<Then> {
        let (mut cut, mut batch, mut number) = (Blocks::default(), sled::Batch::default(), 0_u32);
        let mut encoder = Encoder::default();
        for record in list.records() {
            let stored = Bytes::copy_from_slice(encoder.encode(&record)?);
            let Some(block) = cut.push(stored)? else { continue };
            batch.insert(layout::block_key(ground.generation, number), self.packer.pack(&block)?);
            number += 1;
            if (number as usize).is_multiple_of(BATCH_BLOCKS) {
                self.db.apply_batch(std::mem::take(&mut batch))?;
                if between(self)? == Then::GiveUp {
                    return Ok(Then::GiveUp);
                }
            }
        }
        if let Some(block) = cut.finish()? {
            batch.insert(layout::block_key(ground.generation, number), self.packer.pack(&block)?);
        }
        self.db.apply_batch(batch)?;
        Ok(Then::GoOn)
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
                Work::Apply(first) => self.join(first, None, queue)?,
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
