//! Files in the data directory that hold anything: they are refused, cut or taken, never with a panic, and a second
//! look at what was taken finds the same.

use std::fs;
use std::path::{Path, PathBuf};

use openraft::storage::RaftLogStorage;
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, proptest};
use proptest::sample::Index;
use tempfile::TempDir;
use tokio::runtime::Builder;

use super::{
    Kept, LogStore, PendingFile, SnapshotFile, SnapshotHeader, Snapshots, encode_kept, last_incarnation,
    next_incarnation, read_identity,
};
use crate::blocklist::{Actor, Command, List, Operation, Role, Timestamp};
use crate::form;
use crate::request::RequestId;
use crate::store::StateDigest;
use crate::types::{LogId, Vote};

fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap()
}

fn pending() -> Vec<u8> {
    let dir = directory();
    let (mut file, _) = PendingFile::open(dir.path()).unwrap();
    let actor = Actor { account: "anna".into(), role: Role::Sensor, address: "".into() };
    let kept = |sequence| {
        let command = Command::new(Timestamp(0), actor.clone(), Operation::Add(Vec::new()));
        encode_kept(&Kept { incarnation: 1, sequence, command }).unwrap()
    };
    file.append(&[kept(1), kept(2), kept(3)]).unwrap();
    fs::read(dir.path().join("pending")).unwrap()
}

fn snapshot() -> Vec<u8> {
    let dir = directory();
    let snapshots = Snapshots::open(dir.path()).unwrap();
    let last_log_id = Some(form::LogId { term: 1, node: 1, index: 7 });
    let membership = form::StoredMembership::default();
    let header = SnapshotHeader { last_log_id, membership, digest: StateDigest::default() };
    fs::read(snapshots.write(&header, &List::default()).unwrap().path()).unwrap()
}

/// A log with a vote, and the file it is in.
fn log(dir: &Path) -> PathBuf {
    let runtime = Builder::new_current_thread().build().unwrap();
    let mut log = LogStore::open(dir).unwrap();
    runtime.block_on(async {
        log.save_vote(&Vote::new(3, 1)).await.unwrap();
        log.purge(LogId::from(form::LogId { term: 1, node: 1, index: 5 })).await.unwrap();
        log.save_vote(&Vote::new(4, 2)).await.unwrap();
    });
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    files.pop().unwrap()
}

/// Some bytes in place of others.
fn spoilt(mut bytes: Vec<u8>, at: Index, garbage: &[u8], cut: bool) -> Vec<u8> {
    let at = at.index(bytes.len() + 1);
    let end = (at + garbage.len()).min(bytes.len());
    bytes.splice(at..end, garbage.iter().copied());
    if cut {
        bytes.truncate(at + garbage.len());
    }
    bytes
}

fn read_pending(bytes: &[u8]) {
    let dir = directory();
    fs::write(dir.path().join("pending"), bytes).unwrap();
    let Ok((file, kept)) = PendingFile::open(dir.path()) else { return };
    drop(file);
    assert_eq!(PendingFile::open(dir.path()).unwrap().1, kept);
}

fn read_snapshot(bytes: &[u8]) -> bool {
    let dir = directory();
    let path = dir.path().join("snapshot");
    fs::write(&path, bytes).unwrap();
    SnapshotFile::open(path).is_ok_and(|file| file.load().is_ok())
}

proptest! {
    #[test]
    fn anything_in_the_file_of_pending_reports(
        at in any::<Index>(),
        garbage in vec(any::<u8>(), 0..80),
        cut in any::<bool>(),
    ) {
        read_pending(&garbage);
        read_pending(&spoilt(pending(), at, &garbage, cut));
    }

    #[test]
    fn anything_in_a_snapshot_is_noticed(
        at in any::<Index>(),
        garbage in vec(any::<u8>(), 0..80),
        cut in any::<bool>(),
    ) {
        assert!(!read_snapshot(&garbage));
        let good = snapshot();
        let bytes = spoilt(good.clone(), at, &garbage, cut);
        prop_assert_eq!(read_snapshot(&bytes), bytes == good);
    }

    #[test]
    fn anything_in_the_small_files(garbage in vec(any::<u8>(), 0..80), text in "\\PC{0,40}") {
        let dir = directory();
        for bytes in [garbage.as_slice(), text.as_bytes()] {
            fs::write(dir.path().join("identity"), bytes).unwrap();
            assert!(read_identity(dir.path()).is_err());
            fs::write(dir.path().join("incarnation"), bytes).unwrap();
            if let Ok(Some(last)) = last_incarnation(dir.path()) {
                prop_assert_eq!(next_incarnation(dir.path()).ok(), last.checked_add(1));
            }
        }
    }

    #[test]
    fn any_name_of_a_request(text in "\\PC{0,60}", numbers in any::<[u64; 3]>()) {
        if let Ok(id) = text.parse::<RequestId>() {
            prop_assert_eq!(id.to_string().parse::<RequestId>(), Ok(id));
        }
        let name = numbers.map(|number| number.to_string()).join("-");
        prop_assert_eq!(name.parse::<RequestId>().map(|id| id.to_string()), Ok(name));
    }
}

/// Of the log a beginning may be left where its end is torn; what is there then was written, and nothing else.
#[test]
fn anything_in_the_log_is_refused_or_a_beginning_of_what_was_written() {
    let config = proptest::test_runner::Config { cases: 96, ..Default::default() };
    proptest!(config, |(at in any::<Index>(), garbage in vec(any::<u8>(), 1..60), cut in any::<bool>())| {
        let dir = directory();
        let file = log(dir.path());
        let bytes = spoilt(fs::read(&file).unwrap(), at, &garbage, cut);
        fs::write(&file, bytes).unwrap();
        if let Ok(log) = LogStore::open(dir.path()) {
            let (last, purged) = log.bounds();
            assert!(last.is_none_or(|id| id.index == 5) && purged.is_none_or(|id| id.index == 5));
        }
    });
}
