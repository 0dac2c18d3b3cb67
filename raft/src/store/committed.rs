//! The last id that is known to be committed, in a file of its own that is overwritten each time: so a node that is
//! killed, and finds no leader, shows all that it had applied. To say it in the log would wake the log's thread once
//! more for every write. It is never flushed, and after a power loss it may be old, torn or ahead of the log: what
//! reads it asks the log whether it holds this id.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::form;

/// Term, node, index and a CRC-32 of them, big-endian; always as long, because each is written over the one before.
const BYTES: usize = 28;

/// The file.
pub(super) struct CommittedFile(File);

impl CommittedFile {
    /// Opens it, or makes it empty.
    pub(super) fn open(path: &Path) -> io::Result<CommittedFile> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(CommittedFile(file))
    }

    /// Writes what is committed now over what was.
    pub(super) fn write(&self, id: form::LogId) -> io::Result<()> {
        self.0.write_all_at(&encode(id), 0)
    }

    /// What it says; none when it is empty or torn.
    pub(super) fn read(&self) -> io::Result<Option<form::LogId>> {
        let mut bytes = [0; BYTES];
        match self.0.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let number = |at: usize| bytes[at..at + 8].iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        let id = form::LogId { term: number(0), node: number(8), index: number(16) };
        Ok((encode(id) == bytes).then_some(id))
    }
}

fn encode(id: form::LogId) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let parts = [id.term, id.node, id.index];
    for (place, part) in bytes.chunks_mut(8).zip(parts) {
        place.copy_from_slice(&part.to_be_bytes());
    }
    let sum = crc32fast::hash(&bytes[..24]);
    bytes[24..].copy_from_slice(&sum.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_id_is_read_and_nothing_torn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("committed");
        let file = CommittedFile::open(&path).unwrap();
        assert_eq!(file.read().unwrap(), None, "nothing is committed yet");
        let id = |index| form::LogId { term: 3, node: 258, index };
        file.write(id(u64::MAX)).unwrap();
        file.write(id(7)).unwrap();
        let again = CommittedFile::open(&path).unwrap();
        assert_eq!(again.read().unwrap(), Some(id(7)));
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(hex::encode(&whole), "000000000000000300000000000001020000000000000007af0b47bf");
        for bit in 0..whole.len() * 8 {
            let mut torn = whole.clone();
            torn[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, torn).unwrap();
            assert_eq!(again.read().unwrap(), None, "bit {bit}");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(again.read().unwrap(), None);
    }
}
