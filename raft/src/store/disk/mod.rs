//! sled: the list on disk, exactly as it was at some index. One thread writes it, behind the list in memory;
//! it may lag, because the log holds the rest.
//!
//! `layout` says how a list lies in sled, `changes` what is written behind it, `packing` makes it small, `load` reads
//! it, `writer` is the thread, and `queue` what it is told.

mod changes;
mod layout;
mod load;
mod packing;
mod queue;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, oneshot};

use crate::blocklist::List;
use crate::form;
use crate::store::damage::{Unopened, opening};
use crate::store::digest::StateDigest;
pub(crate) use changes::StoredChanges;
#[cfg(any(test, fuzzing))]
pub(crate) use changes::again as changes_again;
use load::Loaded;
use packing::Packer;
#[cfg(any(test, fuzzing))]
pub(crate) use packing::unpack;
use queue::{ChangeSet, Entrance, Work, queue};
use writer::Writer;

/// Changed keys that may wait for the writer; beyond it, applying waits.
const QUEUE_KEYS_MAX: usize = 65_536;
/// Changes after which a new ground is laid at the earliest; a start reads them all into memory.
const CHANGES_MIN: u64 = 131_072;
/// A new ground is laid once there are so many times as many changes as entries: each is a whole list, written anew. A
/// list that only grows has fewer, and is not written twice.
const CHANGES_PER_ENTRY: u64 = 2;
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

/// How far the writer is.
#[derive(Debug, Default)]
struct Progress {
    stored_index: AtomicU64,
    /// Changes handed on since a ground was asked for.
    changed: AtomicU64,
    /// A ground is asked for and not laid yet.
    laying: AtomicBool,
}

/// Handle on the writer thread; it ends when the last handle is dropped.
#[derive(Clone)]
pub(crate) struct Disk {
    work: Entrance,
    room: Arc<Semaphore>,
    progress: Arc<Progress>,
}

impl Disk {
    /// Opens sled and loads the list that it holds. A directory that is damaged is set aside (`set_aside` is its
    /// new path), and an empty one takes its place. A disk that refuses is no damage: then the directory stays as
    /// it is.
    pub(crate) fn open(
        dir: &Path,
        cache_bytes: u64,
        failed: oneshot::Sender<io::Error>,
    ) -> Result<(Disk, DiskMark, List, Option<PathBuf>), Unopened> {
        fs::create_dir_all(dir)?;
        let (loaded, set_aside) = match opening(|| load::open(dir, cache_bytes)) {
            Ok(loaded) => (loaded, None),
            Err(refused @ Unopened::Refused(_)) => return Err(refused),
            Err(Unopened::Damaged(why)) => {
                tracing::error!(why, "the stored list is damaged; it is set aside");
                let aside = set_aside(dir)?;
                (Loaded::empty(load::open_sled(dir, cache_bytes)?), Some(aside))
            }
        };
        let Loaded { db, mark, list, place, changed } = loaded;
        let progress = Arc::new(Progress {
            stored_index: AtomicU64::new(index_of(&mark)),
            changed: AtomicU64::new(changed),
            laying: AtomicBool::new(false),
        });
        let (work, queue) = queue();
        let (file, packer) = (dir.join("db"), Packer::new()?);
        let writer = Writer { db, file, place, packer, progress: progress.clone(), block: Vec::new() };
        thread::Builder::new().name("sled-writer".into()).spawn(move || {
            if let Err(error) = writer.run(queue) {
                // Nobody listening means that the node is ending already.
                drop(failed.send(error));
            }
        })?;
        let disk = Disk { work, room: Arc::new(Semaphore::new(QUEUE_KEYS_MAX)), progress };
        Ok((disk, mark, list, set_aside))
    }

    /// The index that sled holds.
    pub(crate) fn stored_index(&self) -> u64 {
        self.progress.stored_index.load(Ordering::Relaxed)
    }

    /// Hands on what changed to make the list what it is now; waits while too much is waiting already. The list itself
    /// is asked for when a new ground is to be laid, because it has so few entries for all that has changed.
    pub(crate) async fn apply(
        &self,
        mark: DiskMark,
        changes: StoredChanges,
        entries: usize,
        list: impl FnOnce() -> List,
    ) -> io::Result<()> {
        let keys = u32::try_from(changes.len().clamp(1, QUEUE_KEYS_MAX)).map_err(io::Error::other)?;
        let room = self.room.clone().acquire_many_owned(keys).await.map_err(io::Error::other)?;
        let changed = self.progress.changed.fetch_add(changes.len() as u64, Ordering::Relaxed);
        self.work.send(Work::Apply(ChangeSet { mark, changes, room }))?;
        let enough = (CHANGES_PER_ENTRY * entries as u64).max(CHANGES_MIN);
        if changed >= enough && !self.progress.laying.swap(true, Ordering::Relaxed) {
            self.progress.changed.store(0, Ordering::Relaxed);
            self.work.send(Work::Lay(Box::new(list())))?;
        }
        Ok(())
    }

    /// Replaces all of it with another list.
    pub(crate) fn replace(&self, mark: DiskMark, list: List) -> io::Result<()> {
        self.progress.changed.store(0, Ordering::Relaxed);
        self.work.send(Work::Replace { mark, list: Box::new(list) })
    }

    /// Returns when everything handed on so far is on the disk itself.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        self.work.send(Work::Flush(done))?;
        wait.await.map_err(|_| io::Error::other("the list's writer has stopped"))?
    }

    /// Brings everything handed on so far to the disk and lets go of the directory.
    pub(crate) async fn close(&self) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        self.work.send(Work::Close(done))?;
        wait.await.map_err(|_| io::Error::other("the list's writer has stopped"))?
    }
}

fn index_of(mark: &DiskMark) -> u64 {
    mark.last_applied.map_or(0, |id| id.index)
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
