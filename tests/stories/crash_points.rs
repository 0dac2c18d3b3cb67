//! A node dies right before one step or another of storing: of a snapshot being written or installed, of the log
//! being purged, of the list going to the disk. Whatever it was in the middle of, it goes on from there.

use std::time::Duration;

use serde_json::json;
use stockade_tests::{Ledger, Load, Node, PASSWORD, TestCluster, wait_for};

/// A log so short that a node that was away needs a snapshot.
const FLAGS: [&str; 4] = ["--snapshot-after", "30", "--log-keep", "5"];
/// More entries than the log keeps.
const AWAY_ENTRIES: u64 = 60;
const WITHIN: Duration = Duration::from_secs(15);

#[track_caller]
fn check(steps: &[(&str, usize)]) {
    let mut cluster = TestCluster::start_with(3, &FLAGS);
    let urls: Vec<String> = cluster.nodes.iter().map(Node::url).collect();
    let load = Load::start(&urls, "analyst", PASSWORD, 4);
    for (round, (step, nth)) in steps.iter().enumerate() {
        let (victim, other) = (round % 3, (round + 1) % 3);
        cluster.nodes[victim].kill();
        let applied = || cluster.nodes[other].status()?["applied_index"].as_u64();
        let before = wait_for("the node says where it stands", WITHIN, applied);
        wait_for("writes go on without it", WITHIN, || (applied()? > before + AWAY_ENTRIES).then_some(()));

        cluster.nodes[victim].start_tampered(&format!("{step}:signal=SIGKILL:when={nth}"));
        let ended = cluster.nodes[victim].wait_ended(WITHIN);
        assert_eq!(ended.code(), None, "it was killed before its {nth}. {step}, and did not end by itself");
        cluster.nodes[victim].start_ready();
    }
    judge(&mut cluster, &load.stop());
}

#[track_caller]
fn judge(cluster: &mut TestCluster, ledger: &Ledger) {
    assert!(ledger.acknowledged() > 50, "there was load: {} writes", ledger.acknowledged());
    cluster.same_list_everywhere();
    for number in 0..3 {
        ledger.judge(&cluster.analyst(number).get("/ip/all?fields=value,sighting").expect(200).json());
    }
}

/// The first rename and the first removal are of files of the start itself.
#[test]
fn a_crash_before_any_step_of_a_snapshot_loses_nothing() {
    check(&[("rename", 2), ("fsync", 1), ("unlink", 2), ("rename", 3), ("fsync", 4), ("unlink", 3)]);
}

#[test]
fn a_crash_while_the_log_or_the_list_is_written_loses_nothing() {
    check(&[("fdatasync", 20), ("pwrite64", 1), ("pwrite64", 40), ("pwrite64", 12), ("sync_file_range", 3)]);
}

#[test]
fn a_crash_in_the_middle_of_a_start_loses_nothing() {
    check(&[("rename", 1), ("openat", 60), ("pread64", 2), ("fsync", 1), ("lseek", 1), ("statx", 6)]);
}

/// Nobody knows what a disk has after it failed: the node ends, and finds out when it starts again.
#[test]
fn a_disk_that_fails_ends_the_node_and_what_was_acknowledged_is_kept() {
    let mut cluster = TestCluster::start_with(3, &FLAGS);
    let urls: Vec<String> = cluster.nodes.iter().map(Node::url).collect();
    let load = Load::start(&urls, "analyst", PASSWORD, 4);
    let failures = [
        "fdatasync:error=EIO:when=20",
        "pwrite64:error=EIO:when=40",
        "pwrite64:error=ENOSPC:when=2",
        "fsync:error=EIO:when=2",
    ];
    for (round, failure) in failures.iter().enumerate() {
        let victim = round % 3;
        cluster.nodes[victim].kill();
        cluster.nodes[victim].start_tampered(failure);
        let ended = cluster.nodes[victim].wait_ended(WITHIN);
        assert!(ended.code().is_some_and(|code| code != 0), "{failure}: {ended}");
        cluster.nodes[victim].start_ready();
    }
    judge(&mut cluster, &load.stop());
}

#[test]
fn a_slow_disk_slows_writes_and_stops_none() {
    let mut cluster = TestCluster::start(3);
    let leader = cluster.leader();
    cluster.nodes[leader].kill();
    cluster.nodes[leader].start_tampered("fdatasync:delay_exit=300000");
    cluster.nodes[leader].wait_ready();
    let urls: Vec<String> = cluster.nodes.iter().map(Node::url).collect();
    let load = Load::start(&urls, "analyst", PASSWORD, 4);
    let id = cluster.nodes[leader].id();
    for to in [id, cluster.nodes[(leader + 1) % 3].id()] {
        // A node that lags may not take over in time; then somebody else does.
        let asked = cluster.nodes[leader].operator().post("/admin/leader", &json!({"to": to}));
        assert!([200, 503].contains(&asked.status), "{asked:?}");
        let applied = || cluster.nodes[leader].status()?["applied_index"].as_u64();
        let before = wait_for("the node says where it stands", WITHIN, applied);
        wait_for("writes go on", WITHIN, || (applied()? > before + 30).then_some(()));
    }
    judge(&mut cluster, &load.stop());
}
