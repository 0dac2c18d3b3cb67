//! sled: the list on disk, exactly as it was at some index. One thread writes it, behind the list in memory;
//! it may lag, because the log holds the rest.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::blocklist::List;
use crate::codec::{self, Content};
use crate::form;
use crate::store::damage::{Unopened, opening};
use crate::store::digest::{StateDigest, encode};
use crate::store::keys;

/// Keys in one sled batch, beyond which no further change set is joined to it. Beyond about 350 sled keeps what it
/// wrote in memory: a million random keys in batches of 320 leave it at 86 MB, of 512 at 1 GB.
const BATCH_KEYS: usize = 320;
/// Changed keys that may wait for the writer; beyond it, applying waits.
const QUEUE_KEYS_MAX: usize = 65_536;
/// Damaged directories that are kept for whoever wants to look at them.
const ASIDE_MAX: usize = 2;

/// Where sled is: written in the same batch as what it describes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DiskMark {
    pub(crate) last_applied: Option<form::LogId>,
    pub(crate) membership: form::StoredMembership,
    /// Of the list at this place.
    pub(crate) digest: StateDigest,
}

/// A key of sled with its new value; none when the record is gone.
pub(crate) type StoredChange = (Vec<u8>, Option<Vec<u8>>);

/// The changes of some consecutive log entries, and the mark after them.
struct ChangeSet {
    mark: DiskMark,
    changes: Vec<StoredChange>,
    _room: OwnedSemaphorePermit,
}

enum Work {
    Apply(ChangeSet),
    Replace { mark: DiskMark, list: Box<List> },
    Flush(oneshot::Sender<io::Result<()>>),
    Close(oneshot::Sender<io::Result<()>>),
}

/// Handle on the writer thread; it ends when the last handle is dropped.
#[derive(Clone)]
pub(crate) struct Disk {
    work: mpsc::UnboundedSender<Work>,
    room: Arc<Semaphore>,
    stored_index: Arc<AtomicU64>,
}

impl Disk {
    /// Opens sled and loads the list that it holds. A directory that is damaged, or that a crash left half
    /// replaced, is set aside (`set_aside` is its new path), and an empty one takes its place. A disk that
    /// refuses is no damage: then the directory stays as it is.
    pub(crate) fn open(
        dir: &Path,
        cache_bytes: u64,
        failed: oneshot::Sender<io::Error>,
    ) -> Result<(Disk, DiskMark, List, Option<PathBuf>), Unopened> {
        fs::create_dir_all(dir)?;
        let (db, mark, list, set_aside) = match opening(|| open_and_load(dir, cache_bytes)) {
            Ok((db, mark, list)) => (db, mark, list, None),
            Err(refused @ Unopened::Refused(_)) => return Err(refused),
            Err(Unopened::Damaged(why)) => {
                tracing::error!(why, "the stored list is damaged; it is set aside");
                let aside = set_aside(dir)?;
                let db = open_sled(dir, cache_bytes)?;
                (db, DiskMark::default(), List::default(), Some(aside))
            }
        };
        let disk = Disk::spawn(db, dir.join("db"), index_of(&mark), failed)?;
        Ok((disk, mark, list, set_aside))
    }

    fn spawn(db: sled::Db, file: PathBuf, at: u64, failed: oneshot::Sender<io::Error>) -> io::Result<Disk> {
        let (work, queue) = mpsc::unbounded_channel();
        let stored_index = Arc::new(AtomicU64::new(at));
        let writer = Writer { db, file, stored_index: stored_index.clone() };
        thread::Builder::new().name("sled-writer".into()).spawn(move || {
            if let Err(error) = writer.run(queue) {
                // Nobody listening means that the node is ending already.
                drop(failed.send(error));
            }
        })?;
        Ok(Disk { work, room: Arc::new(Semaphore::new(QUEUE_KEYS_MAX)), stored_index })
    }

    /// The index that sled holds.
    pub(crate) fn stored_index(&self) -> u64 {
        self.stored_index.load(Ordering::Relaxed)
    }

    /// Hands on what changed; waits while too much is waiting already.
    pub(crate) async fn apply(&self, mark: DiskMark, changes: Vec<StoredChange>) -> io::Result<()> {
        let keys = u32::try_from(changes.len().clamp(1, QUEUE_KEYS_MAX)).map_err(io::Error::other)?;
        let room = self.room.clone().acquire_many_owned(keys).await.map_err(io::Error::other)?;
        self.send(Work::Apply(ChangeSet { mark, changes, _room: room }))
    }

    /// Replaces all of it with another list.
    pub(crate) fn replace(&self, mark: DiskMark, list: List) -> io::Result<()> {
        self.send(Work::Replace { mark, list: Box::new(list) })
    }

    /// Returns when everything handed on so far is on the disk itself.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        self.send(Work::Flush(done))?;
        wait.await.map_err(|_| io::Error::other("the list's writer has stopped"))?
    }

    /// Brings everything handed on so far to the disk and lets go of the directory.
    pub(crate) async fn close(&self) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        self.send(Work::Close(done))?;
        wait.await.map_err(|_| io::Error::other("the list's writer has stopped"))?
    }

    fn send(&self, work: Work) -> io::Result<()> {
        self.work.send(work).map_err(|_| io::Error::other("the list's writer has stopped"))
    }
}

fn index_of(mark: &DiskMark) -> u64 {
    mark.last_applied.map_or(0, |id| id.index)
}

fn open_sled(dir: &Path, cache_bytes: u64) -> Result<sled::Db, Unopened> {
    // sled refuses to open beside a snapshot of its own that a crash left unfinished (sled#1527).
    for item in fs::read_dir(dir)? {
        let path = item?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(".generating")) {
            fs::remove_file(path)?;
        }
    }
    Ok(sled::Config::new().path(dir).cache_capacity(cache_bytes).flush_every_ms(None).open()?)
}

fn open_and_load(dir: &Path, cache_bytes: u64) -> Result<(sled::Db, DiskMark, List), Unopened> {
    let db = open_sled(dir, cache_bytes)?;
    let mark = db.get(keys::MARK)?;
    let mark = mark.map(|bytes| codec::decode::<DiskMark>(Content::DiskMark, &bytes)).transpose()?;
    let mut list = List::default();
    let mut digest = StateDigest::default();
    for item in db.iter() {
        let (key, value) = item?;
        if key != keys::MARK {
            digest.put(&value);
            list.restore(codec::decode(Content::Record, &value)?);
        }
    }
    match mark {
        Some(mark) if mark.digest != digest => {
            Err(Unopened::Damaged("its records are not those that were written".into()))
        }
        Some(mark) => Ok((db, mark, list)),
        None if db.is_empty() => Ok((db, DiskMark::default(), list)),
        None => Err(Unopened::Damaged("it was being replaced when the node ended".into())),
    }
}

/// Moves a directory out of the way, to a name that is free; only the newest of those are kept.
fn set_aside(dir: &Path) -> io::Result<PathBuf> {
    let mut kept = aside(dir)?;
    let number = kept.last_key_value().map_or(1, |(last, _)| last + 1);
    let path = dir.with_extension(format!("aside.{number}"));
    fs::rename(dir, &path)?;
    fs::create_dir_all(dir)?;
    while kept.len() >= ASIDE_MAX {
        let Some((_, oldest)) = kept.pop_first() else { break };
        fs::remove_dir_all(oldest)?;
    }
    Ok(path)
}

/// The directories that were set aside before, by their number.
fn aside(dir: &Path) -> io::Result<BTreeMap<u64, PathBuf>> {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut found = BTreeMap::new();
    for item in fs::read_dir(dir.parent().unwrap_or(dir))? {
        let path = item?.path();
        let own = path.file_name().and_then(|file| file.to_str()).and_then(|file| file.strip_prefix(name));
        if let Some(number) = own.and_then(|rest| rest.strip_prefix(".aside.")?.parse().ok()) {
            found.insert(number, path);
        }
    }
    Ok(found)
}

struct Writer {
    db: sled::Db,
    file: PathBuf,
    stored_index: Arc<AtomicU64>,
}

impl Writer {
    fn run(self, mut queue: mpsc::UnboundedReceiver<Work>) -> io::Result<()> {
        let mut next = queue.blocking_recv();
        while let Some(work) = next.take() {
            match work {
                Work::Apply(first) => next = self.join(first, &mut queue)?,
                Work::Replace { mark, list } => self.replace(&mark, &list)?,
                Work::Flush(done) => drop(done.send(self.flush())),
                Work::Close(done) => {
                    let flushed = self.flush();
                    // sled unlocks its directory when it is dropped; whoever waits may open it next.
                    drop(self);
                    drop(done.send(flushed));
                    return Ok(());
                }
            }
            if next.is_none() {
                next = queue.blocking_recv();
            }
        }
        self.flush()
    }

    /// Joins consecutive change sets into one atomic batch; returns what came after them.
    fn join(&self, first: ChangeSet, queue: &mut mpsc::UnboundedReceiver<Work>) -> io::Result<Option<Work>> {
        let mut keys: BTreeMap<_, _> = first.changes.into_iter().collect();
        let mut mark = first.mark;
        let mut rooms = vec![first._room];
        let mut after = None;
        loop {
            match queue.try_recv() {
                Ok(Work::Apply(set)) if keys.len() + set.changes.len() <= BATCH_KEYS => {
                    keys.extend(set.changes);
                    mark = set.mark;
                    rooms.push(set._room);
                }
                Ok(other) => {
                    after = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        let mut batch = sled::Batch::default();
        for (key, value) in keys {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch.insert(keys::MARK, codec::encode(Content::DiskMark, &mark)?);
        self.db.apply_batch(batch)?;
        self.stored_index.store(index_of(&mark), Ordering::Relaxed);
        Ok(after)
    }

    /// Without a mark sled counts as unfinished, so a crash in here means that it is rebuilt.
    fn replace(&self, mark: &DiskMark, list: &List) -> io::Result<()> {
        self.db.remove(keys::MARK)?;
        self.db.flush()?;
        self.db.clear()?;
        let mut batch = sled::Batch::default();
        let mut size = 0;
        for record in list.records() {
            batch.insert(keys::record(&record.key()), encode(&record)?);
            size += 1;
            if size == BATCH_KEYS {
                self.db.apply_batch(std::mem::take(&mut batch))?;
                size = 0;
            }
        }
        batch.insert(keys::MARK, codec::encode(Content::DiskMark, mark)?);
        self.db.apply_batch(batch)?;
        self.stored_index.store(index_of(mark), Ordering::Relaxed);
        Ok(())
    }

    /// sled's own flush leaves the data in the page cache; the sync of its file brings it to the disk.
    fn flush(&self) -> io::Result<()> {
        self.db.flush()?;
        File::open(&self.file)?.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path) -> Result<(Disk, DiskMark, Option<PathBuf>), Unopened> {
        let (failed, _) = oneshot::channel();
        Disk::open(dir, 1 << 20, failed).map(|(disk, mark, _, aside)| (disk, mark, aside))
    }

    fn mark(index: u64) -> DiskMark {
        DiskMark { last_applied: Some(form::LogId { term: 1, node: 1, index }), ..DiskMark::default() }
    }

    /// A directory that holds an empty list at index 7.
    async fn stored(home: &Path) -> PathBuf {
        let dir = home.join("list");
        let (disk, _, aside) = open(&dir).unwrap();
        assert_eq!(aside, None);
        disk.apply(mark(7), Vec::new()).await.unwrap();
        disk.close().await.unwrap();
        dir
    }

    #[tokio::test]
    async fn an_unfinished_snapshot_of_sled_itself_does_no_harm() {
        let home = tempfile::tempdir().unwrap();
        let dir = stored(home.path()).await;
        fs::write(dir.join("snap.000000000000FFFF.generating"), [0x5a; 100]).unwrap();
        let (disk, found, aside) = open(&dir).unwrap();
        assert_eq!((found, aside), (mark(7), None));
        disk.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_damaged_directory_is_set_aside_and_two_of_them_are_kept() {
        let home = tempfile::tempdir().unwrap();
        let dir = stored(home.path()).await;
        for round in 1..=4 {
            for file in ["conf", "db"] {
                fs::write(dir.join(file), vec![0x5a; 4096 * round]).unwrap();
            }
            let (disk, found, aside) = open(&dir).unwrap();
            assert_eq!(found, DiskMark::default());
            assert_eq!(aside, Some(home.path().join(format!("list.aside.{round}"))));
            disk.close().await.unwrap();
        }
        let kept: Vec<u64> = aside(&dir).unwrap().into_keys().collect();
        assert_eq!(kept, [3, 4]);
    }

    /// Whatever byte of sled's files is not what it was, what comes of it is never a panic, a refusal to start, or
    /// a list that never was: the mark and its digest belong to what was found. sled takes some damage for an
    /// unfinished write and opens as it was before, here empty; the log brings such a list up.
    #[tokio::test]
    async fn no_damage_to_sled_ends_a_start() {
        let home = tempfile::tempdir().unwrap();
        let dir = stored(home.path()).await;
        let names: Vec<PathBuf> = fs::read_dir(&dir)
            .unwrap()
            .map(|item| item.unwrap().path())
            .filter(|path| path.is_file())
            .collect();
        let whole: Vec<Vec<u8>> = names.iter().map(|path| fs::read(path).unwrap()).collect();
        for (path, bytes) in names.iter().zip(&whole) {
            for at in (0..bytes.len().min(512)).step_by(7) {
                fs::remove_dir_all(&dir).unwrap();
                fs::create_dir_all(&dir).unwrap();
                for (path, bytes) in names.iter().zip(&whole) {
                    fs::write(path, bytes).unwrap();
                }
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x10;
                fs::write(path, flipped).unwrap();
                let (disk, found, aside) = open(&dir).unwrap();
                let whole = aside.is_none() && found == mark(7);
                assert!(whole || found == DiskMark::default(), "byte {at} of {}: {found:?}", path.display());
                disk.close().await.unwrap();
            }
        }
    }
}
