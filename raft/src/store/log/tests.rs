//! The log on real files: what a crash leaves, what is damaged, and what goes on over many files.

use std::fs;
use std::path::PathBuf;

use openraft::entry::RaftEntry;
use openraft::testing::log_id;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use tokio::runtime::Builder;

use super::frame::{HEAD_BYTES, SECTOR_BYTES};
use super::*;

const ENTRIES: u64 = 4;
/// So that a log soon has several files.
const SMALL: u64 = 2048;

fn open(dir: &Path) -> LogStore {
    LogStore::open_with(dir, SMALL).unwrap()
}

async fn append(store: &LogStore, ids: impl IntoIterator<Item = (u64, u64)>) -> io::Result<()> {
    let (sender, receiver) = oneshot::channel();
    store.write(Flushed::Signal(sender), |memory| {
        ids.into_iter().try_for_each(|(term, index)| memory.append(entry(term, index)))
    })?;
    receiver.await.unwrap()
}

fn entry(term: u64, index: u64) -> Entry {
    let batch = crate::types::EncodedBatch(vec![b'a' + (index % 20) as u8; 12].into());
    Entry::new_normal(log_id::<TypeConfig>(term, 1, index), batch)
}

/// A log with a vote and some entries, each in a frame of its own, as a crash leaves it: closed without a word.
async fn written(dir: &Path) {
    let mut store = open(dir);
    store.save_vote(&Vote::new(1, 1)).await.unwrap();
    for index in 0..ENTRIES {
        append(&store, [(1, index)]).await.unwrap();
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|item| item.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == places::ENDING));
    files.sort();
    files
}

fn only_file(dir: &Path) -> PathBuf {
    let mut files = files(dir);
    assert_eq!(files.len(), 1);
    files.remove(0)
}

fn last(store: &LogStore) -> Option<u64> {
    store.bounds().0.map(|id| id.index)
}

fn ids(store: &LogStore) -> Vec<(u64, u64)> {
    let entries = store.read(0, u64::MAX, usize::MAX).unwrap();
    entries
        .into_iter()
        .map(|found| {
            let id = (found.log_id.leader_id.term, found.log_id.index);
            assert_eq!(found, entry(id.0, id.1));
            id
        })
        .collect()
}

/// Where each frame of a file begins, and where the last one ends.
fn frames(bytes: &[u8], base: u64) -> Vec<usize> {
    let mut places = vec![0];
    while let frame::Found::Whole(body) = frame::find(bytes, base, places[places.len() - 1]) {
        places.push(places[places.len() - 1] + HEAD_BYTES + body.len());
    }
    places
}

#[tokio::test]
async fn a_torn_end_is_cut_and_what_was_before_it_stays() {
    let home = tempfile::tempdir().unwrap();
    written(home.path()).await;
    // One frame more, over several sectors.
    append(&open(home.path()), (ENTRIES..20).map(|index| (1, index))).await.unwrap();
    let file = only_file(home.path());
    let whole = fs::read(&file).unwrap();
    let places = frames(&whole, 0);
    let (begin, end) = (places[places.len() - 2], places[places.len() - 1]);
    let mut sectors: Vec<usize> = (begin..end).filter(|at| at % SECTOR_BYTES == 0 || *at == begin).collect();
    sectors.push(end);
    assert!(sectors.len() > 3, "{sectors:?}");
    for missing in 1..1_usize << (sectors.len() - 1) {
        let dir = tempfile::tempdir().unwrap();
        let mut torn = whole.clone();
        for (number, sector) in sectors.windows(2).enumerate() {
            if missing & (1 << number) != 0 {
                torn[sector[0]..sector[1]].fill(0);
            }
        }
        fs::write(dir.path().join(file.file_name().unwrap()), torn).unwrap();
        let store = open(dir.path());
        assert_eq!(last(&store), Some(ENTRIES - 1), "sectors {missing:b} are missing");
        append(&store, [(2, ENTRIES)]).await.unwrap();
        drop(store);
        assert_eq!(ids(&open(dir.path())).last(), Some(&(2, ENTRIES)));
    }
}

/// What a node that is killed leaves behind, and nothing that it had still meant to write.
fn killed(dir: &Path) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("log");
    fs::create_dir(&log).unwrap();
    let file = only_file(dir);
    fs::copy(&file, log.join(file.file_name().unwrap())).unwrap();
    fs::copy(dir.with_extension("committed"), home.path().join("log.committed")).unwrap();
    (home, log)
}

#[tokio::test]
async fn a_killed_node_knows_what_was_committed() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("log");
    written(&dir).await;
    let mut store = open(&dir);
    let id = |term, index| Some(log_id::<TypeConfig>(term, 1, index));
    for index in [1, 3] {
        store.save_committed(id(1, index)).await.unwrap();
        let (_home, copy) = killed(&dir);
        assert_eq!(open(&copy).read_committed().await.unwrap(), id(1, index));
    }
    // After a power loss the file may be ahead of the log, or of an entry that the log does not have.
    for strange in [id(1, ENTRIES), id(2, 2)] {
        let (_home, copy) = killed(&dir);
        let file = CommittedFile::open(&copy.with_extension("committed")).unwrap();
        file.write((&strange.unwrap()).into()).unwrap();
        assert_eq!(open(&copy).read_committed().await.unwrap(), None, "{strange:?}");
    }
    // A node that ends has it in its log, too.
    drop(store);
    fs::remove_file(dir.with_extension("committed")).unwrap();
    assert_eq!(open(&dir).read_committed().await.unwrap(), id(1, 3));
    assert!(open(&dir).truncate_after(id(1, 2)).await.is_err(), "what is committed is never cut off");
}

#[tokio::test]
async fn a_flipped_bit_is_refused_or_harmless() {
    let home = tempfile::tempdir().unwrap();
    written(home.path()).await;
    let file = only_file(home.path());
    let whole = fs::read(&file).unwrap();
    let end = *frames(&whole, 0).last().unwrap();
    let dir = tempfile::tempdir().unwrap();
    for bit in 0..(end + SECTOR_BYTES) * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(dir.path().join(file.file_name().unwrap()), &flipped).unwrap();
        match LogStore::open_with(dir.path(), SMALL) {
            Err(Unopened::Damaged(_)) => {}
            Err(Unopened::Refused(error)) => panic!("bit {bit}: {error}"),
            // Where nothing was written yet nothing is lost.
            Ok(store) if bit >= end * 8 => assert_eq!(last(&store), Some(ENTRIES - 1)),
            Ok(store) => panic!("bit {bit} of {}: opened up to {:?}", end * 8, last(&store)),
        }
    }
}

/// Each start on a log with something missing; `harm` gets the files, oldest first.
#[track_caller]
fn refused(dir: &Path, why: &str, harm: impl FnOnce(&[PathBuf])) {
    let copy = tempfile::tempdir().unwrap();
    for file in files(dir) {
        fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
    }
    harm(&files(copy.path()));
    match LogStore::open_with(copy.path(), SMALL) {
        Err(Unopened::Damaged(told)) => assert!(told.contains(why), "{told}"),
        Err(Unopened::Refused(error)) => panic!("{error}"),
        Ok(store) => panic!("opened up to {:?}", last(&store)),
    }
}

#[tokio::test]
async fn what_is_missing_is_noticed() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    for index in 0..100 {
        append(&store, [(1, index)]).await.unwrap();
    }
    drop(store);
    assert!(files(home.path()).len() > 3);
    let not_written = "is not what was written";
    refused(home.path(), "is missing", |files| fs::remove_file(&files[0]).unwrap());
    refused(home.path(), "is missing", |files| fs::remove_file(&files[1]).unwrap());
    refused(home.path(), "", |files| fs::write(&files[0], b"").unwrap());
    refused(home.path(), not_written, |files| fs::write(&files[files.len() - 1], b"").unwrap());
    // The last frames of a file that another one follows.
    refused(home.path(), "does not go on", |files| {
        let (begin, mut bytes) = last_but_one(&files[1]);
        bytes[begin..].fill(0);
        fs::write(&files[1], bytes).unwrap();
    });
    // A frame that was on the disk, with another one behind it.
    refused(home.path(), not_written, |files| {
        let file = &files[files.len() - 1];
        let (begin, mut bytes) = last_but_one(file);
        bytes[begin..begin + HEAD_BYTES].fill(0);
        fs::write(file, bytes).unwrap();
    });
    // A file that was cut where a sector ends.
    refused(home.path(), "bytes and not 2048", |files| {
        let file = fs::File::options().write(true).open(&files[files.len() - 1]).unwrap();
        file.set_len(SMALL - SECTOR_BYTES as u64).unwrap();
    });
}

/// Where the last but one of the frames of a file begins, and what the file holds.
fn last_but_one(file: &Path) -> (usize, Vec<u8>) {
    let base = file.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let bytes = fs::read(file).unwrap();
    let places = frames(&bytes, base);
    (places[places.len() - 3], bytes)
}

/// A crash may bring back files that were removed.
#[tokio::test]
async fn files_that_come_back_are_removed_again() {
    let home = tempfile::tempdir().unwrap();
    let mut store = open(home.path());
    for index in 0..100 {
        append(&store, [(1, index)]).await.unwrap();
    }
    let old = files(home.path());
    let kept: Vec<Vec<u8>> = old.iter().map(|file| fs::read(file).unwrap()).collect();
    store.purge(log_id::<TypeConfig>(1, 1, 80)).await.unwrap();
    drop(store);
    let left = files(home.path());
    assert!(left.len() + 2 < old.len(), "{left:?} of {old:?}");
    for back in [&[0][..], &[1], &[0, 1]] {
        for number in back {
            fs::write(&old[*number], &kept[*number]).unwrap();
        }
        assert_eq!(ids(&open(home.path())), (81..100).map(|index| (1, index)).collect::<Vec<_>>());
        assert_eq!(files(home.path()), left);
    }
}

#[test]
fn a_log_belongs_to_one() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let Err(Unopened::Refused(error)) = LogStore::open(home.path()) else { panic!("opened twice") };
    assert!(error.to_string().contains("in use"), "{error}");
    drop(store);
    open(home.path());
}

/// A frame that is longer than a file gets a file of its own.
#[tokio::test]
async fn long_frames_have_room() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    append(&store, (0..200).map(|index| (1, index))).await.unwrap();
    append(&store, [(1, 200)]).await.unwrap();
    drop(store);
    assert_eq!(ids(&open(home.path())).len(), 201);
    assert!(files(home.path()).iter().any(|file| fs::metadata(file).unwrap().len() > SMALL));
}

#[derive(Clone, Debug)]
enum Step {
    Append(u8),
    Truncate(u8),
    Purge(u8),
    Vote,
    Committed(u8),
    Again,
}

/// A log is what a list of entries is, whatever is asked of it, and after each start.
#[test]
fn a_log_is_as_a_list_of_entries() {
    let step = prop_oneof![
        4 => any::<u8>().prop_map(Step::Append),
        2 => any::<u8>().prop_map(Step::Truncate),
        2 => any::<u8>().prop_map(Step::Purge),
        1 => Just(Step::Vote),
        2 => any::<u8>().prop_map(Step::Committed),
        1 => Just(Step::Again),
    ];
    let config = proptest::test_runner::Config { cases: 48, ..Default::default() };
    let runtime = Builder::new_current_thread().build().unwrap();
    proptest!(config, |(steps in vec(step, 1..40))| {
        let home = tempfile::tempdir().unwrap();
        runtime.block_on(compared(&home.path().join("log"), steps));
    });
}

async fn compared(dir: &Path, steps: Vec<Step>) {
    let mut store = open(dir);
    let (mut model, mut purged, mut committed, mut vote) = (Vec::new(), None, None, None);
    for (term, step) in (1..).zip(steps) {
        let next = |model: &[(u64, u64)], purged: Option<(u64, u64)>| {
            model.last().copied().or(purged).map_or(0, |id| id.1 + 1)
        };
        match step {
            Step::Append(count) => {
                let begin = next(&model, purged);
                let new = (begin..begin + u64::from(count % 60)).map(|index| (term, index));
                append(&store, new.clone()).await.unwrap();
                model.extend(new);
                let wrong = (term, next(&model, purged) + 1);
                if wrong.1 > 1 {
                    assert!(append(&store, [wrong]).await.is_err());
                }
            }
            Step::Truncate(part) => {
                let first = committed.or(purged).map_or(0, |id: (u64, u64)| id.1 + 1);
                let free = model.iter().filter(|id| id.1 >= first).count();
                model.truncate(model.len() - free * usize::from(part) / 255);
                let last = model.last().copied().or(purged);
                store.truncate_after(last.map(|id| log_id::<TypeConfig>(id.0, 1, id.1))).await.unwrap();
            }
            Step::Purge(part) => {
                let count = model.len() * usize::from(part) / 255;
                if let Some(id) = model.drain(..count).next_back() {
                    store.purge(log_id::<TypeConfig>(id.0, 1, id.1)).await.unwrap();
                    purged = Some(id);
                }
            }
            Step::Vote => {
                let new = Vote::new(term, 1);
                store.save_vote(&new).await.unwrap();
                vote = Some(new);
            }
            Step::Committed(part) => {
                let at = model.len() * usize::from(part) / 256;
                if let Some(id) =
                    model.get(at).copied().filter(|id| committed.is_none_or(|old: (u64, u64)| old.1 < id.1))
                {
                    store.save_committed(Some(log_id::<TypeConfig>(id.0, 1, id.1))).await.unwrap();
                    committed = Some(id);
                }
            }
            Step::Again => {
                drop(store);
                store = open(dir);
            }
        }
        assert_eq!(ids(&store), model);
        let id = |id: (u64, u64)| log_id::<TypeConfig>(id.0, 1, id.1);
        assert_eq!(store.bounds(), (model.last().copied().or(purged).map(id), purged.map(id)));
        assert_eq!(store.read_committed().await.unwrap(), committed.map(id));
        assert_eq!(store.read_vote().await.unwrap(), vote);
    }
}

/// The seed of a fuzzer, which another program wrote by what is said of the form.
#[tokio::test]
async fn a_file_is_read_as_its_form_is_described() {
    let home = tempfile::tempdir().unwrap();
    let seed = fs::read("../tests/fuzz/seeds/files/log-file").unwrap();
    fs::write(home.path().join(places::name(0)), &seed[1..]).unwrap();
    let mut store = open(home.path());
    let id = |term, index| Some(log_id::<TypeConfig>(term, 1, index));
    assert_eq!(store.bounds(), (id(2, 1), id(1, 0)));
    assert_eq!(store.read_committed().await.unwrap(), id(1, 0));
    assert_eq!(store.read_vote().await.unwrap(), Some(Vote::new(1, 1)));
    let found = store.read(0, u64::MAX, usize::MAX).unwrap();
    assert_eq!(found.iter().map(|entry| entry.log_id.index).collect::<Vec<_>>(), [1]);
}
