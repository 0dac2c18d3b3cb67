use std::fs::File;
use std::sync::OnceLock;
use std::thread;

use proptest::prelude::{Strategy, prop, prop_assert_eq, proptest};
use tokio::runtime::Runtime;

use super::changes::StoredChange;
use super::layout::{block_key, change_key};
use super::*;
use crate::blocklist::tests::{batch, history};
use crate::blocklist::{
    Actor, Command, Kind, Observable, Operation, Record, RecordKey, Report, Role, Timestamp,
};
use crate::codec::{self, Content};
use crate::store::digest::{Changes, encode};
use crate::store::keys;

fn open(dir: &Path) -> Result<(Disk, DiskMark, Option<PathBuf>), Unopened> {
    let (failed, _) = oneshot::channel();
    Disk::open(dir, 1 << 20, failed).map(|(disk, mark, _, aside)| (disk, mark, aside))
}

fn mark(index: u64) -> DiskMark {
    DiskMark { last_applied: Some(form::LogId { term: 1, node: 1, index }), ..DiskMark::default() }
}

/// A directory that holds an empty list at index 7.
async fn stored(home: &Path) -> PathBuf {
    let dir = home.join("list");
    let (disk, _, aside) = open(&dir).unwrap();
    assert_eq!(aside, None);
    disk.apply(mark(7), StoredChanges::default(), 0, List::default).await.unwrap();
    disk.close().await.unwrap();
    dir
}

#[tokio::test]
async fn an_unfinished_snapshot_of_sled_itself_does_no_harm() {
    let home = tempfile::tempdir().unwrap();
    let dir = stored(home.path()).await;
    fs::write(dir.join("snap.000000000000FFFF.generating"), [0x5a; 100]).unwrap();
    let (disk, found, aside) = open(&dir).unwrap();
    assert_eq!((found, aside), (mark(7), None));
    disk.close().await.unwrap();
}

#[tokio::test]
async fn a_damaged_directory_is_set_aside_and_two_of_them_are_kept() {
    let home = tempfile::tempdir().unwrap();
    let dir = stored(home.path()).await;
    for round in 1..=4 {
        for file in ["conf", "db"] {
            fs::write(dir.join(file), vec![0x5a; 4096 * round]).unwrap();
        }
        let (disk, found, aside) = open(&dir).unwrap();
        assert_eq!(found, DiskMark::default());
        assert_eq!(aside, Some(home.path().join(format!("list.aside.{round}"))));
        disk.close().await.unwrap();
    }
    let kept: Vec<u64> = aside(&dir).unwrap().into_keys().collect();
    assert_eq!(kept, [3, 4]);
}

/// Whatever byte of sled's files is not what it was, what comes of it is never a panic, a refusal to start, or
/// a list that never was: the mark and its digest belong to what was found. sled takes some damage for an
/// unfinished write and opens as it was before, here empty; the log brings such a list up.
#[tokio::test]
async fn no_damage_to_sled_ends_a_start() {
    let home = tempfile::tempdir().unwrap();
    let dir = stored(home.path()).await;
    let names: Vec<PathBuf> =
        fs::read_dir(&dir).unwrap().map(|item| item.unwrap().path()).filter(|path| path.is_file()).collect();
    let whole: Vec<Vec<u8>> = names.iter().map(|path| fs::read(path).unwrap()).collect();
    for (path, bytes) in names.iter().zip(&whole) {
        for at in (0..bytes.len().min(512)).step_by(7) {
            fs::remove_dir_all(&dir).unwrap();
            fs::create_dir_all(&dir).unwrap();
            for (path, bytes) in names.iter().zip(&whole) {
                fs::write(path, bytes).unwrap();
            }
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            fs::write(path, flipped).unwrap();
            let (disk, found, aside) = open(&dir).unwrap();
            let whole = aside.is_none() && found == mark(7);
            assert!(whole || found == DiskMark::default(), "byte {at} of {}: {found:?}", path.display());
            disk.close().await.unwrap();
        }
    }
}

/// A list, and sled behind it.
struct Desk {
    dir: tempfile::TempDir,
    disk: Option<Disk>,
    list: List,
    mark: DiskMark,
    sent: u64,
}

impl Desk {
    fn new() -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = Desk { dir, disk: None, list: List::default(), mark: DiskMark::default(), sent: 0 };
        desk.open();
        desk
    }

    fn open(&mut self) {
        self.wait_free();
        let (failed, _) = oneshot::channel();
        let (disk, mark, list, aside) = Disk::open(&self.dir.path().join("list"), 1 << 20, failed).unwrap();
        assert_eq!(aside, None);
        (self.disk, self.mark, self.list) = (Some(disk), mark, list);
    }

    fn disk(&self) -> &Disk {
        self.disk.as_ref().unwrap()
    }

    async fn apply(&mut self, command: Command) {
        self.sent += 1;
        let before = self.list.rest();
        let mut changes = Changes::default();
        changes.join(self.list.apply(self.sent, &batch(self.sent, vec![command])).changes);
        self.mark.last_applied = mark(self.sent).last_applied;
        let stored = self.mark.digest.follow(&before, &mut changes).unwrap();
        self.disk()
            .apply(self.mark.clone(), stored, self.list.entry_count(), || self.list.clone())
            .await
            .unwrap();
    }

    fn lay(&self) {
        self.disk().work.send(Work::Lay(Box::new(self.list.clone()))).unwrap();
    }

    /// Lays a ground, and waits until the old one is swept.
    async fn laid(&self) {
        self.disk().progress.laying.store(true, Ordering::Relaxed);
        self.lay();
        while self.disk().progress.laying.load(Ordering::Relaxed) {
            self.disk().flush().await.unwrap();
        }
    }

    async fn close(&mut self) {
        self.disk.take().unwrap().close().await.unwrap();
    }

    /// What sled still does in threads of its own may hold its lock for a moment after it was dropped.
    fn wait_free(&self) {
        let file = self.dir.path().join("list/db");
        while File::open(&file).is_ok_and(|file| file.try_lock().is_err()) {
            thread::yield_now();
        }
    }

    /// All keys in sled but the mark and the ground.
    fn keys(&self) -> Vec<Vec<u8>> {
        self.wait_free();
        let db = load::open_sled(&self.dir.path().join("list"), 1 << 20).unwrap();
        let keys = db.iter().keys().map(|key| key.unwrap().to_vec());
        keys.filter(|key| key != layout::MARK && key != layout::GROUND).collect()
    }
}

fn records(list: &List) -> Vec<Vec<u8>> {
    list.records().map(|record| encode(&record).unwrap()).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Apply(Command),
    Lay,
    Replace,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let between = prop::sample::select(vec![
        None,
        None,
        None,
        Some(Step::Lay),
        Some(Step::Replace),
        Some(Step::Restart),
    ]);
    (history(), prop::collection::vec(between, 60)).prop_map(|(history, between)| {
        let applied = history.into_iter().map(Step::Apply);
        applied.zip(between).flat_map(|(step, between)| [Some(step), between]).flatten().collect()
    })
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_current_thread().build().unwrap())
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    /// Whatever is laid and replaced in between, sled holds the list.
    #[test]
    fn a_restart_finds_the_list(steps in steps()) {
        runtime().block_on(async {
            let mut desk = Desk::new();
            for step in steps {
                match step {
                    Step::Apply(command) => desk.apply(command).await,
                    Step::Lay => desk.lay(),
                    Step::Replace => desk.disk().replace(desk.mark.clone(), desk.list.clone()).unwrap(),
                    Step::Restart => {
                        let (list, mark) = (desk.list.clone(), desk.mark.clone());
                        desk.close().await;
                        desk.open();
                        prop_assert_eq!(records(&desk.list), records(&list));
                        prop_assert_eq!(&desk.mark, &mark);
                    }
                }
            }
            Ok(())
        })?;
    }
}

fn add(domain: &str) -> Command {
    let value = Observable::parse(Kind::Domain, domain).unwrap();
    let report = Report {
        value,
        comment: "seen twice".into(),
        source: "web01".into(),
        ttl: None,
        tags: [].into(),
        seen: None,
    };
    let actor = Actor { account: "anna".into(), role: Role::Admin, address: "198.51.100.7".into() };
    Command::new(Timestamp(1_700_000_000_000), actor, Operation::Add(vec![report]))
}

fn adds(count: u64) -> impl Iterator<Item = Command> {
    (0..count).map(|number| add(&format!("host-{number}.example")))
}

#[tokio::test]
async fn a_new_ground_leaves_nothing_of_the_old_one() {
    let mut desk = Desk::new();
    for command in adds(600) {
        desk.apply(command).await;
    }
    desk.disk().flush().await.unwrap();
    desk.laid().await;
    desk.apply(adds(1).next().unwrap()).await;
    let list = records(&desk.list);
    desk.close().await;
    let keys = desk.keys();
    let (blocks, changes): (Vec<_>, Vec<_>) = keys.iter().partition(|key| key[0] == 0xF1);
    assert!(
        blocks.len() > 3 && blocks.iter().all(|key| key.starts_with(&block_key(1, 0)[..5])),
        "{blocks:?}"
    );
    assert_eq!(changes.len(), 1, "{changes:?}");
    desk.open();
    assert_eq!(records(&desk.list), list);
}

#[tokio::test]
async fn a_ground_that_was_not_laid_to_its_end_is_nobodys() {
    let mut desk = Desk::new();
    for command in adds(50) {
        desk.apply(command).await;
    }
    let list = records(&desk.list);
    desk.close().await;
    {
        let db = load::open_sled(&desk.dir.path().join("list"), 1 << 20).unwrap();
        db.insert(
            block_key(1, 0),
            codec::encode(Content::Block, &vec![bytes::Bytes::from_static(b"x")]).unwrap(),
        )
        .unwrap();
    }
    desk.open();
    assert_eq!(records(&desk.list), list);
    desk.laid().await;
    desk.close().await;
    assert!(desk.keys().iter().all(|key| key.starts_with(&block_key(2, 0)[..5])), "{:?}", desk.keys());
    desk.open();
    assert_eq!(records(&desk.list), list);
}

/// As builds before blocks wrote a list: a record a key.
#[tokio::test]
async fn a_list_of_single_records_opens_and_goes_over_to_blocks() {
    let mut desk = Desk::new();
    for command in adds(50) {
        desk.apply(command).await;
    }
    let (list, mark) = (desk.list.clone(), desk.mark.clone());
    desk.close().await;
    {
        let db = load::open_sled(&desk.dir.path().join("list"), 1 << 20).unwrap();
        db.clear().unwrap();
        for record in list.records() {
            db.insert(keys::record(&record.key()), encode(&record).unwrap()).unwrap();
        }
        db.insert(layout::MARK, codec::encode(Content::DiskMark, &mark).unwrap()).unwrap();
    }
    desk.open();
    assert_eq!((records(&desk.list), &desk.mark), (records(&list), &mark));
    desk.apply(add("one-more.example")).await;
    desk.apply(add("host-7.example")).await;
    let list = records(&desk.list);
    desk.close().await;
    assert!(desk.keys().contains(&change_key(0)) && desk.keys().iter().any(|key| key[0] == 5));
    desk.open();
    assert_eq!(records(&desk.list), list);
    desk.laid().await;
    desk.close().await;
    assert!(desk.keys().iter().all(|key| key[0] == 0xF1), "{:?}", desk.keys());
    desk.open();
    assert_eq!(records(&desk.list), list);
}

#[tokio::test]
async fn a_ground_is_laid_once_there_are_more_changes_than_entries() {
    let mut desk = Desk::new();
    desk.apply(adds(1).next().unwrap()).await;
    desk.disk().progress.changed.store(CHANGES_MIN, Ordering::Relaxed);
    desk.apply(adds(1).next().unwrap()).await;
    while desk.disk().progress.laying.load(Ordering::Relaxed) {
        desk.disk().flush().await.unwrap();
    }
    desk.close().await;
    assert!(desk.keys().iter().any(|key| key.starts_with(&block_key(1, 0)[..5])));
}

#[tokio::test]
async fn a_list_whose_changes_are_not_those_that_were_written_is_set_aside() {
    let mut desk = Desk::new();
    for command in adds(5) {
        desk.apply(command).await;
    }
    desk.close().await;
    let dir = desk.dir.path().join("list");
    {
        let db = load::open_sled(&dir, 1 << 20).unwrap();
        let Some(Record::Entry(entry)) = desk.list.records().next() else { panic!("entries come first") };
        let key = keys::record(&RecordKey::Entry(entry.value.clone()));
        let gone = [StoredChange { key: &key, record: None }];
        db.insert(change_key(9), codec::encode(Content::Changes, &gone.as_slice()).unwrap()).unwrap();
    }
    desk.wait_free();
    let (_, found, aside) = open(&dir).unwrap();
    assert!(aside.is_some());
    assert_eq!(found, DiskMark::default());
}
