//! Parts of a data directory are lost or damaged while the node is down.

use std::fs;
use std::path::Path;
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
fn a_node_without_its_log_does_not_vote_again() {
    let mut cluster = filled(false);
    cluster.nodes[2].kill();
    fs::remove_dir_all(cluster.nodes[2].data().join("log")).unwrap();

    // It could vote twice in one term: it ends, and says what to do.
    cluster.nodes[2].start();
    let ended = cluster.nodes[2].wait_ended(WITHIN);
    assert!(!ended.success());
    let told = cluster.nodes[2].log();
    assert!(told.contains("data directory") && told.contains("join again"), "{told}");
    cluster.analyst(0).post("/ip/add", &json!({"ip": "203.0.113.1"})).expect(201);

    // As it was told.
    cluster.nodes[2].wipe();
    cluster.nodes[2].start_ready();
    assert!(cluster.nodes[2].id() > 3);
    cluster.wait_voters(3);
    cluster.same_list_everywhere();
}
