//! A snapshot that arrives from a peer, part by part. What came over a line that broke is kept for a while, and whoever
//! sends the same snapshot goes on behind it. The whole of it is checked before it is installed, however it came.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;

use crate::network::message::Announced;

/// What has arrived is kept for so long after its line broke.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(600);

/// What has arrived of a snapshot; the unfinished file goes with it.
#[derive(Debug)]
pub(crate) struct Partial {
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl Partial {
    pub(crate) fn create(path: PathBuf) -> io::Result<Partial> {
        Ok(Partial { file: File::create(&path)?, path, bytes: 0 })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already when the snapshot was taken.
        drop(std::fs::remove_file(&self.path));
    }
}

/// The one snapshot of a node that outlives its line. Of several lines that bring it, the last one holds it.
#[derive(Debug, Default)]
pub(crate) struct Arriving(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    holder: u64,
    snapshot: Option<(Announced, Partial)>,
}

impl Arriving {
    /// Takes hold of a snapshot, with whatever has come of it; another one that was there is dropped. Returns the number
    /// of the holder, and how many bytes are there.
    pub(crate) fn hold(
        &self,
        announced: Announced,
        path: impl FnOnce() -> io::Result<PathBuf>,
    ) -> io::Result<(u64, u64)> {
        let mut state = self.0.lock();
        if state.snapshot.as_ref().is_none_or(|(known, _)| *known != announced) {
            state.snapshot = None;
            state.snapshot = Some((announced, Partial::create(path()?)?));
        }
        state.holder += 1;
        Ok((state.holder, state.snapshot.as_ref().map_or(0, |(_, partial)| partial.bytes)))
    }

    /// Adds the next bytes.
    pub(crate) fn write(&self, holder: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        if holder != state.holder {
            return Err(not_held());
        }
        let (_, partial) = state.snapshot.as_mut().ok_or_else(not_held)?;
        partial.write(bytes)
    }

    /// Hands the snapshot over, when all of it has arrived; else what has arrived of it is dropped.
    pub(crate) fn take(&self, holder: u64) -> io::Result<Partial> {
        let mut state = self.0.lock();
        if holder != state.holder {
            return Err(not_held());
        }
        let (announced, partial) = state.snapshot.take().ok_or_else(not_held)?;
        if partial.bytes != announced.bytes {
            let (there, bytes) = (partial.bytes, announced.bytes);
            return Err(io::Error::other(format!("{there} bytes of a snapshot that has {bytes}")));
        }
        Ok(partial)
    }

    /// Drops what has arrived, unless somebody else holds it by now.
    pub(crate) fn forget(&self, holder: u64) {
        let mut state = self.0.lock();
        if holder == state.holder {
            state.snapshot = None;
        }
    }
}

fn not_held() -> io::Error {
    io::Error::other("a part of a snapshot that comes over another line by now")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::form;
    use crate::store::{SnapshotHeader, StateDigest};

    fn announced(index: u64, bytes: u64) -> Announced {
        let header = SnapshotHeader {
            last_log_id: Some(form::LogId { term: 1, node: 1, index }),
            membership: form::StoredMembership::default(),
            digest: StateDigest::default(),
        };
        Announced { header, bytes, checksum: 7 }
    }

    /// Takes hold of a snapshot whose file has this name if it is begun.
    fn hold(arriving: &Arriving, dir: &TempDir, announced: Announced, name: &str) -> (u64, u64) {
        arriving.hold(announced, || Ok(dir.path().join(name))).unwrap()
    }

    fn files(dir: &TempDir) -> usize {
        fs::read_dir(dir.path()).unwrap().count()
    }

    #[test]
    fn the_same_snapshot_goes_on_where_its_line_broke() {
        let (dir, arriving) = (tempfile::tempdir().unwrap(), Arriving::default());
        let (first, there) = hold(&arriving, &dir, announced(5, 6), "a");
        assert_eq!(there, 0);
        arriving.write(first, b"abc").unwrap();
        let (second, there) = hold(&arriving, &dir, announced(5, 6), "b");
        assert_eq!(there, 3);
        // The node may not know yet that the first line is broken: what still comes over it must not count.
        assert!(arriving.write(first, b"xyz").is_err());
        arriving.forget(first);
        assert!(arriving.take(first).is_err());
        arriving.write(second, b"def").unwrap();
        let partial = arriving.take(second).unwrap();
        assert_eq!(fs::read(partial.path()).unwrap(), b"abcdef");
        drop(partial);
        assert_eq!(files(&dir), 0);
    }

    #[test]
    fn another_snapshot_takes_its_place() {
        let (dir, arriving) = (tempfile::tempdir().unwrap(), Arriving::default());
        let first = announced(5, 6);
        let others = [
            announced(6, 6),
            announced(5, 7),
            Announced { checksum: 8, ..first.clone() },
            Announced {
                header: SnapshotHeader { last_log_id: None, ..first.header.clone() },
                ..first.clone()
            },
        ];
        for other in others {
            let (holder, _) = hold(&arriving, &dir, first.clone(), "a");
            arriving.write(holder, b"abc").unwrap();
            assert_eq!(hold(&arriving, &dir, other, "b").1, 0);
            assert_eq!(files(&dir), 1);
        }
    }

    #[test]
    fn what_is_too_short_too_long_or_forgotten_is_dropped() {
        let (dir, arriving) = (tempfile::tempdir().unwrap(), Arriving::default());
        for bytes in ["abc", "abcdefg"] {
            let (holder, _) = hold(&arriving, &dir, announced(5, 6), "a");
            arriving.write(holder, bytes.as_bytes()).unwrap();
            assert!(arriving.take(holder).is_err());
            assert_eq!(files(&dir), 0);
        }
        let (holder, _) = hold(&arriving, &dir, announced(5, 6), "a");
        arriving.write(holder, b"abc").unwrap();
        arriving.forget(holder);
        assert_eq!(files(&dir), 0);
        assert!(arriving.write(holder, b"def").is_err());
    }
}
