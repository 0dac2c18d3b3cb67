//! Reports that this node has accepted on its own word, on disk until the list has them. The file is only ever
//! appended to, one fsync a group, and emptied when all of it is applied.
//!
//! File: per record `u32` length, `u32` CRC-32 of the bytes, the bytes. Integers are big-endian.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::blocklist::Command;
use crate::codec::{self, Content};

/// The name of the file in the data directory.
const NAME: &str = "pending";
/// Length and checksum before each record.
const HEAD_BYTES: usize = 8;

/// One command with its number in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Of the outbox.
    pub(crate) incarnation: u64,
    /// The command's number there.
    pub(crate) sequence: u64,
    /// What to do.
    pub(crate) command: Command,
}

/// The file, open for appending.
#[derive(Debug)]
pub(crate) struct PendingFile {
    path: PathBuf,
    file: File,
    len: u64,
}

impl PendingFile {
    /// Opens the file and reads what is in it, in order. A record that was not written to its end is cut off; one
    /// that is damaged with good ones behind it is an error, because reports would be lost without a word.
    pub(crate) fn open(data: &Path) -> io::Result<(PendingFile, Vec<Kept>)> {
        let path = data.join(NAME);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (kept, good) = read_all(&bytes).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("{}: {error}; move it away to give those reports up", path.display()),
            )
        })?;
        if good < bytes.len() {
            tracing::warn!(
                cut = bytes.len() - good,
                "the end of the pending reports was not written; it is cut off"
            );
            file.set_len(good as u64)?;
            file.sync_all()?;
        }
        File::open(data)?.sync_all()?;
        Ok((PendingFile { path, file, len: good as u64 }, kept))
    }

    /// Moves the file out of the way, to a name that is free.
    pub(crate) fn set_aside(data: &Path) -> io::Result<PathBuf> {
        let free =
            (1..).map(|number| data.join(format!("{NAME}.aside.{number}"))).find(|path| !path.exists());
        let aside = free.ok_or(io::ErrorKind::AlreadyExists)?;
        fs::rename(data.join(NAME), &aside)?;
        Ok(aside)
    }

    /// Bytes in use.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Brings records to the disk itself, all of them or none.
    pub(crate) fn append(&mut self, records: &[Vec<u8>]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(records.iter().map(|record| record.len() + HEAD_BYTES).sum());
        for record in records {
            bytes.extend(u32::try_from(record.len()).map_err(io::Error::other)?.to_be_bytes());
            bytes.extend(crc32fast::hash(record).to_be_bytes());
            bytes.extend(record);
        }
        self.file.seek(SeekFrom::Start(self.len))?;
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.len += bytes.len() as u64,
            // What is on the disk now is not known; what is behind the last good record must not count.
            Err(error) => {
                self.file.set_len(self.len).and_then(|()| self.file.sync_data())?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.sync_data()?;
        self.len = 0;
        tracing::debug!(path = %self.path.display(), "all pending reports are in the list");
        Ok(())
    }
}

/// The form of a record in the file.
pub(crate) fn encode(kept: &Kept) -> io::Result<Vec<u8>> {
    codec::encode(Content::Pending, kept)
}

/// All good records from the start, and where they end.
fn read_all(bytes: &[u8]) -> io::Result<(Vec<Kept>, usize)> {
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some((record, next)) = record(bytes, at) {
        kept.push(codec::decode(Content::Pending, record)?);
        at = next;
    }
    let claimed =
        bytes.get(at..at + 4).map(|len| u32::from_be_bytes([len[0], len[1], len[2], len[3]]) as usize);
    let behind = claimed.and_then(|len| at.checked_add(HEAD_BYTES + len)).filter(|next| *next < bytes.len());
    if behind.is_some_and(|next| record(bytes, next).is_some()) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the record at byte {at} is damaged"),
        ));
    }
    Ok((kept, at))
}

/// The record at a place if it is whole, and the place behind it.
fn record(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let head = bytes.get(at..at + HEAD_BYTES)?;
    let number =
        |from: usize| u32::from_be_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]]);
    let next = (at + HEAD_BYTES).checked_add(number(0) as usize)?;
    let record = bytes.get(at + HEAD_BYTES..next)?;
    (!record.is_empty() && crc32fast::hash(record) == number(4)).then_some((record, next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocklist::{Actor, Operation, Role, Timestamp};

    fn kept(sequence: u64) -> Kept {
        let actor = Actor { account: "anna".into(), role: Role::Sensor, address: "".into() };
        let command = Command::new(Timestamp(0), actor, Operation::Add(Vec::new()));
        Kept { incarnation: 1, sequence, command }
    }

    fn filled(dir: &Path) -> Vec<u8> {
        let (mut file, none) = PendingFile::open(dir).unwrap();
        assert_eq!(none, []);
        file.append(&[encode(&kept(1)).unwrap(), encode(&kept(2)).unwrap()]).unwrap();
        file.append(&[encode(&kept(3)).unwrap()]).unwrap();
        fs::read(dir.join(NAME)).unwrap()
    }

    #[test]
    fn what_was_appended_is_read_and_what_was_cleared_is_not() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        let (mut file, found) = PendingFile::open(dir.path()).unwrap();
        assert_eq!(found, [kept(1), kept(2), kept(3)]);
        file.clear().unwrap();
        file.append(&[encode(&kept(4)).unwrap()]).unwrap();
        assert_eq!(PendingFile::open(dir.path()).unwrap().1, [kept(4)]);
    }

    #[test]
    fn an_end_that_was_not_written_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = filled(dir.path());
        let third = bytes.len() / 3 * 2;
        for len in third..bytes.len() {
            fs::write(dir.path().join(NAME), &bytes[..len]).unwrap();
            let (mut file, found) = PendingFile::open(dir.path()).unwrap();
            assert_eq!(found, [kept(1), kept(2)], "cut to {len} bytes");
            file.append(&[encode(&kept(3)).unwrap()]).unwrap();
            assert_eq!(fs::read(dir.path().join(NAME)).unwrap(), bytes);
        }
        let mut garbage = bytes[..third].to_vec();
        garbage.extend([0; 100]);
        fs::write(dir.path().join(NAME), &garbage).unwrap();
        assert_eq!(PendingFile::open(dir.path()).unwrap().1.len(), 2);
    }

    #[test]
    fn damage_in_the_middle_is_no_torn_end() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = filled(dir.path());
        for at in HEAD_BYTES..bytes.len() / 3 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            fs::write(dir.path().join(NAME), &flipped).unwrap();
            let error = PendingFile::open(dir.path()).unwrap_err();
            assert!(error.to_string().contains("byte 0 is damaged"), "{error}");
        }
    }
}
