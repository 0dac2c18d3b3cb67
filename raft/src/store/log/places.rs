//! Where in the files each entry stands that is on the disk.
//!
//! A position in the log is counted through all its files; a file is named after the position of its first byte.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::log::record::{Record, State};

/// How the files of the log end.
pub(super) const ENDING: &str = "log";

/// The name of the file that begins at a position.
pub(super) fn name(base: u64) -> String {
    format!("{base:020}.{ENDING}")
}

/// An entry's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    position: u64,
    len: u32,
}

/// All that is on the disk.
#[derive(Debug)]
pub(super) struct Places {
    dir: PathBuf,
    /// The index of the first entry of `entries`.
    first: u64,
    entries: VecDeque<Place>,
    /// By the position of their first byte, with the last index there was when each was begun.
    files: BTreeMap<u64, Option<u64>>,
    /// The file that was read last.
    open: Option<(u64, Arc<File>)>,
}

/// Something that is on the disk now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The record of an entry, its position counted from the beginning of a frame's body or of the log.
    Entry { index: u64, position: u64, len: u32 },
    /// The next entry has this index.
    Truncated(u64),
    /// The first entry has this index.
    Purged(u64),
}

impl Mark {
    /// The mark of a record at this position, with the state of the log behind it.
    pub(super) fn of(record: &Record<'_>, state: &State, position: u64, len: usize) -> Option<Mark> {
        match record {
            Record::Entry(id, _) => Some(Mark::Entry { index: id.index, position, len: len as u32 }),
            Record::Truncated(_) => Some(Mark::Truncated(state.next())),
            Record::Purged(_) => Some(Mark::Purged(state.first())),
            Record::File(..) | Record::Vote(_) | Record::Committed(_) => None,
        }
    }
}

impl Places {
    /// None, in this directory.
    pub(super) fn new(dir: &Path) -> Places {
        Places { dir: dir.into(), first: 0, entries: VecDeque::new(), files: BTreeMap::new(), open: None }
    }

    /// Whether there is no file yet.
    pub(super) fn is_new(&self) -> bool {
        self.files.is_empty()
    }

    /// The index of the first entry, if there is one.
    pub(super) fn first(&self) -> Option<u64> {
        (!self.entries.is_empty()).then_some(self.first)
    }

    /// A file was begun.
    pub(super) fn begun(&mut self, base: u64, state: &State) {
        self.files.insert(base, state.last.map(|last| last.index));
    }

    /// Takes in what stands in a frame whose body is at this position.
    pub(super) fn take(&mut self, mark: Mark, body: u64) {
        match mark {
            Mark::Entry { index, position, len } => {
                if self.entries.is_empty() {
                    self.first = index;
                }
                self.entries.push_back(Place { position: body + position, len });
            }
            Mark::Truncated(next) => self.entries.truncate(next.saturating_sub(self.first) as usize),
            Mark::Purged(first) => {
                let gone = (first.saturating_sub(self.first) as usize).min(self.entries.len());
                self.entries.drain(..gone);
                self.first = self.first.max(first);
            }
        }
    }

    /// Takes the files out that hold nothing which is still needed, oldest first.
    pub(super) fn forget(&mut self, purged: Option<u64>) -> Vec<PathBuf> {
        let mut gone = Vec::new();
        while let Some((_, last)) = self.files.iter().nth(1)
            && last.is_some()
            && *last <= purged
            && let Some((base, _)) = self.files.pop_first()
        {
            gone.push(self.dir.join(name(base)));
            self.open.take_if(|(open, _)| *open == base);
        }
        gone
    }

    /// The records of entries that follow each other in one file, from an index up to another one or to this many
    /// bytes, after at least one.
    pub(super) fn run(&mut self, from: u64, to: u64, bytes_max: usize) -> io::Result<Option<Run>> {
        let at = |index: u64| index.checked_sub(self.first).and_then(|at| self.entries.get(at as usize));
        let Some(begin) = at(from) else { return Ok(None) };
        let file = self.files.range(..=begin.position).next_back();
        let (base, _) = file.ok_or_else(|| io::Error::other("an entry is in no file"))?;
        let end = self.files.range(begin.position + 1..).next().map_or(u64::MAX, |(base, _)| *base);
        let mut lens = Vec::new();
        for place in (from..to).map_while(at) {
            let taken = place.position - begin.position;
            if place.position >= end || (!lens.is_empty() && taken + u64::from(place.len) > bytes_max as u64)
            {
                break;
            }
            lens.push((taken as usize, place.len as usize));
        }
        let (base, at) = (*base, begin.position - base);
        Ok(Some(Run { file: self.file(base)?, at, lens }))
    }

    fn file(&mut self, base: u64) -> io::Result<Arc<File>> {
        if let Some((_, file)) = self.open.as_ref().filter(|(open, _)| *open == base) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(File::open(self.dir.join(name(base)))?);
        self.open = Some((base, Arc::clone(&file)));
        Ok(file)
    }
}

/// Entries to read, of one file.
pub(super) struct Run {
    file: Arc<File>,
    at: u64,
    /// Where each record begins, counted from the first one, and its length.
    lens: Vec<(usize, usize)>,
}

impl Run {
    /// How many entries they are.
    pub(super) fn count(&self) -> u64 {
        self.lens.len() as u64
    }

    /// How many bytes they have.
    pub(super) fn bytes(&self) -> usize {
        self.lens.last().map_or(0, |(at, len)| at + len)
    }

    /// Reads them, and gives each record to `each`.
    pub(super) fn read(&self, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut bytes = vec![0; self.bytes()];
        self.file.read_exact_at(&mut bytes, self.at)?;
        self.lens.iter().try_for_each(|(at, len)| each(&bytes[*at..at + len]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::LogId;

    fn entry(index: u64) -> Mark {
        Mark::Entry { index, position: index * 10, len: 5 }
    }

    fn indexes(places: &mut Places, from: u64) -> Vec<u64> {
        let run = places.run(from, u64::MAX, usize::MAX).unwrap();
        run.map_or(Vec::new(), |run| run.lens.iter().map(|(at, _)| from + *at as u64 / 10).collect())
    }

    #[test]
    fn files_go_when_all_that_is_in_them_is_purged() {
        let dir = tempfile::tempdir().unwrap();
        let mut places = Places::new(dir.path());
        let state = |last: Option<u64>| State {
            last: last.map(|index| LogId { term: 1, node: 1, index }),
            ..State::default()
        };
        for (base, last) in [(0, None), (100, Some(9)), (200, Some(19))] {
            File::create(dir.path().join(name(base))).unwrap();
            places.begun(base, &state(last));
        }
        (0..25).for_each(|index| places.take(entry(index), 0));
        assert_eq!(indexes(&mut places, 3), (3..10).collect::<Vec<_>>(), "to the end of the file");
        assert_eq!(indexes(&mut places, 20), (20..25).collect::<Vec<_>>());
        assert_eq!(places.run(3, 6, usize::MAX).unwrap().unwrap().count(), 3);
        assert_eq!(places.run(3, 10, 1).unwrap().unwrap().count(), 1, "one at least");
        assert_eq!(places.run(3, 10, 15).unwrap().unwrap().count(), 2);

        places.take(Mark::Truncated(22), 0);
        assert_eq!(indexes(&mut places, 20), [20, 21]);
        assert_eq!(places.forget(Some(8)), [] as [PathBuf; 0]);
        places.take(Mark::Purged(20), 0);
        assert_eq!(places.forget(Some(19)), [dir.path().join(name(0)), dir.path().join(name(100))]);
        assert_eq!((indexes(&mut places, 19), indexes(&mut places, 20)), (vec![], vec![20, 21]));
        places.take(Mark::Purged(40), 0);
        assert_eq!(places.forget(Some(39)), [] as [PathBuf; 0], "the file that is written to stays");
        places.take(entry(40), 0);
        assert_eq!(indexes(&mut places, 40), [40]);
    }
}
