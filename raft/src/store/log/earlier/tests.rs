//! The earlier form, as `raft-log` wrote it; `stories/upgrade` opens a whole directory that it wrote.

use tempfile::TempDir;

use super::*;
use crate::codec::Content;
use crate::form;
use crate::store::log::LogStore;

/// Records with their checksums, as the package wrote them.
#[derive(Default)]
struct Old(Vec<u8>);

impl Old {
    fn put(mut self, kind: u32, parts: &[&[u8]]) -> Old {
        let begin = self.0.len();
        self.0.extend(kind.to_be_bytes());
        parts.iter().for_each(|part| self.0.extend(*part));
        let sum = crc32fast::hash(&self.0[begin..]);
        self.0.extend(u64::from(sum).to_be_bytes());
        self
    }

    /// The first record of a file: vote, last, committed and purged.
    fn state(self, vote: Option<&[u8]>, ids: [Option<u64>; 3]) -> Old {
        let option = |value: Option<Vec<u8>>| value.map_or(vec![0], |value| [vec![1], value].concat());
        let ids = ids.map(|index| option(index.map(id)));
        self.put(5, &[&[1], &option(vote.map(<[u8]>::to_vec)), &ids[0], &ids[1], &ids[2], &[0]])
    }

    fn entry(self, index: u64) -> Old {
        let payload = payload(index);
        self.put(1, &[&id(index), &(payload.len() as u32).to_be_bytes(), &payload])
    }
}

fn payload(index: u64) -> Vec<u8> {
    let batch = form::Payload::Batch(vec![index as u8; 12].into());
    codec::encode(Content::LogPayload, &batch).unwrap()
}

fn id(index: u64) -> Vec<u8> {
    [1, 1, index].map(u64::to_be_bytes).concat()
}

const VOTE: [u8; 17] = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0];

/// A log of four entries in one file.
fn one_file() -> Vec<u8> {
    (0..4).fold(Old::default().state(None, [None; 3]).put(0, &[&VOTE]), Old::entry).0
}

fn name(offset: usize) -> String {
    let digits = format!("{offset:020}");
    let groups = [
        &digits[..2],
        &digits[2..5],
        &digits[5..8],
        &digits[8..11],
        &digits[11..14],
        &digits[14..17],
        &digits[17..],
    ];
    format!("r-{}.wal", groups.join("_"))
}

fn directory(files: &[&[u8]]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut offset = 0;
    for file in files {
        fs::write(dir.path().join(name(offset)), file).unwrap();
        offset += file.len();
    }
    dir
}

fn indexes(dir: &TempDir) -> Result<Vec<u64>, Unopened> {
    let log = LogStore::open(dir.path())?;
    assert_eq!(list(dir.path()).unwrap(), []);
    Ok(log.read(0, u64::MAX, usize::MAX).unwrap().into_iter().map(|entry| entry.log_id.index).collect())
}

#[track_caller]
fn refused(dir: &TempDir) {
    let files = list(dir.path()).unwrap();
    match indexes(dir) {
        Err(Unopened::Damaged(_)) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(list(dir.path()).unwrap(), files, "nothing was changed");
    assert!(!files::exist(dir.path()).unwrap());
}

#[test]
fn all_of_a_log_is_brought_over() {
    let first = (0..6).fold(Old::default().state(None, [None; 3]).put(0, &[&VOTE]), Old::entry).0;
    let second = Old::default()
        .state(Some(&VOTE), [Some(5), None, None])
        .put(2, &[&id(2)])
        .put(3, &[&[1], &id(3)])
        .entry(4)
        .put(4, &[&id(1)])
        .0;
    let dir = directory(&[&first, &second]);
    assert_eq!(indexes(&dir).unwrap(), [2, 3, 4]);
    let log = LogStore::open(dir.path()).unwrap();
    let some = |index| Some(form::LogId { term: 1, node: 1, index });
    let vote = Some(form::Vote { term: 1, node: 1, committed: false });
    assert_eq!(log.state(), State { vote, committed: some(2), last: some(4), purged: some(1) });
    for entry in log.read(2, 5, usize::MAX).unwrap() {
        let found = form::Entry::from(&entry).payload;
        assert_eq!(codec::encode(Content::LogPayload, &found).unwrap(), payload(entry.log_id.index));
    }
    // The first file may be gone when all that is in it was purged, and not else.
    let all_purged = Old::default().state(Some(&VOTE), [Some(5), None, Some(2)]).put(4, &[&id(5)]).entry(6).0;
    assert_eq!(indexes(&directory(&[&all_purged])).unwrap(), [6]);
    let gone = directory(&[&first, &second]);
    fs::remove_file(gone.path().join(name(0))).unwrap();
    refused(&gone);
}

#[test]
fn a_start_that_was_cut_short_begins_again_or_goes_on() {
    let dir = directory(&[&one_file()]);
    fs::write(dir.path().join(files::PARTIAL), b"begun").unwrap();
    assert_eq!(indexes(&dir).unwrap(), [0, 1, 2, 3]);
    // The old file is still there, and may not be whole any more.
    fs::write(dir.path().join(name(0)), b"half").unwrap();
    assert_eq!(indexes(&dir).unwrap(), [0, 1, 2, 3]);
}

#[test]
fn a_torn_end_is_cut_off() {
    let whole = one_file();
    let record = Old::default().entry(3).0.len();
    for missing in 1..=record {
        assert_eq!(indexes(&directory(&[&whole[..whole.len() - missing]])).unwrap(), [0, 1, 2], "{missing}");
    }
    // Space that was given to the file and never written; a file that was only just begun.
    assert_eq!(indexes(&directory(&[&[&whole[..], &[0; 5000]].concat()])).unwrap(), [0, 1, 2, 3]);
    assert_eq!(indexes(&directory(&[&whole, b""])).unwrap(), [0, 1, 2, 3]);
    assert_eq!(indexes(&directory(&[&whole, &[0, 0, 0, 5, 1]])).unwrap(), [0, 1, 2, 3]);
    assert_eq!(indexes(&directory(&[b""])).unwrap(), []);
}

#[test]
fn a_flipped_bit_is_refused_wherever_it_is() {
    let whole = one_file();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refused(&directory(&[&flipped]));
    }
}

#[test]
fn a_lost_or_emptied_file_is_refused() {
    let second = Old::default().state(Some(&VOTE), [Some(3), None, None]).entry(4).0;
    assert_eq!(indexes(&directory(&[&one_file(), &second])).unwrap(), [0, 1, 2, 3, 4]);
    for harmed in [b"", &one_file()[..90]] {
        let dir = directory(&[&one_file(), &second]);
        fs::write(dir.path().join(name(0)), harmed).unwrap();
        refused(&dir);
    }
    let dir = directory(&[&one_file(), &second, b"x"]);
    fs::remove_file(dir.path().join(name(one_file().len()))).unwrap();
    refused(&dir);
}
