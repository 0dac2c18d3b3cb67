//! The files of the log: how they are made, and what is read out of them at a start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use crate::store::damage::Unopened;
use crate::store::log::frame::{self, Found, HEAD_BYTES, SECTOR_BYTES};
use crate::store::log::places::{self, Mark, Places};
use crate::store::log::record::{Record, State};

/// A file that is not yet one of the log.
pub(super) const PARTIAL: &str = "next.partial";
/// Zeros are written this many at a time.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// The file that is written to.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) file: File,
    /// The position of its first byte in the log.
    pub(super) base: u64,
    pub(super) len: u64,
    /// Where the next frame goes.
    pub(super) at: u64,
}

impl LogFile {
    /// Begins a file of the log, on disk when this returns. Nothing that follows would be found without it.
    pub(super) fn begin(dir: &Path, prepared: Prepared, base: u64, state: State) -> io::Result<LogFile> {
        let Prepared { file, len } = prepared;
        let frame = first_frame(len, state, base);
        file.write_all_at(&frame, 0)?;
        file.sync_data()?;
        fs::rename(dir.join(PARTIAL), dir.join(places::name(base)))?;
        File::open(dir)?.sync_all()?;
        Ok(LogFile { file, base, len, at: frame.len() as u64 })
    }
}

/// The first frame of a file of this length; its own length does not depend on that.
pub(super) fn first_frame(len: u64, state: State, base: u64) -> Vec<u8> {
    let mut frame = vec![0; HEAD_BYTES];
    Record::File(len, state).put(&mut frame);
    frame::seal(&mut frame, base);
    frame
}

/// The bytes that the first frame of a file takes, at most.
pub(super) const BEGIN_BYTES_MAX: u64 = 160;

/// A file of zeros, on disk, without its name.
#[derive(Debug)]
pub(super) struct Prepared {
    file: File,
    len: u64,
}

impl Prepared {
    /// Makes one of this length, and writes zeros to all of it: to fill a hole later takes longer than to overwrite.
    fn new(dir: &Path, len: u64) -> io::Result<Prepared> {
        let len = len.next_multiple_of(SECTOR_BYTES as u64);
        let path = dir.join(PARTIAL);
        let made = zeros(&path, len);
        if made.is_err() {
            // What there is of it may have taken the last room.
            drop(fs::remove_file(path));
        }
        Ok(Prepared { file: made?, len })
    }
}

fn zeros(path: &Path, len: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
    let mut left = len;
    while left > 0 {
        let part = left.min(ZEROS.len() as u64);
        file.write_all(&ZEROS[..part as usize])?;
        left -= part;
    }
    file.sync_all()?;
    Ok(file)
}

/// The next file, which is made beside the work when the one before it is half full.
#[derive(Debug)]
pub(super) struct Spare {
    dir: PathBuf,
    len: u64,
    making: Option<JoinHandle<io::Result<Prepared>>>,
}

impl Spare {
    /// Files get this length, or what they need.
    pub(super) fn new(dir: &Path, len: u64) -> Spare {
        Spare { dir: dir.into(), len, making: None }
    }

    /// Has it made, if there is a thread to be had; else it is made when it is needed.
    pub(super) fn prepare(&mut self) {
        if self.making.is_none() {
            let (dir, len) = (self.dir.clone(), self.len);
            let make = move || Prepared::new(&dir, len);
            self.making = thread::Builder::new().name("log-file".into()).spawn(make).ok();
        }
    }

    /// A file that has room for this many bytes behind its first frame.
    pub(super) fn take(&mut self, bytes: u64) -> io::Result<Prepared> {
        let needed = bytes + BEGIN_BYTES_MAX;
        if let Some(Ok(Ok(prepared))) = self.making.take().map(JoinHandle::join)
            && prepared.len >= needed
        {
            return Ok(prepared);
        }
        match Prepared::new(&self.dir, needed.max(self.len)) {
            // Without room for a whole file there may be some for what is to be written now.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Prepared::new(&self.dir, needed),
            prepared => prepared,
        }
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        // The directory may belong to somebody else a moment later.
        drop(self.making.take().map(JoinHandle::join));
    }
}

/// What the files of a directory hold.
pub(super) struct Read {
    pub(super) state: State,
    pub(super) places: Places,
    pub(super) last: LogFile,
}

/// Reads the log of a directory, and cuts off an end that is torn; none when there is no file.
pub(super) fn read(dir: &Path) -> Result<Option<Read>, Unopened> {
    let partial = dir.join(PARTIAL);
    if partial.try_exists()? {
        fs::remove_file(partial)?;
    }
    let (leftover, files) = follow(list(dir)?);
    let Some(((last_base, last_path), closed)) = files.split_last() else { return Ok(None) };
    let mut read = Reader { state: State::default(), places: Places::new(dir), begins_behind: None };
    for (base, path) in closed {
        let bytes = fs::read(path)?;
        let end = read.file(*base, path, &bytes)?;
        if !is_zero(&bytes[end..]) {
            return Err(damaged(path, end));
        }
    }
    let bytes = fs::read(last_path)?;
    let end = read.file(*last_base, last_path, &bytes)?;
    if frame::any_from(&bytes, *last_base, end + HEAD_BYTES) {
        return Err(damaged(last_path, end));
    }
    let (state, mut places) = read.whole()?;
    let file = OpenOptions::new().read(true).write(true).open(last_path)?;
    if let Some(written) = bytes[end..].iter().rposition(|byte| *byte != 0) {
        tracing::warn!(bytes = written + 1, "the end of the log was not written whole; it is cut off");
        file.write_all_at(&vec![0; written + 1], end as u64)?;
        file.sync_data()?;
    }
    for path in
        leftover.into_iter().map(|(_, path)| path).chain(places.forget(state.purged.map(|id| id.index)))
    {
        fs::remove_file(path)?;
    }
    let last = LogFile { file, base: *last_base, len: bytes.len() as u64, at: end as u64 };
    Ok(Some(Read { state, places, last }))
}

/// Whether a directory has any file of the log.
pub(super) fn exist(dir: &Path) -> io::Result<bool> {
    Ok(!list(dir)?.is_empty())
}

type Named = (u64, PathBuf);

/// The files by their positions.
fn list(dir: &Path) -> io::Result<Vec<Named>> {
    let mut files = Vec::new();
    for item in fs::read_dir(dir)? {
        let path = item?.path();
        let base = path.file_name().and_then(|name| name.to_str()).and_then(|name| {
            let base = name.strip_suffix(places::ENDING)?.strip_suffix('.')?.parse().ok()?;
            (places::name(base) == name).then_some(base)
        });
        files.extend(base.map(|base| (base, path)));
    }
    files.sort();
    Ok(files)
}

/// Parts the files that follow each other up to the last from those before a gap: a crash may bring a file back that
/// was removed, and not one that was removed before it.
fn follow(mut files: Vec<Named>) -> (Vec<Named>, Vec<Named>) {
    let follows =
        |pair: &[Named]| fs::metadata(&pair[0].1).is_ok_and(|file| pair[0].0 + file.len() == pair[1].0);
    let begin = files.windows(2).rposition(|pair| !follows(pair)).map_or(0, |gap| gap + 1);
    let run = files.split_off(begin);
    (files, run)
}

struct Reader {
    state: State,
    places: Places,
    /// The last index in the files that are gone.
    begins_behind: Option<u64>,
}

impl Reader {
    /// Reads a file up to where nothing whole follows, and gives that place.
    fn file(&mut self, base: u64, path: &Path, bytes: &[u8]) -> Result<usize, Unopened> {
        let mut at = 0;
        loop {
            let body = match frame::find(bytes, base, at) {
                Found::Whole(body) => body,
                Found::Nothing | Found::Torn if at > 0 => return Ok(at),
                _ => return Err(damaged(path, at)),
            };
            at += HEAD_BYTES;
            let mut rest = body;
            loop {
                let begin = body.len() - rest.len();
                let Some(record) = Record::take(&mut rest)? else { break };
                let len = body.len() - rest.len() - begin;
                match record {
                    Record::File(expected, state) if at + begin == HEAD_BYTES => {
                        self.begun(base, state, expected, bytes.len() as u64)?;
                    }
                    Record::File(..) => return Err(damaged(path, at + begin)),
                    _ if at == HEAD_BYTES && begin == 0 => return Err(damaged(path, 0)),
                    _ => {}
                }
                self.state.apply(&record).map_err(Unopened::Damaged)?;
                if let Some(mark) = Mark::of(&record, &self.state, base + (at + begin) as u64, len) {
                    self.places.take(mark, 0);
                }
            }
            at += body.len();
        }
    }

    /// The first record of a file.
    fn begun(&mut self, base: u64, state: State, expected: u64, len: u64) -> Result<(), Unopened> {
        if len != expected {
            let name = places::name(base);
            return Err(Unopened::Damaged(format!("{name} has {len} bytes and not {expected}")));
        }
        if self.places.is_new() {
            self.state = state;
            self.begins_behind = state.last.map(|last| last.index);
        }
        self.places.begun(base, &state);
        Ok(())
    }

    /// Whether nothing is missing before the first file.
    fn whole(self) -> Result<(State, Places), Unopened> {
        let first = self.state.first();
        let purged = self.state.purged.map(|id| id.index);
        if self.begins_behind > purged || self.places.first().is_some_and(|found| found > first) {
            return Err(Unopened::Damaged(format!("the entry {first} is missing")));
        }
        Ok((self.state, self.places))
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// What to say of a file, in this form or the earlier one.
pub(super) fn damaged(path: &Path, at: usize) -> Unopened {
    Unopened::Damaged(format!("what stands at byte {at} of {} is not what was written", path.display()))
}
