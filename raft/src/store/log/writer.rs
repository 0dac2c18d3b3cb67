//! The thread that brings the log to the disk: all that came while one flush went on goes with the next, as one frame.

use std::fs;
use std::io;
use std::mem;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openraft::storage::IOFlushed;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::store::log::files::{LogFile, Spare};
use crate::store::log::frame::{self, HEAD_BYTES};
use crate::store::log::memory::Memory;
use crate::store::log::places::Mark;
use crate::store::log::record::{Record, State};
use crate::types::TypeConfig;

/// A buffer that grew beyond this goes when its frame is written.
const BUFFER_BYTES_MAX: usize = 1 << 20;

/// What goes to the disk with one flush.
#[derive(Default)]
pub(super) struct Frame {
    /// Room for the head, then records.
    bytes: Vec<u8>,
    marks: Vec<Mark>,
    waiting: Vec<Flushed>,
    /// The lowest index of an entry in it.
    pub(super) lowest: Option<u64>,
}

impl Frame {
    /// Adds a record, after which the log is in this state.
    pub(super) fn put(&mut self, record: &Record<'_>, state: &State) {
        if self.bytes.is_empty() {
            self.bytes.resize(HEAD_BYTES, 0);
        }
        let begin = self.bytes.len();
        record.put(&mut self.bytes);
        let position = (begin - HEAD_BYTES) as u64;
        if let Some(mark) = Mark::of(record, state, position, self.bytes.len() - begin) {
            self.marks.push(mark);
        }
        if let Record::Entry(id, _) = record {
            self.lowest = Some(self.lowest.map_or(id.index, |lowest| lowest.min(id.index)));
        }
    }

    /// Has somebody told when it is on the disk.
    pub(super) fn tell(&mut self, waiting: Flushed) {
        self.waiting.push(waiting);
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(BUFFER_BYTES_MAX);
        self.marks.clear();
        self.lowest = None;
    }
}

/// Who waits for a flush.
pub(super) enum Flushed {
    Raft(IOFlushed<TypeConfig>),
    Signal(oneshot::Sender<io::Result<()>>),
}

impl Flushed {
    fn send(self, result: io::Result<()>) {
        match self {
            Flushed::Raft(callback) => callback.io_completed(result),
            // The one who waited may have gone; the flush is done all the same.
            Flushed::Signal(sender) => drop(sender.send(result)),
        }
    }
}

/// What the writer's thread shares with those who append and read.
pub(super) struct Shared {
    pub(super) memory: Mutex<Memory>,
    pub(super) work: Condvar,
}

/// The files, to be written to.
pub(super) struct Writer {
    dir: PathBuf,
    file: LogFile,
    spare: Spare,
}

impl Writer {
    /// Goes on in a file; later ones get this length.
    pub(super) fn new(dir: &Path, file: LogFile, file_bytes: u64) -> Writer {
        Writer { dir: dir.into(), file, spare: Spare::new(dir, file_bytes) }
    }

    /// Works until the log is closed and everything is written. After an error nobody knows what is on the disk, so
    /// nothing is written any more.
    pub(super) fn run(mut self, shared: &Arc<Shared>) {
        let mut frame = Frame::default();
        while let Some(before) = next(shared, &mut frame) {
            let base = self.file.base;
            let written = self.write(&mut frame, before);
            let gone = {
                let mut memory = shared.memory.lock();
                match &written {
                    Ok(position) => {
                        let begun = (self.file.base != base).then_some((self.file.base, before));
                        memory.wrote(&frame.marks, position + HEAD_BYTES as u64, begun)
                    }
                    Err(error) => {
                        memory.failed = Some(copy(error));
                        Vec::new()
                    }
                }
            };
            for waiting in frame.waiting.drain(..) {
                waiting.send(written.as_ref().map(drop).map_err(copy));
            }
            frame.clear();
            for path in gone {
                if let Err(error) = fs::remove_file(&path) {
                    tracing::warn!(path = %path.display(), %error, "a file of the log that is not needed stays");
                }
            }
        }
        let mut memory = shared.memory.lock();
        let left = mem::take(&mut memory.next.waiting);
        let error = memory.failed.as_ref().map(copy);
        drop(memory);
        for waiting in left {
            waiting.send(error.as_ref().map_or(Ok(()), |error| Err(copy(error))));
        }
    }

    /// Brings a frame to the disk, and gives its position. One without a record waits only for those before it.
    fn write(&mut self, frame: &mut Frame, before: State) -> io::Result<u64> {
        if frame.bytes.is_empty() {
            return Ok(self.file.base + self.file.at);
        }
        let len = frame.bytes.len().next_multiple_of(HEAD_BYTES) as u64;
        u32::try_from(len).map_err(io::Error::other)?;
        if self.file.at + len > self.file.len {
            let prepared = self.spare.take(len)?;
            self.file = LogFile::begin(&self.dir, prepared, self.file.base + self.file.len, before)?;
        }
        let position = self.file.base + self.file.at;
        frame::seal(&mut frame.bytes, position);
        self.file.file.write_all_at(&frame.bytes, self.file.at)?;
        self.file.file.sync_data()?;
        self.file.at += len;
        if self.file.at > self.file.len / 2 {
            self.spare.prepare();
        }
        Ok(position)
    }
}

/// Waits for a frame that somebody waits for, and gives the state of the log before it; none when the log is closed.
fn next(shared: &Shared, frame: &mut Frame) -> Option<State> {
    let mut memory = shared.memory.lock();
    while memory.next.waiting.is_empty() && !memory.closing {
        shared.work.wait(&mut memory);
    }
    let ended = memory.closing && memory.next.waiting.is_empty() && memory.next.bytes.is_empty();
    if ended || memory.failed.is_some() {
        return None;
    }
    Some(memory.hand_over(frame))
}

/// The same error once more: each of those who wait is told.
pub(super) fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
