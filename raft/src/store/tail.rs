//! Is the end of the log torn, or damaged? `raft-log` cuts the log at the first record that goes on behind the end
//! of its file: what a crash leaves. But a length that is damaged in the middle looks the same to it, and with the
//! cut goes all that was acknowledged behind it. This looks closer, before `raft-log` cuts anything: in a torn tail
//! there is no whole record any more, and no single bit makes it one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use raft_log::codeq::Decode;
use raft_log::{RaftLogRecord, Types};

use crate::store::damage::Unopened;

/// The type and all lengths of a record are in its first bytes, this many at most.
const HEAD_BYTES: usize = 160;
/// The record types of `raft-log` are numbers up to this one, in four bytes.
const RECORD_TYPE_MAX: u8 = 5;

/// Refuses a log whose end is not merely torn. Other damage is left to `raft-log`, which refuses it itself.
pub(crate) fn check<T: Types>(dir: &Path) -> Result<(), Unopened> {
    for path in files(dir)?.into_iter().rev() {
        let bytes = fs::read(&path)?;
        let Some(at) = end_of_whole::<T>(&bytes) else { return Ok(()) };
        let tail = &bytes[at..];
        if one_bit_is_wrong::<T>(tail) || holds_a_record::<T>(tail) {
            let name = path.file_name().unwrap_or_default().display();
            return Err(Unopened::Damaged(format!(
                "a record at byte {at} of {name} is not what was written"
            )));
        }
        // A file without its first record was only just begun, and goes: then the one before it is the last.
        if at > 0 {
            return Ok(());
        }
    }
    Ok(())
}

/// The files of the log, oldest first: their names are the offsets they begin at, all of one length.
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for item in fs::read_dir(dir)? {
        let path = item?.path();
        if path.extension().is_some_and(|extension| extension == "wal") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Where the first record begins that goes on behind the end; none when there is none.
fn end_of_whole<T: Types>(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        match RaftLogRecord::<T>::decode(&mut rest) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Some(at),
            Err(_) => return None,
        }
    }
    // An empty file is one that was only just begun.
    bytes.is_empty().then_some(0)
}

fn one_bit_is_wrong<T: Types>(tail: &[u8]) -> bool {
    let mut flipped = tail.to_vec();
    (0..HEAD_BYTES.min(tail.len()) * 8).any(|bit| {
        flipped[bit / 8] ^= 1 << (bit % 8);
        let whole = starts_with_a_record::<T>(&flipped);
        flipped[bit / 8] ^= 1 << (bit % 8);
        whole
    })
}

fn holds_a_record<T: Types>(tail: &[u8]) -> bool {
    (1..tail.len()).any(|at| starts_with_a_record::<T>(&tail[at..]))
}

fn starts_with_a_record<T: Types>(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0, 0, 0..=RECORD_TYPE_MAX, ..]) && RaftLogRecord::<T>::decode(bytes).is_ok()
}
