//! The vote and the log, in files of their own, and beside them the committed index.
//!
//! `record` is what stands in the log, `frame` what one flush brings to the disk, `files` are made and read by name,
//! `places` tells where an entry stands in them, `memory` has the last entries and what goes to the disk next, and
//! `writer` is the thread that brings it there. `earlier` reads the log of builds before this form.

mod earlier;
mod files;
mod frame;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzed;
mod memory;
mod places;
mod record;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt::Debug;
use std::fs::{File, TryLockError};
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::codec::{self, Content};
use crate::form;
use crate::store::committed::CommittedFile;
use crate::store::damage::Unopened;
use crate::store::log::files::{LogFile, Read, Spare};
use crate::store::log::memory::{Memory, Part};
use crate::store::log::places::Places;
use crate::store::log::record::{Record, State};
use crate::store::log::writer::{Flushed, Shared, Writer};
use crate::types::{Entry, LogId, TypeConfig, Vote};

/// A file has this length from the start; one goes when all of it is purged.
const FILE_BYTES: u64 = 4 << 20;
/// One read of the log stops at this many bytes of payload, after at least one entry.
const READ_BYTES_MAX: usize = 4 << 20;
/// Nobody else works in the directory while this file is locked.
const LOCK: &str = "LOCK";

/// Handle on the log; clones share it.
#[derive(Clone)]
pub(crate) struct LogStore {
    log: Arc<Log>,
    committed: Arc<CommittedFile>,
}

struct Log {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    /// Held for as long as the log is open.
    _lock: File,
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.memory.lock().closing = true;
        self.shared.work.notify_one();
        drop(self.writer.take().map(JoinHandle::join));
    }
}

impl LogStore {
    /// Opens or makes the log in a directory. A frame torn at the end by a crash is cut off; any other damage is
    /// an error, because what was acknowledged may be lost with it.
    pub(crate) fn open(dir: &Path) -> Result<LogStore, Unopened> {
        LogStore::open_with(dir, FILE_BYTES)
    }

    fn open_with(dir: &Path, file_bytes: u64) -> Result<LogStore, Unopened> {
        std::fs::create_dir_all(dir)?;
        let lock = lock(dir)?;
        earlier::bring_over(dir)?;
        let (state, places, file) = match files::read(dir)? {
            Some(Read { state, places, last }) => (state, places, last),
            None => {
                // The directory may be new, too.
                File::open(dir.join(".."))?.sync_all()?;
                let (state, mut places) = (State::default(), Places::new(dir));
                places.begun(0, &state);
                (state, places, LogFile::begin(dir, Spare::new(dir, file_bytes).take(0)?, 0, state)?)
            }
        };
        let memory = Mutex::new(Memory::new(state, places));
        let shared = Arc::new(Shared { memory, work: Condvar::new() });
        let writer = Writer::new(dir, file, file_bytes);
        let of_writer = Arc::clone(&shared);
        let run = move || writer.run(&of_writer);
        let thread = thread::Builder::new().name("log".into()).spawn(run)?;
        let committed = Arc::new(CommittedFile::open(&dir.with_extension("committed"))?);
        Ok(LogStore { log: Arc::new(Log { shared, writer: Some(thread), _lock: lock }), committed })
    }

    /// The last id in the log, and the last one purged from it.
    pub(crate) fn bounds(&self) -> (Option<LogId>, Option<LogId>) {
        let state = self.state();
        (state.last.map(LogId::from), state.purged.map(LogId::from))
    }

    fn state(&self) -> State {
        self.log.shared.memory.lock().state
    }

    /// Adds records, and has somebody told when they are on disk.
    fn write(&self, waiting: Flushed, add: impl FnOnce(&mut Memory) -> io::Result<()>) -> io::Result<()> {
        let mut memory = self.log.shared.memory.lock();
        add(&mut memory)?;
        memory.tell(waiting)?;
        drop(memory);
        self.log.shared.work.notify_one();
        Ok(())
    }

    /// Adds a record, and waits until it is on disk.
    async fn written(&self, record: Record<'_>) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.write(Flushed::Signal(sender), |memory| memory.put(&record))?;
        receiver.await.map_err(|_| io::Error::other("the log's writer has stopped"))?
    }

    /// Whether the log has this entry and no other one at its index.
    fn holds(&self, id: form::LogId) -> io::Result<bool> {
        let found = self.read(id.index, id.index.saturating_add(1), 0)?;
        Ok(found.first().is_some_and(|entry| entry.log_id == LogId::from(id)))
    }

    fn read(&self, from: u64, to: u64, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let parts = self.log.shared.memory.lock().parts(from, to, bytes_max)?;
        let mut entries = Vec::new();
        for part in parts {
            match part {
                Part::Recent(recent) => entries.extend(recent),
                Part::Stored(run) => run.read(|mut bytes| {
                    entries.push(stored(&mut bytes)?);
                    Ok(())
                })?,
            }
        }
        Ok(entries)
    }
}

/// An entry, out of its record.
fn stored(bytes: &mut &[u8]) -> io::Result<Entry> {
    match Record::take(bytes)? {
        Some(Record::Entry(log_id, payload)) => {
            let payload = codec::decode(Content::LogPayload, payload)?;
            Ok(form::Entry { log_id, payload }.into())
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "an entry of the log is not what was written")),
    }
}

fn lock(dir: &Path) -> io::Result<File> {
    let file = File::options().write(true).create(true).truncate(false).open(dir.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let why = format!("{} is in use by another process", dir.display());
            Err(io::Error::new(io::ErrorKind::WouldBlock, why))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> io::Result<Vec<Entry>>
    where
        RB: RangeBounds<u64> + Clone + Debug + Send,
    {
        let (from, to) = half_open(range);
        self.read(from, to, usize::MAX)
    }

    /// What is applied again at a start may be long: it is read in parts.
    async fn entries_stream<RB>(&mut self, range: RB) -> impl Stream<Item = io::Result<Entry>> + Send
    where
        RB: RangeBounds<u64> + Clone + Debug + Send,
    {
        let (from, to) = half_open(range);
        let store = self.clone();
        let parts = stream::try_unfold(from, move |from| {
            let part = if from < to { store.read(from, to, READ_BYTES_MAX) } else { Ok(Vec::new()) };
            std::future::ready(part.map(|part| {
                let next = from + part.len() as u64;
                (!part.is_empty()).then_some((stream::iter(part.into_iter().map(Ok)), next))
            }))
        });
        parts.try_flatten().boxed()
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.state().vote.map(Vote::from))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(start, end, READ_BYTES_MAX)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let (last_log_id, last_purged_log_id) = self.bounds();
        Ok(LogState { last_purged_log_id, last_log_id })
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.written(Record::Vote(vote.into())).await
    }

    /// Not waited for: a lost committed index only means that less is applied again before the leader says
    /// how far it is. In the log it stands with what is appended next.
    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let Some(id) = committed.as_ref().map(form::LogId::from) else { return Ok(()) };
        let mut memory = self.log.shared.memory.lock();
        if memory.state.last.is_some_and(|last| id <= last) {
            memory.put(&Record::Committed(id))?;
            self.committed.write(id)?;
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        let logged = self.state().committed;
        let written = match self.committed.read()? {
            Some(id) if self.holds(id)? => Some(id),
            _ => None,
        };
        Ok([logged, written].into_iter().flatten().max_by_key(|id| id.index).map(LogId::from))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        self.write(Flushed::Raft(callback), |memory| {
            entries.into_iter().try_for_each(|entry| memory.append(entry))
        })
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let last = last.as_ref().map(form::LogId::from);
        if self.state().last.map(|id| id.index) <= last.map(|id| id.index) {
            return Ok(());
        }
        self.written(Record::Truncated(last)).await
    }

    async fn purge(&mut self, id: LogId) -> io::Result<()> {
        self.written(Record::Purged((&id).into())).await
    }
}

fn half_open(range: impl RangeBounds<u64>) -> (u64, u64) {
    let from = match range.start_bound() {
        Bound::Included(index) => *index,
        Bound::Excluded(index) => index.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(index) => index.saturating_add(1),
        Bound::Excluded(index) => *index,
        Bound::Unbounded => u64::MAX,
    };
    (from, to)
}
