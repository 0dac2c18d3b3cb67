//! The log as earlier builds wrote it, with the package `raft-log` 0.4.6: it is brought over into one file of ours when
//! a node first starts on it.
//!
//! Record: `u32` kind, the parts, `u64` CRC-32 of both; integers are big-endian. Files grow with what is written, so a
//! torn end is a record that goes on behind the end of its file. A length that is damaged in the middle looks the same;
//! but in a torn end there is no whole record any more, and no single bit makes it one.

#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Buf;

use crate::codec;
use crate::store::damage::Unopened;
use crate::store::log::files::{self, damaged};
use crate::store::log::frame::{self, HEAD_BYTES, SECTOR_BYTES};
use crate::store::log::places;
use crate::store::log::record::{Broken, Record, State, get_id, get_option, get_vote};

/// How its files end.
const ENDING: &str = "wal";
/// The kind and all lengths of a record are in its first bytes, this many at most.
const RECORD_HEAD_BYTES: usize = 160;
/// Kinds of records are numbers up to this one.
const KIND_MAX: u8 = 5;
/// Records go over in frames of about this size.
const FRAME_BYTES: usize = 1 << 20;

/// Brings over what is there. A start that was cut short before the new file had its name begins again, and one that
/// was cut short behind that removes the old files.
pub(super) fn bring_over(dir: &Path) -> Result<(), Unopened> {
    let olds = list(dir)?;
    if olds.is_empty() {
        return Ok(());
    }
    if !files::exist(dir)? {
        tracing::info!(files = olds.len(), "the log is brought over from its earlier form");
        let mut new = New::create(dir)?;
        read(&olds, &mut new)?;
        new.finish(dir)?;
    }
    olds.iter().try_for_each(|(_, path)| fs::remove_file(path))?;
    Ok(())
}

/// The files, by the offset of their first byte, which is their name: `r-00_000_000_000_000_000_042.wal`.
fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for item in fs::read_dir(dir)? {
        let path = item?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            let stem =
                path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.strip_prefix("r-"));
            let offset = stem.and_then(|stem| stem.replace('_', "").parse().ok());
            let why = || {
                io::Error::new(io::ErrorKind::InvalidData, format!("{} is no file of a log", path.display()))
            };
            files.push((offset.ok_or_else(why)?, path));
        }
    }
    files.sort();
    Ok(files)
}

/// Reads all files into `new`.
fn read(olds: &[(u64, PathBuf)], new: &mut New) -> Result<(), Unopened> {
    for pair in olds.windows(2) {
        if pair[0].0 + fs::metadata(&pair[0].1)?.len() != pair[1].0 {
            return Err(Unopened::Damaged(format!(
                "what is before {} in the log is missing",
                pair[1].1.display()
            )));
        }
    }
    let mut files = olds.to_vec();
    // A file without its first record was only just begun: then the one before it is the last.
    while let Some((_, path)) = files.last() {
        let bytes = fs::read(path)?;
        let (end, how) = scan(&bytes);
        let zeros = bytes[end..].iter().all(|byte| *byte == 0);
        let torn = zeros
            || (how == Broken::Short && !one_bit_is_wrong(&bytes[end..]) && !holds_a_record(&bytes[end..]));
        if !torn {
            return Err(damaged(path, end));
        }
        if end > 0 {
            break;
        }
        files.pop();
    }
    for (number, (_, path)) in files.iter().enumerate() {
        let bytes = fs::read(path)?;
        let mut rest = bytes.as_slice();
        while let Ok(record) = take(&mut rest) {
            new.put(&record).map_err(Unopened::Damaged)?;
            new.write_full()?;
        }
        if !rest.is_empty() && number + 1 < files.len() {
            return Err(damaged(path, bytes.len() - rest.len()));
        }
    }
    new.whole()
}

/// Where the first record begins that is not whole, and how it is broken.
fn scan(bytes: &[u8]) -> (usize, Broken) {
    let mut rest = bytes;
    loop {
        let at = bytes.len() - rest.len();
        if let Err(broken) = take(&mut rest) {
            return (at, broken);
        }
    }
}

fn one_bit_is_wrong(tail: &[u8]) -> bool {
    let mut flipped = tail.to_vec();
    (0..RECORD_HEAD_BYTES.min(tail.len()) * 8).any(|bit| {
        flipped[bit / 8] ^= 1 << (bit % 8);
        let whole = starts_with_a_record(&flipped);
        flipped[bit / 8] ^= 1 << (bit % 8);
        whole
    })
}

fn holds_a_record(tail: &[u8]) -> bool {
    (1..tail.len()).any(|at| starts_with_a_record(&tail[at..]))
}

fn starts_with_a_record(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0, 0, 0..=KIND_MAX, ..]) && take(&mut &*bytes).is_ok()
}

/// Reads a record, and leaves what is behind it.
fn take<'a>(from: &mut &'a [u8]) -> Result<Record<'a>, Broken> {
    let mut rest = *from;
    let record = match rest.try_get_u32()? {
        0 => Record::Vote(get_vote(&mut rest)?),
        1 => {
            let id = get_id(&mut rest)?;
            let len = rest.try_get_u32()?;
            if u64::from(len) > codec::VALUE_BYTES_MAX {
                return Err(Broken::Damaged);
            }
            let (payload, behind) = rest.split_at_checked(len as usize).ok_or(Broken::Short)?;
            rest = behind;
            Record::Entry(id, payload)
        }
        2 => Record::Committed(get_id(&mut rest)?),
        3 => Record::Truncated(get_option(&mut rest, get_id)?),
        4 => Record::Purged(get_id(&mut rest)?),
        5 => {
            if rest.try_get_u8()? != 1 {
                return Err(Broken::Damaged);
            }
            let vote = get_option(&mut rest, get_vote)?;
            let last = get_option(&mut rest, get_id)?;
            let committed = get_option(&mut rest, get_id)?;
            let purged = get_option(&mut rest, get_id)?;
            // What a user of the package may add; we never did.
            if rest.try_get_u8()? != 0 {
                return Err(Broken::Damaged);
            }
            Record::File(0, State { vote, committed, last, purged })
        }
        _ => return Err(Broken::Damaged),
    };
    let summed = &from[..from.len() - rest.len()];
    if rest.try_get_u64()? != u64::from(crc32fast::hash(summed)) {
        return Err(Broken::Damaged);
    }
    *from = rest;
    Ok(record)
}

/// The one file of the new form.
struct New {
    file: File,
    /// What the log was before its first record, and is now.
    begun: Option<State>,
    state: State,
    frame: Vec<u8>,
    len: u64,
}

impl New {
    fn create(dir: &Path) -> io::Result<New> {
        let path = dir.join(files::PARTIAL);
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        Ok(New { file, begun: None, state: State::default(), frame: vec![0; HEAD_BYTES], len: 0 })
    }

    fn put(&mut self, record: &Record<'_>) -> Result<(), String> {
        match *record {
            Record::File(_, begun) if self.begun.is_none() => {
                self.state = begun;
                self.begun = Some(begun);
                self.len = files::first_frame(0, begun, 0).len() as u64;
            }
            _ if self.begun.is_none() => return Err("the log does not begin with what it was".into()),
            Record::File(..) => self.state.apply(record)?,
            _ => {
                self.state.apply(record)?;
                record.put(&mut self.frame);
            }
        }
        Ok(())
    }

    fn write_full(&mut self) -> io::Result<()> {
        if self.frame.len() < FRAME_BYTES { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> io::Result<()> {
        frame::seal(&mut self.frame, self.len);
        self.file.write_all_at(&self.frame, self.len)?;
        self.len += self.frame.len() as u64;
        self.frame.truncate(HEAD_BYTES);
        Ok(())
    }

    /// Whether nothing is missing before the first file.
    fn whole(&self) -> Result<(), Unopened> {
        let begun = self.begun.unwrap_or_default();
        if begun.last.map(|id| id.index) > self.state.purged.map(|id| id.index) {
            return Err(Unopened::Damaged(format!("the entry {} is missing", self.state.first())));
        }
        Ok(())
    }

    /// Gives the file its first frame, its length and its name.
    fn finish(mut self, dir: &Path) -> Result<(), Unopened> {
        if self.begun.is_none() {
            self.put(&Record::File(0, State::default())).map_err(Unopened::Damaged)?;
        }
        self.write()?;
        let len = self.len.next_multiple_of(SECTOR_BYTES as u64);
        self.file.set_len(len)?;
        self.file.write_all_at(&files::first_frame(len, self.begun.unwrap_or_default(), 0), 0)?;
        self.file.sync_all()?;
        fs::rename(dir.join(files::PARTIAL), dir.join(places::name(0)))?;
        File::open(dir)?.sync_all()?;
        Ok(())
    }
}
