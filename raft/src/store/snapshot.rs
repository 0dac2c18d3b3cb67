//! Snapshots: the whole state at one index in one checksummed file, written from a still picture of the list
//! while writes go on, and sent to nodes that are too far behind for the log.
//!
//! File: `u32` length + header; per record `u32` length + record; `u32` zero; `u64` count of records; `u32`
//! CRC-32 of all before it. Integers are big-endian.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::blocklist::{List, Record};
use crate::codec::{self, Content};
use crate::form;
use crate::store::damage::Unopened;
use crate::store::digest::{Encoder, StateDigest};
use crate::types::SnapshotMeta;

const SUFFIX: &str = ".snapshot";
/// What the name of a snapshot ends with while it is written or received.
const PARTIAL: &str = ".partial";
/// What a damaged snapshot is called from then on; there is one at most.
const DAMAGED: &str = "snapshot.damaged";

/// What a snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) last_log_id: Option<form::LogId>,
    pub(crate) membership: form::StoredMembership,
    /// Of the state in the snapshot.
    pub(crate) digest: StateDigest,
}

/// A finished snapshot on disk. The open file stays readable when a newer one replaces it.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotFile {
    path: PathBuf,
    file: Arc<File>,
}

impl SnapshotFile {
    /// Opens a snapshot that is yet to be checked.
    pub(crate) fn open(path: PathBuf) -> io::Result<SnapshotFile> {
        Ok(SnapshotFile { file: Arc::new(File::open(&path)?), path })
    }

    /// What it says of itself.
    pub(crate) fn header(&self) -> io::Result<Header> {
        Checked::new(BufReader::new(File::open(&self.path)?)).header()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the whole file.
    pub(crate) fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// The checksum at its end.
    pub(crate) fn checksum(&self) -> io::Result<u32> {
        let mut stored = [0; 4];
        let at = self.len()?.checked_sub(4).ok_or_else(|| damaged("it is too short"))?;
        self.file.read_exact_at(&mut stored, at)?;
        Ok(u32::from_be_bytes(stored))
    }

    /// Up to `bytes_max` bytes at an offset; empty at the end.
    pub(crate) fn read_at(&self, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; bytes_max];
        let mut filled = 0;
        while filled < bytes_max {
            match self.file.read_at(&mut bytes[filled..], offset + filled as u64)? {
                0 => break,
                n => filled += n,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Reads the whole state back, and only says so when the checksum is right.
    pub(crate) fn load(&self) -> io::Result<(Header, List)> {
        let mut list = List::default();
        let header = self.walk(|stored| {
            list.restore(codec::decode(Content::Record, stored)?);
            Ok(())
        })?;
        Ok((header, list))
    }

    /// Reads all of it and keeps nothing.
    fn check(&self) -> io::Result<Header> {
        self.walk(|_| Ok(()))
    }

    /// The same, and every record in it.
    pub(crate) fn check_records(&self) -> io::Result<Header> {
        self.walk(|stored| codec::decode::<Record>(Content::Record, stored).map(drop))
    }

    /// Goes over the stored records; it is whole only if this ends without an error.
    pub(crate) fn walk(&self, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Header> {
        let mut reader = Checked::new(BufReader::with_capacity(1 << 20, File::open(&self.path)?));
        let header = reader.header()?;
        let mut digest = StateDigest::default();
        let mut count = 0_u64;
        while let Some(stored) = reader.value()? {
            digest.put(&stored);
            each(&stored)?;
            count += 1;
        }
        reader.finish(count)?;
        if digest != header.digest {
            return Err(damaged("its records are not those that were written"));
        }
        Ok(header)
    }
}

/// The snapshot directory of a node: at most one finished snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Snapshots {
    dir: PathBuf,
    partials: Arc<AtomicU64>,
}

impl Snapshots {
    /// Opens or makes the directory; what a crash left unfinished is removed.
    pub(crate) fn open(dir: &Path) -> Result<Snapshots, Unopened> {
        fs::create_dir_all(dir)?;
        for item in fs::read_dir(dir)? {
            let path = item?.path();
            if path.to_string_lossy().ends_with(PARTIAL) {
                fs::remove_file(path)?;
            }
        }
        Ok(Snapshots { dir: dir.to_path_buf(), partials: Arc::default() })
    }

    /// Reads the finished snapshots through, and gives one that is damaged another name, under which nothing looks
    /// for it; returns that, and why. Sent to a peer, it would be refused there, again and again.
    pub(crate) fn set_aside_damaged(&self) -> Result<Option<(PathBuf, String)>, Unopened> {
        let mut set_aside = None;
        for (_, path) in self.finished()? {
            match SnapshotFile::open(path.clone()).and_then(|file| file.check()).map_err(Unopened::from) {
                Ok(_) => {}
                Err(Unopened::Damaged(why)) => {
                    let aside = self.dir.join(DAMAGED);
                    fs::rename(&path, &aside)?;
                    set_aside = Some((aside, why));
                }
                Err(refused) => return Err(refused),
            }
        }
        Ok(set_aside)
    }

    /// A path of its own to write a snapshot to before `keep` takes it.
    pub(crate) fn partial(&self) -> PathBuf {
        self.dir.join(format!("{}{PARTIAL}", self.partials.fetch_add(1, Ordering::Relaxed)))
    }

    /// The newest finished snapshot.
    pub(crate) fn current(&self) -> io::Result<Option<(SnapshotMeta, SnapshotFile)>> {
        let Some((_, path)) = self.finished()?.pop() else { return Ok(None) };
        let file = SnapshotFile::open(path)?;
        Ok(Some((file.header()?.meta(), file)))
    }

    /// Bytes of the newest finished snapshot; zero without one.
    pub(crate) fn bytes(&self) -> u64 {
        let newest = self.finished().ok().and_then(|mut all| all.pop());
        newest.and_then(|(_, path)| fs::metadata(path).ok()).map_or(0, |data| data.len())
    }

    /// Writes the state at its index.
    pub(crate) fn write(&self, header: &Header, list: &List) -> io::Result<SnapshotFile> {
        let partial = self.partial();
        write(&partial, header, list)?;
        self.keep(header, &partial)
    }

    /// Writes a state to a file that has no name any more: it is gone when nobody has it open.
    pub(crate) fn write_nameless(&self, header: &Header, list: &List) -> io::Result<SnapshotFile> {
        let partial = self.partial();
        let written = write(&partial, header, list).and_then(|()| SnapshotFile::open(partial.clone()));
        // Also what was written by half.
        fs::remove_file(&partial)?;
        written
    }

    /// Takes a partial file, complete and checked, as the current snapshot, and drops older ones.
    pub(crate) fn keep(&self, header: &Header, partial: &Path) -> io::Result<SnapshotFile> {
        File::open(partial)?.sync_all()?;
        let index = header.last_log_id.map_or(0, |id| id.index);
        let path = self.dir.join(format!("{index:020}{SUFFIX}"));
        fs::rename(partial, &path)?;
        File::open(&self.dir)?.sync_all()?;
        for (older, path) in self.finished()? {
            if older < index {
                fs::remove_file(path)?;
            }
        }
        SnapshotFile::open(path)
    }

    /// Finished snapshots, oldest first.
    fn finished(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut found = Vec::new();
        for item in fs::read_dir(&self.dir)? {
            let path = item?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some(index) = name.strip_suffix(SUFFIX).and_then(|index| index.parse().ok()) {
                found.push((index, path));
            }
        }
        found.sort();
        Ok(found)
    }
}

impl Header {
    pub(crate) fn meta(&self) -> SnapshotMeta {
        SnapshotMeta {
            last_log_id: self.last_log_id.map(Into::into),
            last_membership: self.membership.clone().into(),
        }
    }
}

fn write(path: &Path, header: &Header, list: &List) -> io::Result<()> {
    let mut writer = Checked::new(BufWriter::with_capacity(1 << 20, File::create(path)?));
    writer.put(&codec::encode(Content::SnapshotHeader, header)?)?;
    let (mut count, mut encoder) = (0_u64, Encoder::default());
    for record in list.records() {
        writer.put(encoder.encode(&record)?)?;
        count += 1;
    }
    writer.end(count)
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the snapshot is damaged: {why}"))
}

/// Length-prefixed values under one running checksum.
struct Checked<F> {
    inner: F,
    crc: crc32fast::Hasher,
}

impl<F> Checked<F> {
    fn new(inner: F) -> Checked<F> {
        Checked { inner, crc: crc32fast::Hasher::new() }
    }
}

impl<F: Write> Checked<F> {
    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.inner.write_all(bytes)
    }

    fn put(&mut self, value: &[u8]) -> io::Result<()> {
        self.raw(&u32::try_from(value.len()).map_err(io::Error::other)?.to_be_bytes())?;
        self.raw(value)
    }

    fn end(mut self, count: u64) -> io::Result<()> {
        self.raw(&0_u32.to_be_bytes())?;
        self.raw(&count.to_be_bytes())?;
        let crc = self.crc.finalize();
        self.inner.write_all(&crc.to_be_bytes())?;
        self.inner.flush()
    }
}

impl<F: Read> Checked<F> {
    fn raw_array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.crc.update(&bytes);
        Ok(bytes)
    }

    fn header(&mut self) -> io::Result<Header> {
        let stored = self.value()?.ok_or_else(|| damaged("no header"))?;
        codec::decode(Content::SnapshotHeader, &stored)
    }

    /// The next value; `None` at the mark that ends them.
    fn value(&mut self) -> io::Result<Option<Vec<u8>>> {
        let len = u32::from_be_bytes(self.raw_array()?);
        if len == 0 {
            return Ok(None);
        }
        if u64::from(len) > codec::VALUE_BYTES_MAX {
            return Err(damaged("a record is too long"));
        }
        let mut bytes = vec![0; len as usize];
        self.inner.read_exact(&mut bytes)?;
        self.crc.update(&bytes);
        Ok(Some(bytes))
    }

    fn finish(mut self, count: u64) -> io::Result<()> {
        if u64::from_be_bytes(self.raw_array()?) != count {
            return Err(damaged("records are missing"));
        }
        let crc = self.crc.finalize();
        let mut stored = [0; 4];
        self.inner.read_exact(&mut stored)?;
        if u32::from_be_bytes(stored) != crc || self.inner.read(&mut [0])? != 0 {
            return Err(damaged("the checksum is wrong"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let last_log_id = Some(form::LogId { term: 1, node: 1, index: 7 });
        Header { last_log_id, membership: form::StoredMembership::default(), digest: StateDigest::default() }
    }

    #[test]
    fn a_written_snapshot_loads_and_replaces_older_ones() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::open(dir.path()).unwrap();
        let old = Header { last_log_id: None, ..header() };
        snapshots.write(&old, &List::default()).unwrap();
        let file = snapshots.write(&header(), &List::default()).unwrap();
        assert_eq!(file.load().unwrap().0, header());
        assert_eq!(snapshots.finished().unwrap().len(), 1);
        assert_eq!(snapshots.current().unwrap().unwrap().0, header().meta());
    }

    #[test]
    fn any_flipped_bit_or_missing_byte_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::open(dir.path()).unwrap();
        let path = snapshots.write(&header(), &List::default()).unwrap().path;
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            fs::write(&path, &flipped).unwrap();
            assert!(SnapshotFile::open(path.clone()).unwrap().load().is_err(), "bit flipped at byte {at}");
        }
        for len in 0..bytes.len() {
            fs::write(&path, &bytes[..len]).unwrap();
            assert!(SnapshotFile::open(path.clone()).unwrap().load().is_err(), "cut to {len} bytes");
        }
    }

    #[test]
    fn what_a_crash_left_half_written_goes_when_the_node_starts() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::open(dir.path()).unwrap();
        snapshots.write(&header(), &List::default()).unwrap();
        fs::write(snapshots.partial(), b"half a snapshot").unwrap();
        let snapshots = Snapshots::open(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(snapshots.set_aside_damaged().unwrap(), None);
        assert_eq!(snapshots.current().unwrap().unwrap().0, header().meta());
    }

    #[test]
    fn a_damaged_snapshot_is_set_aside_and_not_looked_at_again() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::open(dir.path()).unwrap();
        for _ in 0..2 {
            let path = snapshots.write(&header(), &List::default()).unwrap().path;
            let mut bytes = fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(&path, bytes).unwrap();
            let (aside, _) = snapshots.set_aside_damaged().unwrap().unwrap();
            assert!(aside.exists() && !path.exists());
            assert!(snapshots.current().unwrap().is_none());
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
