//! The files of a data directory, and backups. Of those with checksums some are made with the right ones, so that what
//! is behind a checksum is read too.

use std::fs;
use std::path::Path;

use openraft::storage::RaftLogReader;
use tokio::runtime::Builder;

use super::{chosen, pieces, records};
use crate::CheckedBackup;
use crate::blocklist::{Kind, List, Record};
use crate::codec::{self, Content};
use crate::form;
use crate::request::RequestId;
use crate::store::fuzzed::log_file_of;
use crate::store::{
    Kept, LogStore, PendingFile, SnapshotFile, SnapshotHeader, Snapshots, StateDigest, last_incarnation,
    next_incarnation, read_identity,
};

/// How the first file of the log is called, now and in its earlier form.
const LOG_FILE: &str = "00000000000000000000.log";
const EARLIER_LOG_FILE: &str = "r-00_000_000_000_000_000_000.wal";

/// A digit for the file, then its bytes, or pieces of which it is made. A file is refused, cut or taken; what is taken
/// is found again by a second look, and is what plain reading finds in the pieces. `dir` is emptied.
pub fn files(dir: &Path, data: &[u8]) {
    let Some((file, bytes)) = chosen(data) else { return };
    drop(fs::remove_dir_all(dir));
    fs::create_dir_all(dir).expect("a directory");
    match file % 9 {
        0 => drop(pending(dir, bytes)),
        1 => pending_of(dir, &pieces(bytes)),
        2 => snapshot(dir, bytes),
        3 => snapshot_of(dir, &pieces(bytes)),
        4 => backup_of(dir, &pieces(bytes)),
        5 => log(dir, EARLIER_LOG_FILE, bytes),
        6 => small(dir, bytes),
        7 => log(dir, LOG_FILE, bytes),
        _ => log(dir, LOG_FILE, &log_file_of(&pieces(bytes))),
    }
}

/// Reports that wait; none where the file is refused.
fn pending(dir: &Path, bytes: &[u8]) -> Option<Vec<Kept>> {
    fs::write(dir.join("pending"), bytes).expect("a file");
    let (mut file, kept) = PendingFile::open(dir).ok()?;
    assert!(file.len() <= bytes.len() as u64);
    let records: Vec<Vec<u8>> =
        kept.iter().map(|kept| crate::store::encode_kept(kept).expect("it can be kept")).collect();
    file.append(&records).expect("there is room");
    drop(file);
    let (_, again) = PendingFile::open(dir).expect("what was taken is taken again");
    assert_eq!(again, [kept.as_slice(), kept.as_slice()].concat());
    Some(kept)
}

fn pending_of(dir: &Path, pieces: &[&[u8]]) {
    let mut bytes = Vec::new();
    // Zeros, such as a crash leaves, are an empty record with the right checksum, and the end.
    let pieces: Vec<&[u8]> = pieces.iter().copied().filter(|piece| !piece.is_empty()).collect();
    for piece in &pieces {
        bytes.extend((piece.len() as u32).to_be_bytes());
        bytes.extend(crc32fast::hash(piece).to_be_bytes());
        bytes.extend(*piece);
    }
    let expected: Option<Vec<Kept>> =
        pieces.iter().map(|piece| codec::decode(Content::Pending, piece).ok()).collect();
    assert_eq!(pending(dir, &bytes), expected, "of {} records", pieces.len());
}

fn snapshot(dir: &Path, bytes: &[u8]) {
    let path = dir.join("snapshot");
    fs::write(&path, bytes).expect("a file");
    let file = SnapshotFile::open(path.clone()).expect("it is there");
    let whole = file.load();
    assert!(CheckedBackup::open(&path).is_err() || whole.is_ok(), "a backup is a whole snapshot");
    if let Ok((header, list)) = whole {
        written(dir, header, &list);
    }
}

/// The bytes of a snapshot with these records, and what their list is, if they all are records.
fn made_of(pieces: &[&[u8]]) -> (Vec<u8>, SnapshotHeader, Option<List>) {
    let mut digest = StateDigest::default();
    let mut list = Some(List::default());
    let pieces: Vec<&[u8]> = pieces.iter().copied().filter(|piece| !piece.is_empty()).collect();
    for piece in &pieces {
        digest.put(piece);
        list = list.and_then(|mut list| {
            list.restore(codec::decode::<Record>(Content::Record, piece).ok()?);
            Some(list)
        });
    }
    let last_log_id = Some(form::LogId { term: 1, node: 1, index: 7 });
    let header = SnapshotHeader { last_log_id, membership: form::StoredMembership::default(), digest };
    let stored = codec::encode(Content::SnapshotHeader, &header).expect("a header can be stored");
    let mut bytes = Vec::new();
    for value in [stored.as_slice()].into_iter().chain(pieces.iter().copied()) {
        bytes.extend((value.len() as u32).to_be_bytes());
        bytes.extend(value);
    }
    bytes.extend(0_u32.to_be_bytes());
    bytes.extend((pieces.len() as u64).to_be_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    (bytes, header, list)
}

fn snapshot_of(dir: &Path, pieces: &[&[u8]]) {
    let (bytes, header, list) = made_of(pieces);
    let path = dir.join("snapshot");
    fs::write(&path, bytes).expect("a file");
    match SnapshotFile::open(path).expect("it is there").load() {
        Err(error) => assert!(list.is_none(), "{error}"),
        Ok((read, loaded)) => {
            assert_eq!((&read, Some(&loaded)), (&header, list.as_ref()));
            written(dir, header, &loaded);
        }
    }
}

/// A list comes back from a snapshot as it was.
fn written(dir: &Path, header: SnapshotHeader, list: &List) {
    let mut digest = StateDigest::default();
    for record in list.records() {
        digest.put(&crate::store::encode_record(&record).expect("a record can be stored"));
    }
    let header = SnapshotHeader { digest, ..header };
    let Ok(snapshots) = Snapshots::open(&dir.join("snapshots")) else { panic!("no directory") };
    let file = snapshots.write(&header, list).expect("there is room");
    let (read, loaded) = file.load().expect("what was written can be read");
    assert_eq!((&read, &loaded), (&header, list));
}

fn backup_of(dir: &Path, pieces: &[&[u8]]) {
    let (bytes, _, list) = made_of(pieces);
    let path = dir.join("backup");
    fs::write(&path, bytes).expect("a file");
    match CheckedBackup::open(&path) {
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
        Ok(backup) => {
            let list = list.expect("all of it was read");
            let entries: usize = Kind::ALL.into_iter().map(|kind| list.entries(kind).count()).sum();
            assert_eq!((backup.entries(), backup.index()), (entries, 7));
            let runtime = Builder::new_current_thread().build().expect("a runtime");
            let restored = runtime.block_on(backup.restore(&dir.join("data"))).expect("there is room");
            let identity = read_identity(&dir.join("data")).expect("it is whole");
            assert_eq!(identity.map(|identity| identity.node_id), Some(restored.node_id));
            let Ok(snapshots) = Snapshots::open(&dir.join("data/snapshots")) else { panic!("no directory") };
            let (_, file) = snapshots.current().expect("it can be read").expect("there is one");
            records::is_whole(&file.load().expect("it is whole").1);
        }
    }
}

/// A log, of which all that was taken is found again.
fn log(dir: &Path, name: &str, bytes: &[u8]) {
    fs::write(dir.join(name), bytes).expect("a file");
    let read = || {
        let mut log = LogStore::open(dir).ok()?;
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        // An entry that cannot be read ends a node.
        let entries = runtime.block_on(log.try_get_log_entries(0..u64::MAX));
        let vote = runtime.block_on(log.read_vote()).ok()?;
        Some((log.bounds(), vote, entries.map(|entries| format!("{entries:?}")).ok()))
    };
    let taken = read();
    assert!(taken.is_none() || read() == taken, "a second start finds another log");
}

/// The identity, and the number of starts; a request's name, which has numbers too.
fn small(dir: &Path, bytes: &[u8]) {
    fs::write(dir.join("identity"), bytes).expect("a file");
    if let Ok(identity) = read_identity(dir) {
        let again =
            codec::encode(Content::Identity, &identity.expect("there is a file")).expect("it can be stored");
        assert!(again.len() <= bytes.len());
    }
    fs::write(dir.join("incarnation"), bytes).expect("a file");
    if let Ok(Some(last)) = last_incarnation(dir) {
        assert_eq!(
            next_incarnation(dir).ok(),
            last.checked_add(1),
            "no start has the number of an earlier one"
        );
    }
    if let Some(id) = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<RequestId>().ok()) {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
