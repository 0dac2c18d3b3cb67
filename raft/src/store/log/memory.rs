//! What is in memory of the log: what it comes to, its last entries, what goes to the disk next, and where the rest is.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::path::PathBuf;

use openraft::EntryPayload;
use openraft::entry::RaftEntry;

use crate::codec::{self, Content};
use crate::form;
use crate::store::log::places::{Mark, Places, Run};
use crate::store::log::record::{Record, State};
use crate::store::log::writer::{Flushed, Frame, copy};
use crate::types::Entry;

/// Payloads kept in memory, in bytes; older ones are read from disk.
const BYTES_MAX: usize = 4 << 20;
/// Entries kept in memory.
const ENTRIES_MAX: usize = 16_384;

/// The part of the log that is in memory, and where the other part is.
pub(super) struct Memory {
    /// After all that was asked for.
    pub(super) state: State,
    /// After all that was handed to the writer.
    handed: State,
    /// The entries up to the last, without a gap; all that are not on the disk are among them.
    recent: VecDeque<Entry>,
    recent_bytes: usize,
    /// The lowest index of an entry that the writer is at.
    writing: Option<u64>,
    places: Places,
    pub(super) next: Frame,
    /// Why nothing is written any more.
    pub(super) failed: Option<io::Error>,
    /// Nothing more comes.
    pub(super) closing: bool,
    payload: Vec<u8>,
}

/// A part of what was asked for.
pub(super) enum Part {
    /// To be read from disk.
    Stored(Run),
    /// From memory.
    Recent(Vec<Entry>),
}

impl Memory {
    /// As the files have it.
    pub(super) fn new(state: State, places: Places) -> Memory {
        Memory {
            state,
            handed: state,
            recent: VecDeque::new(),
            recent_bytes: 0,
            writing: None,
            places,
            next: Frame::default(),
            failed: None,
            closing: false,
            payload: Vec::new(),
        }
    }

    /// Adds an entry. Nothing of it was added if this fails.
    pub(super) fn append(&mut self, entry: Entry) -> io::Result<()> {
        let form::Entry { log_id, payload } = form::Entry::from(&entry);
        let mut bytes = mem::take(&mut self.payload);
        codec::encode_into(&mut bytes, Content::LogPayload, &payload)?;
        let put = self.put(&Record::Entry(log_id, &bytes));
        self.payload = bytes;
        put?;
        self.recent_bytes += entry_bytes(&entry);
        self.recent.push_back(entry);
        self.evict();
        Ok(())
    }

    /// Adds any other record.
    pub(super) fn put(&mut self, record: &Record<'_>) -> io::Result<()> {
        if let Some(error) = &self.failed {
            return Err(copy(error));
        }
        self.state.apply(record).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        match record {
            Record::Truncated(_) => {
                let next = self.state.next();
                while self.recent.back().is_some_and(|entry| entry.index() >= next) {
                    self.recent_bytes -= self.recent.pop_back().map_or(0, |entry| entry_bytes(&entry));
                }
            }
            Record::Purged(_) => {
                let first = self.state.first();
                while self.recent.front().is_some_and(|entry| entry.index() < first) {
                    self.recent_bytes -= self.recent.pop_front().map_or(0, |entry| entry_bytes(&entry));
                }
            }
            _ => {}
        }
        self.next.put(record, &self.state);
        Ok(())
    }

    /// Has somebody told when all that was added is on the disk.
    pub(super) fn tell(&mut self, waiting: Flushed) -> io::Result<()> {
        if let Some(error) = &self.failed {
            return Err(copy(error));
        }
        self.next.tell(waiting);
        Ok(())
    }

    /// Hands over what is to be written, and gives the state of the log before it.
    pub(super) fn hand_over(&mut self, frame: &mut Frame) -> State {
        mem::swap(&mut self.next, frame);
        self.writing = frame.lowest;
        mem::replace(&mut self.handed, self.state)
    }

    /// What was handed over is on the disk, and maybe a file was begun with it; gives the files that can go.
    pub(super) fn wrote(&mut self, marks: &[Mark], body: u64, begun: Option<(u64, State)>) -> Vec<PathBuf> {
        self.writing = None;
        if let Some((base, state)) = begun {
            self.places.begun(base, &state);
        }
        for mark in marks {
            self.places.take(*mark, body);
        }
        self.evict();
        let purges = marks.iter().any(|mark| matches!(mark, Mark::Purged(_)));
        if purges { self.places.forget(self.handed.purged.map(|id| id.index)) } else { Vec::new() }
    }

    /// Entries from an index up to another one, or to this many bytes of payload, after at least one.
    pub(super) fn parts(&mut self, from: u64, to: u64, bytes_max: usize) -> io::Result<Vec<Part>> {
        let mut parts = Vec::new();
        let recent = self.recent.front().map_or(u64::MAX, |entry| entry.index());
        let first = self.places.first().map_or(recent, |stored| stored.min(recent));
        let mut at = from.max(self.state.first()).max(first);
        let to = to.min(self.state.next());
        let mut bytes = 0;
        while at < to.min(recent) && (parts.is_empty() || bytes < bytes_max) {
            let run = self.places.run(at, to.min(recent), bytes_max.saturating_sub(bytes))?;
            let run = run.ok_or_else(|| io::Error::other(format!("the entry {at} is not in the log")))?;
            at += run.count();
            bytes += run.bytes();
            parts.push(Part::Stored(run));
        }
        let mut entries = Vec::new();
        while at < to && at >= recent && ((parts.is_empty() && entries.is_empty()) || bytes < bytes_max) {
            let entry = &self.recent[(at - recent) as usize];
            bytes += entry_bytes(entry);
            entries.push(entry.clone());
            at += 1;
        }
        parts.push(Part::Recent(entries));
        Ok(parts)
    }

    /// Drops the oldest entries that are on the disk, down to the limits.
    fn evict(&mut self) {
        let lowest = [self.writing, self.next.lowest].into_iter().flatten().min().unwrap_or(u64::MAX);
        while (self.recent_bytes > BYTES_MAX || self.recent.len() > ENTRIES_MAX)
            && self.recent.front().is_some_and(|entry| entry.index() < lowest)
        {
            self.recent_bytes -= self.recent.pop_front().map_or(0, |entry| entry_bytes(&entry));
        }
    }
}

/// About what an entry takes in memory.
fn entry_bytes(entry: &Entry) -> usize {
    match &entry.payload {
        EntryPayload::Blank => 0,
        EntryPayload::Normal(batch) => batch.0.len(),
        EntryPayload::Membership(_) => 1024,
    }
}
