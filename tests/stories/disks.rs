//! Parts of a data directory are lost or damaged while the node is down.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use stockade_tests::TestCluster;

const WITHIN: Duration = Duration::from_secs(15);

/// Three nodes with some list, and the log cut behind a snapshot where `snapshot` says so.
#[track_caller]
fn filled(snapshot: bool) -> TestCluster {
    let mut cluster = TestCluster::start_with(3, &["--log-keep", "10"]);
    for host in 0..100 {
        let body = json!({"ip": format!("198.51.100.{}", host % 60), "comment": format!("report {host}")});
        cluster.analyst(host % 3).post("/ip/add", &body);
    }
    cluster.wait_level();
    if snapshot {
        for node in &cluster.nodes {
            node.operator().post("/admin/snapshot", &json!({})).expect(200);
        }
    }
    cluster
}

/// The last node starts again on what `damage` left of its directory, as itself, with the same list.
#[track_caller]
fn recovers(snapshot: bool, damage: impl FnOnce(&Path)) {
    let mut cluster = filled(snapshot);
    let before = cluster.same_list_everywhere();
    let id = cluster.nodes[2].id();
    cluster.nodes[2].kill();
    damage(&cluster.nodes[2].data());
    cluster.nodes[2].start_ready();
    assert_eq!(cluster.nodes[2].id(), id, "it is the same node");
    assert_eq!(cluster.same_list_everywhere(), before);
    cluster.analyst(2).post("/ip/add", &json!({"ip": "203.0.113.1"})).expect(201);
    cluster.same_list_everywhere();
}

#[test]
fn a_lost_list_is_rebuilt_from_the_log() {
    recovers(false, |data| fs::remove_dir_all(data.join("list")).unwrap());
}

#[test]
fn a_lost_list_is_rebuilt_from_the_snapshot() {
    recovers(true, |data| fs::remove_dir_all(data.join("list")).unwrap());
}

#[test]
fn a_damaged_list_is_set_aside_and_rebuilt() {
    recovers(true, |data| {
        let list = data.join("list");
        for entry in fs::read_dir(list).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::write(path, [0x5a; 4096]).unwrap();
            }
        }
    });
}

#[test]
fn what_a_crash_leaves_half_written_does_no_harm() {
    recovers(true, |data| {
        fs::write(data.join("list/snap.000000000000FFFF.generating"), [0x5a; 100]).unwrap();
        fs::write(data.join("snapshots/0.partial"), [0x5a; 100]).unwrap();
        fs::write(data.join("incarnation.partial"), "1").unwrap();
        // A frame of the log of which only a later sector was written.
        let log = last_file(&data.join("log"));
        let end = written(&fs::read(&log).unwrap()).next_multiple_of(512);
        fs::OpenOptions::new().write(true).open(log).unwrap().write_all_at(&[0x5a; 100], end as u64).unwrap();
    });
}

#[test]
fn a_damaged_snapshot_that_nothing_needs_is_set_aside() {
    recovers(true, |data| flip(&last_file(&data.join("snapshots")), 0.5));
}

#[test]
fn a_damaged_snapshot_that_is_needed_ends_the_node_with_a_way_out() {
    let mut cluster = filled(true);
    does_not_start(&mut cluster, "remove the data directory and let the node join again", |data| {
        flip(&last_file(&data.join("snapshots")), 0.5);
        fs::remove_dir_all(data.join("list")).unwrap();
    });
    joins_anew(&mut cluster);
}

#[test]
fn a_log_damaged_in_the_middle_ends_the_node_with_a_way_out() {
    let mut cluster = filled(false);
    does_not_start(&mut cluster, "remove the data directory and let the node join again", |data| {
        flip(&last_file(&data.join("log")), 0.5);
    });
    joins_anew(&mut cluster);
}

#[test]
fn a_log_damaged_in_its_last_record_ends_the_node() {
    let mut cluster = filled(false);
    does_not_start(&mut cluster, "remove the data directory and let the node join again", |data| {
        flip(&last_file(&data.join("log")), 1.0);
    });
}

#[test]
fn a_list_that_the_system_refuses_is_not_set_aside() {
    let mut cluster = filled(true);
    let list = cluster.nodes[2].data().join("list");
    // What open() says to this is no more about the content than EIO or EACCES.
    does_not_start(&mut cluster, "see to the disk", |data| {
        fs::rename(data.join("list/db"), data.join("list/kept")).unwrap();
        fs::create_dir(data.join("list/db")).unwrap();
    });
    assert!(!list.with_extension("aside.1").exists());

    fs::remove_dir(list.join("db")).unwrap();
    fs::rename(list.join("kept"), list.join("db")).unwrap();
    cluster.nodes[2].start_ready();
    cluster.same_list_everywhere();
}

/// The newest file of a kind in a directory: their names are ordered.
fn last_file(dir: &Path) -> PathBuf {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let kinds = ["log", "snapshot"];
    files
        .filter(|path| path.extension().is_some_and(|kind| kinds.iter().any(|known| kind == *known)))
        .max()
        .unwrap()
}

/// The bytes of a file before the zeros at its end: a log has its full length from the start.
fn written(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

/// Flips a bit somewhere between the beginning and the end of what is written in a file.
fn flip(path: &Path, part: f64) {
    let mut bytes = fs::read(path).unwrap();
    let at = ((written(&bytes) - 1) as f64 * part) as usize;
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// The last node ends on what `damage` left of its directory, and says what to do; the others go on.
#[track_caller]
fn does_not_start(cluster: &mut TestCluster, way_out: &str, damage: impl FnOnce(&Path)) {
    cluster.nodes[2].kill();
    damage(&cluster.nodes[2].data());
    cluster.nodes[2].start();
    assert!(!cluster.nodes[2].wait_ended(WITHIN).success());
    let told = cluster.nodes[2].log();
    assert!(told.contains("data directory") && told.contains(way_out), "{told}");
    cluster.analyst(0).post("/ip/add", &json!({"ip": "203.0.113.1"})).expect(201);
}

/// As the last node was told: without its directory it becomes a member under a new id.
#[track_caller]
fn joins_anew(cluster: &mut TestCluster) {
    cluster.nodes[2].wipe();
    cluster.nodes[2].start_ready();
    assert!(cluster.nodes[2].id() > 3);
    cluster.wait_voters(3);
    cluster.same_list_everywhere();
}

#[test]
fn a_node_without_its_log_does_not_vote_again() {
    // It could vote twice in one term: it ends, and says what to do.
    let mut cluster = filled(false);
    does_not_start(&mut cluster, "join again", |data| fs::remove_dir_all(data.join("log")).unwrap());
    joins_anew(&mut cluster);
}
