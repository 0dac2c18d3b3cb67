//! The vote and the log, in `raft-log`, and beside it the committed index. Each append is a flush of its own: what comes
//! meanwhile is put together before, in the outbox.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use parking_lot::Mutex;
use raft_log::RaftLog;
use raft_log::api::raft_log_writer::RaftLogWriter;
use tokio::sync::oneshot;

use crate::form;
use crate::store::committed::CommittedFile;
use crate::store::damage::{Unopened, opening};
use crate::store::log_types::{Flushed, LogTypes, StoredLogId, StoredPayload, StoredVote, payload_bytes};
use crate::store::tail;
use crate::types::{Entry, LogId, TypeConfig, Vote};

/// Log payloads kept in memory, in bytes; older ones are read from disk.
const CACHE_BYTES_MAX: usize = 4 << 20;
/// Log payloads kept in memory, in entries.
const CACHE_ENTRIES_MAX: usize = 16_384;
/// A log file is closed at this size; a closed file goes when all of it is purged. Payloads of the file that is open are
/// in memory beside those of the cache.
const FILE_BYTES_MAX: usize = 4 << 20;
/// A log file is closed at this many records.
const FILE_RECORDS_MAX: usize = 100_000;
/// One read of the log stops at this many bytes of payload, after at least one entry.
const READ_BYTES_MAX: usize = 4 << 20;

/// Handle on the log; clones share it.
#[derive(Clone)]
pub(crate) struct LogStore {
    log: Arc<Mutex<RaftLog<LogTypes>>>,
    committed: Arc<CommittedFile>,
}

impl LogStore {
    /// Opens or makes the log in a directory. A record torn at the end by a crash is cut off; any other damage is
    /// an error, because what was acknowledged may be lost with it.
    pub(crate) fn open(dir: &Path) -> Result<LogStore, Unopened> {
        std::fs::create_dir_all(dir)?;
        tail::check::<LogTypes>(dir)?;
        let mut config = raft_log::Config::new(dir.display());
        config.log_cache_capacity = Some(CACHE_BYTES_MAX);
        config.log_cache_max_items = Some(CACHE_ENTRIES_MAX);
        config.wal.chunk_max_size = Some(FILE_BYTES_MAX);
        config.wal.chunk_max_records = Some(FILE_RECORDS_MAX);
        config.wal.flush_batch_wait = Some(Duration::ZERO);
        config.wal.truncate_incomplete_record = Some(true);
        let log = opening(|| RaftLog::open(Arc::new(config)).map_err(not_replayed))?;
        let committed = Arc::new(CommittedFile::open(&dir.with_extension("committed"))?);
        let store = LogStore { log: Arc::new(Mutex::new(log)), committed };
        store.check_start()?;
        Ok(store)
    }

    /// The log begins where the purged part ends. A lost first file would else be a hole that nobody notices.
    fn check_start(&self) -> Result<(), Unopened> {
        let (last, purged) = self.bounds();
        let first = purged.map_or(0, |id| id.index + 1);
        if last.is_some_and(|last| last.index >= first) && self.read(first, first + 1, 0)?.is_empty() {
            return Err(Unopened::Damaged(format!("the entry {first} is missing")));
        }
        Ok(())
    }

    /// The last id in the log, and the last one purged from it.
    pub(crate) fn bounds(&self) -> (Option<LogId>, Option<LogId>) {
        let log = self.log.lock();
        let state = log.log_state();
        (state.last().map(|id| LogId::from(id.0)), state.purged().map(|id| LogId::from(id.0)))
    }

    /// Waits until all that was written so far is on disk.
    async fn flushed(&self) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.log.lock().flush(true, Some(Flushed::Signal(sender)))?;
        receiver.await.map_err(|_| io::Error::other("the log's writer has stopped"))?
    }

    /// Whether the log has this entry and no other one at its index.
    fn holds(&self, id: form::LogId) -> io::Result<bool> {
        let (Some(last), purged) = self.bounds() else { return Ok(false) };
        if purged.is_some_and(|purged| id.index <= purged.index) || id.index > last.index {
            return Ok(false);
        }
        let found = self.read(id.index, id.index + 1, 0)?;
        Ok(found.first().is_some_and(|entry| entry.log_id == LogId::from(id)))
    }

    fn read(&self, from: u64, to: u64, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let log = self.log.lock();
        let mut entries = Vec::new();
        let mut bytes = 0;
        for item in log.read(from, to) {
            let (id, payload) = item?;
            bytes += payload_bytes(&payload.0);
            entries.push(form::Entry { log_id: id.0, payload: payload.0 }.into());
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(entries)
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
        Ok(self.log.lock().log_state().vote().map(|vote| Vote::from(vote.0)))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(start, end, READ_BYTES_MAX)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let (last_log_id, last_purged_log_id) = self.bounds();
        Ok(LogState { last_purged_log_id, last_log_id: last_log_id.max(last_purged_log_id) })
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.log.lock().save_vote(StoredVote(vote.into()))?;
        self.flushed().await
    }

    /// Not waited for: a lost committed index only means that less is applied again before the leader says
    /// how far it is. In the log it stands with what is appended next.
    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let Some(id) = committed.map(|id| StoredLogId((&id).into())) else { return Ok(()) };
        let mut log = self.log.lock();
        if log.log_state().last().is_some_and(|last| id <= *last) {
            log.commit(id)?;
            self.committed.write(id.0)?;
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        let logged = self.log.lock().log_state().committed().map(|id| id.0);
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
        let mut log = self.log.lock();
        log.append(entries.into_iter().map(|entry| {
            let entry = form::Entry::from(&entry);
            (StoredLogId(entry.log_id), StoredPayload(entry.payload))
        }))?;
        log.flush(true, Some(Flushed::Raft(callback)))
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let from = last.map_or(0, |id| id.index + 1);
        {
            let mut log = self.log.lock();
            if log.log_state().last().is_none_or(|last| last.0.index < from) {
                return Ok(());
            }
            log.truncate(from)?;
        }
        self.flushed().await
    }

    async fn purge(&mut self, id: LogId) -> io::Result<()> {
        self.log.lock().purge(StoredLogId((&id).into()))?;
        self.flushed().await
    }
}

/// Records that are whole and do not follow each other are damage like broken ones; `raft-log` has no kind for it.
fn not_replayed(error: io::Error) -> Unopened {
    match error.kind() {
        io::ErrorKind::Other => Unopened::Damaged(error.to_string()),
        _ => error.into(),
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use openraft::entry::RaftEntry;
    use openraft::testing::log_id;

    use super::*;
    use crate::codec::{self, Content};

    const ENTRIES: u64 = 4;

    /// A log of some entries, as a crash leaves it: closed without a word.
    async fn written(dir: &Path) {
        let mut store = LogStore::open(dir).unwrap();
        store.save_vote(&Vote::new(1, 1)).await.unwrap();
        for index in 0..ENTRIES {
            let entry = Entry::new_normal(log_id::<TypeConfig>(1, 1, index), batch(index));
            {
                let mut log = store.log.lock();
                let entry = form::Entry::from(&entry);
                log.append([(StoredLogId(entry.log_id), StoredPayload(entry.payload))]).unwrap();
            }
            store.flushed().await.unwrap();
        }
    }

    fn batch(index: u64) -> crate::types::EncodedBatch {
        crate::types::EncodedBatch(vec![b'a' + index as u8; 12].into())
    }

    fn only_file(dir: &Path) -> PathBuf {
        let files = fs::read_dir(dir).unwrap().map(|item| item.unwrap().path());
        let mut files: Vec<PathBuf> =
            files.filter(|path| path.extension().is_some_and(|e| e == "wal")).collect();
        assert_eq!(files.len(), 1);
        files.remove(0)
    }

    fn last(store: &LogStore) -> Option<u64> {
        store.bounds().0.map(|id| id.index)
    }

    #[tokio::test]
    async fn a_torn_tail_is_cut_and_what_was_before_it_stays() {
        let home = tempfile::tempdir().unwrap();
        written(home.path()).await;
        let file = only_file(home.path());
        let whole = fs::read(&file).unwrap();
        let record = 4 + 24 + 4 + codec_len() + 8;
        for missing in 1..=record {
            let dir = tempfile::tempdir().unwrap();
            let torn = dir.path().join(file.file_name().unwrap());
            fs::write(&torn, &whole[..whole.len() - missing]).unwrap();
            let store = LogStore::open(dir.path()).unwrap();
            assert_eq!(last(&store), Some(ENTRIES - 2), "{missing} bytes are missing");
        }
        // Space that was given to the file and never written.
        let dir = tempfile::tempdir().unwrap();
        let zeros = [&whole[..], &[0; 5000]].concat();
        fs::write(dir.path().join(file.file_name().unwrap()), zeros).unwrap();
        assert_eq!(last(&LogStore::open(dir.path()).unwrap()), Some(ENTRIES - 1));
    }

    /// What a node that is killed leaves behind, and nothing that it had still meant to write.
    fn killed(dir: &Path) -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let log = home.path().join("log");
        fs::create_dir(&log).unwrap();
        let file = only_file(dir);
        fs::copy(&file, log.join(file.file_name().unwrap())).unwrap();
        fs::copy(dir.with_extension("committed"), home.path().join("log.committed")).unwrap();
        (home, log)
    }

    #[tokio::test]
    async fn a_killed_node_knows_what_was_committed() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("log");
        written(&dir).await;
        let mut store = LogStore::open(&dir).unwrap();
        let id = |term, index| Some(log_id::<TypeConfig>(term, 1, index));
        for index in [1, 3] {
            store.save_committed(id(1, index)).await.unwrap();
            let (_home, copy) = killed(&dir);
            assert_eq!(LogStore::open(&copy).unwrap().read_committed().await.unwrap(), id(1, index));
        }
        // After a power loss the file may be ahead of the log, or of an entry that the log does not have.
        for strange in [id(1, ENTRIES), id(2, 2)] {
            let (_home, copy) = killed(&dir);
            let file = CommittedFile::open(&copy.with_extension("committed")).unwrap();
            file.write((&strange.unwrap()).into()).unwrap();
            assert_eq!(LogStore::open(&copy).unwrap().read_committed().await.unwrap(), None, "{strange:?}");
        }
    }

    /// The bytes of one of our payloads.
    fn codec_len() -> usize {
        codec::encode(Content::LogPayload, &form::Payload::Batch(batch(0).0)).unwrap().len()
    }

    /// `raft-log` alone takes a length that points behind the end for a torn tail, and cuts off all that follows.
    #[tokio::test]
    async fn a_flipped_bit_is_refused_wherever_it_is() {
        let home = tempfile::tempdir().unwrap();
        written(home.path()).await;
        let file = only_file(home.path());
        let whole = fs::read(&file).unwrap();
        for bit in 0..whole.len() * 8 {
            let dir = tempfile::tempdir().unwrap();
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(dir.path().join(file.file_name().unwrap()), &flipped).unwrap();
            match LogStore::open(dir.path()) {
                Err(Unopened::Damaged(_)) => {}
                Err(Unopened::Refused(error)) => panic!("bit {bit}: {error}"),
                Ok(store) => panic!("bit {bit} of {}: opened up to {:?}", whole.len() * 8, last(&store)),
            }
        }
    }

    #[tokio::test]
    async fn a_lost_or_emptied_file_is_refused() {
        let home = tempfile::tempdir().unwrap();
        written(home.path()).await;
        let first = only_file(home.path());
        // A torn tail: the next start goes on in a new file.
        let whole = fs::read(&first).unwrap();
        fs::write(&first, &whole[..whole.len() - 3]).unwrap();
        drop(LogStore::open(home.path()).unwrap());
        let files = fs::read_dir(home.path()).unwrap().map(|item| item.unwrap().path());
        assert_eq!(files.filter(|path| path.extension().is_some_and(|e| e == "wal")).count(), 2);

        let cut = fs::read(&first).unwrap();
        fs::write(&first, b"").unwrap();
        assert!(matches!(LogStore::open(home.path()), Err(Unopened::Damaged(_))), "an empty file");
        fs::remove_file(&first).unwrap();
        assert!(matches!(LogStore::open(home.path()), Err(Unopened::Damaged(_))), "a file is gone");
        fs::write(&first, cut).unwrap();
        assert_eq!(last(&LogStore::open(home.path()).unwrap()), Some(ENTRIES - 2));
    }
}
