//! A disk fills up: the node reads only, and comes back by itself when there is room.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use stockade_tests::{Load, Node, PASSWORD, TestCluster, wait_for};

const VOLUME_MIB: u64 = 96;
const RESERVE_MIB: u64 = 16;
/// What is left where the reserve is used up and the disk is not: less than the reserve, more than nothing.
const LEFT_MIB: u64 = 10;
const WITHIN: Duration = Duration::from_secs(10);

fn cluster() -> TestCluster {
    let flags = ["--disk-reserve-mib", &RESERVE_MIB.to_string(), "--write-timeout", "3"];
    TestCluster::start_after(3, &flags, |node| node.give_volume(VOLUME_MIB))
}

fn filler(node: &Node) -> PathBuf {
    node.data().join("somebody-elses.file")
}

/// Somebody else writes to the disk of a node until only this much is left.
#[track_caller]
fn fill(node: &Node, left_mib: u64) {
    let free = node.status().unwrap()["disk_free_bytes"].as_u64().unwrap();
    let bytes = usize::try_from(free - (left_mib << 20)).unwrap();
    let mut file = File::create(filler(node)).unwrap();
    file.write_all(&vec![0x5a; bytes]).unwrap();
    wait_read_only(node, true);
}

/// Not a block is left.
#[track_caller]
fn fill_to_the_brim(node: &Node) {
    fill(node, 1);
    fill_up(node);
    wait_for("the node sees that nothing is left", WITHIN, || {
        (node.status()?["disk_free_bytes"].as_u64()? < 4096).then_some(())
    });
}

fn fill_up(node: &Node) {
    let mut file = File::options().append(true).open(filler(node)).unwrap();
    while file.write_all(&[0x5a; 4096]).and_then(|()| file.sync_data()).is_ok() {}
}

#[track_caller]
fn empty(node: &Node) {
    fs::remove_file(filler(node)).unwrap();
    wait_read_only(node, false);
}

#[track_caller]
fn wait_read_only(node: &Node, read_only: bool) {
    wait_for("the node notices its disk", WITHIN, || {
        (node.status()?["read_only"] == read_only).then_some(())
    });
}

#[track_caller]
fn wait_written(cluster: &TestCluster, number: usize, body: &Value) {
    let client = cluster.analyst(number);
    wait_for("a write is taken", WITHIN, || {
        let sent = client.request("POST", "/ip/add").json(body).try_send().ok()?;
        matches!(sent.status, 200 | 201).then_some(())
    });
}

/// The node answers what it has, and refuses what it would have to store, in words.
#[track_caller]
fn reads_only(cluster: &TestCluster, number: usize) {
    let client = cluster.analyst(number);
    assert!(client.get("/ip/all?format=txt").expect(200).text().contains("203.0.113.1\n"));
    let refused = client.post("/ip/add", &json!({"ip": "203.0.113.2"})).expect(503);
    assert!(refused.message().contains("disk of this node is nearly full"), "{refused:?}");
    assert!(refused.header("retry-after").is_some());
    let metrics = client.get("/metrics").expect(200);
    assert!(metrics.text().contains("\nstockade_read_only 1\n"), "{metrics:?}");
}

#[test]
fn a_follower_with_a_full_disk_reads_only_and_catches_up_when_there_is_room() {
    let mut cluster = cluster();
    cluster.analyst(0).post("/ip/add", &json!({"ip": "203.0.113.1"})).expect(201);
    cluster.wait_level();
    let (full, other) = (cluster.followers()[0], cluster.leader());
    let urls: Vec<String> = cluster
        .running()
        .into_iter()
        .filter(|number| *number != full)
        .map(|n| cluster.nodes[n].url())
        .collect();

    fill(&cluster.nodes[full], LEFT_MIB);
    reads_only(&cluster, full);
    let load = Load::start(&urls, "analyst", PASSWORD, 2);
    let applied = |number: usize| cluster.nodes[number].status()?["applied_index"].as_u64();
    let before = applied(other).unwrap();
    wait_for("the others go on", WITHIN, || (applied(other)? > before + 100).then_some(()));
    let status = cluster.nodes[full].status().unwrap();
    assert!(status["lag_ms"].as_u64().unwrap() < 2000, "it hears the leader: {status}");
    assert!(applied(full).unwrap() < applied(other).unwrap(), "it takes nothing");
    reads_only(&cluster, full);

    empty(&cluster.nodes[full]);
    wait_written(&cluster, full, &json!({"ip": "203.0.113.3"}));
    let ledger = load.stop();
    assert!(ledger.acknowledged() > 50);
    cluster.same_list_everywhere();
}

#[test]
fn a_leader_with_a_full_disk_leaves_leading_to_others() {
    let mut cluster = cluster();
    cluster.analyst(0).post("/ip/add", &json!({"ip": "203.0.113.1"})).expect(201);
    cluster.wait_level();
    let (full, other) = (cluster.leader(), cluster.followers()[0]);

    fill(&cluster.nodes[full], LEFT_MIB);
    wait_for("another node leads", WITHIN, || {
        let leader = cluster.nodes[other].status()?["leader"].as_u64()?;
        (leader != cluster.nodes[full].id()).then_some(())
    });
    wait_written(&cluster, other, &json!({"ip": "203.0.113.3"}));
    reads_only(&cluster, full);

    empty(&cluster.nodes[full]);
    wait_written(&cluster, full, &json!({"ip": "203.0.113.4"}));
    cluster.same_list_everywhere();
}

#[test]
fn a_node_without_a_single_free_block_lives_through_an_election() {
    let mut cluster = cluster();
    cluster.analyst(0).post("/ip/add", &json!({"ip": "203.0.113.1"})).expect(201);
    cluster.wait_level();
    let (leader, followers) = (cluster.leader(), cluster.followers());
    let (full, other) = (followers[0], followers[1]);

    fill_to_the_brim(&cluster.nodes[full]);
    wait_written(&cluster, other, &json!({"ip": "203.0.113.3"}));
    cluster.nodes[leader].kill();
    wait_for("the leader is missed", WITHIN, || {
        let term = cluster.nodes[other].status()?;
        (term["state"] == "candidate" || term["leader"].is_null()).then_some(())
    });
    reads_only(&cluster, full);
    cluster.nodes[leader].start();
    wait_written(&cluster, other, &json!({"ip": "203.0.113.4"}));
    reads_only(&cluster, full);

    empty(&cluster.nodes[full]);
    wait_written(&cluster, full, &json!({"ip": "203.0.113.5"}));
    cluster.nodes[leader].wait_ready();
    cluster.same_list_everywhere();
}

#[test]
fn a_node_that_is_started_on_a_full_disk_says_so_and_touches_nothing() {
    let mut cluster = cluster();
    cluster.analyst(0).post("/ip/add", &json!({"ip": "203.0.113.1"})).expect(201);
    cluster.wait_level();
    fill_to_the_brim(&cluster.nodes[2]);
    cluster.nodes[2].kill();
    // What it had open and deleted is free now.
    fill_up(&cluster.nodes[2]);

    cluster.nodes[2].start();
    assert!(!cluster.nodes[2].wait_ended(WITHIN).success());
    let told = cluster.nodes[2].log();
    assert!(told.contains("see to the disk") && told.contains("free space"), "{told}");

    fs::remove_file(filler(&cluster.nodes[2])).unwrap();
    cluster.nodes[2].start_ready();
    wait_written(&cluster, 2, &json!({"ip": "203.0.113.3"}));
    cluster.same_list_everywhere();
}

#[test]
fn nodes_that_are_all_full_take_writes_again_when_they_have_room() {
    let mut cluster = cluster();
    cluster.analyst(0).post("/ip/add", &json!({"ip": "203.0.113.1"})).expect(201);
    cluster.wait_level();
    for node in &cluster.nodes {
        fill(node, LEFT_MIB);
    }
    for number in 0..3 {
        reads_only(&cluster, number);
    }
    for node in &cluster.nodes {
        empty(node);
    }
    for number in 0..3 {
        wait_written(&cluster, number, &json!({"ip": "203.0.113.3"}));
    }
    cluster.same_list_everywhere();
}
