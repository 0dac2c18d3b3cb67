//! What stands in the log, one after the other, and what it comes to.
//!
//! Record: a byte for its kind, then its parts. Numbers are `u64`, big-endian, but for the two `u32` of an entry: the
//! length of its payload, and the CRC-32 of its id and payload, since an entry is also read alone. What may be missing
//! has a byte before it, 0 or 1.

use std::io;

use bytes::{Buf, BufMut, TryGetError};

use crate::form;

/// Stands behind the last record of a frame, and fills it up.
pub(super) const FILL: u8 = 0xFF;

const FILE: u8 = 1;
const VOTE: u8 = 2;
const ENTRY: u8 = 3;
const COMMITTED: u8 = 4;
const TRUNCATED: u8 = 5;
const PURGED: u8 = 6;

/// One record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// The first in each file: the length of the file, and what the log was when it was begun.
    File(u64, State),
    Vote(form::Vote),
    /// An entry, with its encoded payload.
    Entry(form::LogId, &'a [u8]),
    Committed(form::LogId),
    /// This is the last entry now; none is left without it.
    Truncated(Option<form::LogId>),
    /// Entries up to here are gone.
    Purged(form::LogId),
}

/// What a log comes to, but for its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) vote: Option<form::Vote>,
    pub(super) committed: Option<form::LogId>,
    /// The last entry, or the last that was purged.
    pub(super) last: Option<form::LogId>,
    pub(super) purged: Option<form::LogId>,
}

impl State {
    /// The index of the next entry.
    pub(super) fn next(&self) -> u64 {
        self.last.map_or(0, |last| last.index.saturating_add(1))
    }

    /// The index of the first entry that was not purged.
    pub(super) fn first(&self) -> u64 {
        self.purged.map_or(0, |purged| purged.index.saturating_add(1))
    }

    /// Goes on by a record, or tells why it cannot follow.
    pub(super) fn apply(&mut self, record: &Record<'_>) -> Result<(), String> {
        match *record {
            Record::File(_, state) if state != *self => {
                return Err("a file does not go on where the one before it ends".into());
            }
            Record::File(..) => {}
            Record::Vote(vote) => self.vote = Some(vote),
            Record::Entry(id, _) if self.last.is_some() && id.index != self.next() => {
                return Err(format!("the entry {} follows where {} has to", id.index, self.next()));
            }
            Record::Entry(id, _) => self.last = Some(id),
            Record::Committed(id) => self.committed = Some(id),
            Record::Truncated(last) if later(self.committed, last) != last => {
                return Err("what is committed is never cut off".into());
            }
            Record::Truncated(last) => self.last = later(last, self.purged),
            // What is purged may lie ahead of this log.
            Record::Purged(id) => {
                self.purged = later(self.purged, Some(id));
                self.last = later(self.last, self.purged);
            }
        }
        Ok(())
    }
}

impl Record<'_> {
    /// Writes a record behind others; a payload is no longer than `codec` lets anything be.
    pub(super) fn put(&self, to: &mut Vec<u8>) {
        match *self {
            Record::File(len, state) => {
                to.put_u8(FILE);
                to.put_u64(len);
                put_option(to, state.vote, put_vote);
                put_option(to, state.committed, put_id);
                put_option(to, state.last, put_id);
                put_option(to, state.purged, put_id);
            }
            Record::Vote(vote) => {
                to.put_u8(VOTE);
                put_vote(to, vote);
            }
            Record::Entry(id, payload) => {
                to.put_u8(ENTRY);
                let begin = to.len();
                put_id(to, id);
                to.put_u32(payload.len() as u32);
                let sum = sum(&to[begin..], payload);
                to.put_u32(sum);
                to.put_slice(payload);
            }
            Record::Committed(id) => {
                to.put_u8(COMMITTED);
                put_id(to, id);
            }
            Record::Truncated(last) => {
                to.put_u8(TRUNCATED);
                put_option(to, last, put_id);
            }
            Record::Purged(id) => {
                to.put_u8(PURGED);
                put_id(to, id);
            }
        }
    }

    /// Reads a record, and leaves what is behind it; none at the end of a frame.
    pub(super) fn take<'a>(from: &mut &'a [u8]) -> io::Result<Option<Record<'a>>> {
        if from.first().is_none_or(|kind| *kind == FILL) {
            return Ok(None);
        }
        read(from).map(Some).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a record"))
    }
}

/// The id with the higher index; the first where they are the same.
fn later(one: Option<form::LogId>, other: Option<form::LogId>) -> Option<form::LogId> {
    if other.map(|id| id.index) > one.map(|id| id.index) { other } else { one }
}

/// What is wrong with a record, of this form or the earlier one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It goes on behind the end.
    Short,
    Damaged,
}

impl From<TryGetError> for Broken {
    fn from(_: TryGetError) -> Broken {
        Broken::Short
    }
}

fn read<'a>(from: &mut &'a [u8]) -> Result<Record<'a>, Broken> {
    Ok(match from.try_get_u8()? {
        FILE => {
            let len = from.try_get_u64()?;
            let vote = get_option(from, get_vote)?;
            let committed = get_option(from, get_id)?;
            let last = get_option(from, get_id)?;
            Record::File(len, State { vote, committed, last, purged: get_option(from, get_id)? })
        }
        VOTE => Record::Vote(get_vote(from)?),
        ENTRY => {
            let begin = *from;
            let id = get_id(from)?;
            let len = from.try_get_u32()?;
            let head = &begin[..begin.len() - from.len()];
            let expected = from.try_get_u32()?;
            let (payload, rest) = from.split_at_checked(len as usize).ok_or(Broken::Short)?;
            if sum(head, payload) != expected {
                return Err(Broken::Damaged);
            }
            *from = rest;
            Record::Entry(id, payload)
        }
        COMMITTED => Record::Committed(get_id(from)?),
        TRUNCATED => Record::Truncated(get_option(from, get_id)?),
        PURGED => Record::Purged(get_id(from)?),
        _ => return Err(Broken::Damaged),
    })
}

fn sum(head: &[u8], payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(head);
    sum.update(payload);
    sum.finalize()
}

fn put_option<T>(to: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    to.put_u8(value.is_some().into());
    if let Some(value) = value {
        put(to, value);
    }
}

fn put_id(to: &mut Vec<u8>, id: form::LogId) {
    to.put_u64(id.term);
    to.put_u64(id.node);
    to.put_u64(id.index);
}

fn put_vote(to: &mut Vec<u8>, vote: form::Vote) {
    to.put_u64(vote.term);
    to.put_u64(vote.node);
    to.put_u8(vote.committed.into());
}

pub(super) fn get_option<'a, T>(
    from: &mut &'a [u8],
    get: impl FnOnce(&mut &'a [u8]) -> Result<T, Broken>,
) -> Result<Option<T>, Broken> {
    match from.try_get_u8()? {
        0 => Ok(None),
        1 => get(from).map(Some),
        _ => Err(Broken::Damaged),
    }
}

pub(super) fn get_id(from: &mut &[u8]) -> Result<form::LogId, Broken> {
    let term = from.try_get_u64()?;
    let node = from.try_get_u64()?;
    Ok(form::LogId { term, node, index: from.try_get_u64()? })
}

pub(super) fn get_vote(from: &mut &[u8]) -> Result<form::Vote, Broken> {
    let term = from.try_get_u64()?;
    let node = from.try_get_u64()?;
    match from.try_get_u8()? {
        committed @ 0..=1 => Ok(form::Vote { term, node, committed: committed == 1 }),
        _ => Err(Broken::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(index: u64) -> form::LogId {
        form::LogId { term: 3, node: 2, index }
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let vote = form::Vote { term: 3, node: 2, committed: true };
        let state = State { vote: Some(vote), committed: None, last: Some(id(9)), purged: Some(id(4)) };
        let rows = [
            (
                Record::File(4096, state),
                "01000000000000100001000000000000000300000000000000020100010000000000000003000000000000000200000000\
                 0000000901000000000000000300000000000000020000000000000004",
            ),
            (Record::Vote(vote), "020000000000000003000000000000000201"),
            (Record::Entry(id(5), b"abc"), "0300000000000000030000000000000002000000000000000500000003"),
            (Record::Committed(id(5)), "04000000000000000300000000000000020000000000000005"),
            (Record::Truncated(None), "0500"),
            (Record::Purged(id(5)), "06000000000000000300000000000000020000000000000005"),
        ];
        for (record, expected) in rows {
            let mut bytes = Vec::new();
            record.put(&mut bytes);
            assert!(hex::encode(&bytes).starts_with(expected), "{record:?}: {}", hex::encode(&bytes));
            for end in 1..bytes.len() {
                assert!(Record::take(&mut &bytes[..end]).is_err(), "{end} bytes of {record:?}");
            }
            bytes.push(FILL);
            let mut rest = bytes.as_slice();
            assert_eq!(Record::take(&mut rest).unwrap(), Some(record));
            assert_eq!(Record::take(&mut rest).unwrap(), None);
            assert_eq!(rest, [FILL]);
        }
        assert!(Record::take(&mut &[7][..]).is_err(), "a kind that there is not");
    }

    #[test]
    fn an_entry_that_is_read_alone_is_checked() {
        let mut bytes = Vec::new();
        Record::Entry(id(5), b"abc").put(&mut bytes);
        for bit in 8..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Record::take(&mut bytes.as_slice()).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn entries_follow_each_other() {
        let mut state = State::default();
        for index in 0..3 {
            state.apply(&Record::Entry(id(index), b"")).unwrap();
        }
        state.apply(&Record::Truncated(Some(id(0)))).unwrap();
        assert!(state.apply(&Record::Entry(id(2), b"")).is_err());
        state.apply(&Record::Purged(id(7))).unwrap();
        assert_eq!((state.last, state.purged, state.first(), state.next()), (Some(id(7)), Some(id(7)), 8, 8));
        state.apply(&Record::Purged(id(3))).unwrap();
        state.apply(&Record::Truncated(None)).unwrap();
        assert_eq!((state.last, state.purged), (Some(id(7)), Some(id(7))), "what is purged stays so");
        assert!(state.apply(&Record::File(0, State::default())).is_err());
        state.apply(&Record::File(0, state)).unwrap();
    }
}
