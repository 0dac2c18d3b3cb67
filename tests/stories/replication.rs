//! One list on three nodes: written anywhere, read anywhere, kept over restarts and the loss of the leader.

use std::time::{Duration, Instant};

use serde_json::json;
use stockade_tests::{Load, Node, PASSWORD, TestCluster, wait_for};

/// After a fault, writes succeed again within this time.
const RECOVERED_WITHIN: Duration = Duration::from_secs(5);
/// Enough acknowledgements to call it load.
const SOME_WRITES: usize = 100;

fn urls(cluster: &TestCluster) -> Vec<String> {
    cluster.nodes.iter().map(Node::url).collect()
}

/// Lets the writers work until the list of one node has grown by some entries.
#[track_caller]
fn let_it_grow(cluster: &TestCluster, number: usize, by: usize) {
    let count = || {
        let answer = cluster.analyst(number).request("HEAD", "/ip/all?format=txt").try_send().ok()?;
        answer.header("stockade-count")?.parse::<usize>().ok()
    };
    let before = wait_for("the node counts its list", Duration::from_secs(10), count);
    wait_for("the list grows", Duration::from_secs(20), || (count()? >= before + by).then_some(()));
}

#[test]
fn a_write_to_a_follower_is_on_every_node() {
    let mut cluster = TestCluster::start(3);
    let follower = cluster.followers()[0];
    let body = json!({"ip": "45.146.164.110", "comment": "Bad guy"});
    let added = cluster.analyst(follower).post("/ip/add", &body).expect(201);
    assert_eq!(added.json(), json!({"message": "IP address successfully saved"}));
    for number in 0..3 {
        let path = format!("/ip/45.146.164.110?min_index={}", added.index());
        let entry = cluster.analyst(number).get(&path).expect(200).json();
        assert_eq!(entry[0]["comment"], "Bad guy", "on node {number}");
    }
    cluster.same_list_everywhere();
}

#[test]
fn writes_survive_kill_9_of_the_leader_and_count_once() {
    let mut cluster = TestCluster::start(3);
    let leader = cluster.leader();
    let load = Load::start(&urls(&cluster), "analyst", PASSWORD, 4);
    let_it_grow(&cluster, leader, SOME_WRITES);

    // The leader dies under load.
    cluster.nodes[leader].kill();
    let killed = Instant::now();
    let left = cluster.running()[0];
    let_it_grow(&cluster, left, SOME_WRITES);

    // It comes back, and the load goes on for a while.
    cluster.nodes[leader].start_ready();
    let_it_grow(&cluster, left, SOME_WRITES);
    let ledger = load.stop();

    let recovered = ledger.first_after(killed).expect("something was written after the kill");
    assert!(recovered < RECOVERED_WITHIN, "the first write after the kill took {recovered:?}");
    cluster.same_list_everywhere();
    for number in 0..3 {
        ledger.judge(&cluster.analyst(number).get("/ip/all?fields=value,sighting").expect(200).json());
    }
}

#[test]
fn a_frozen_leader_is_replaced_and_learns_of_it() {
    let mut cluster = TestCluster::start(3);
    let leader = cluster.leader();
    let others = cluster.followers();
    let urls: Vec<String> = others.iter().map(|&number| cluster.nodes[number].url()).collect();
    let load = Load::start(&urls, "analyst", PASSWORD, 2);
    let_it_grow(&cluster, others[0], SOME_WRITES);

    // It keeps its connections and says nothing.
    cluster.nodes[leader].freeze();
    let frozen = Instant::now();
    let_it_grow(&cluster, others[0], SOME_WRITES);
    cluster.nodes[leader].thaw();
    let_it_grow(&cluster, others[0], SOME_WRITES / 4);
    let ledger = load.stop();

    let recovered = ledger.first_after(frozen).expect("something was written after the freeze");
    assert!(recovered < RECOVERED_WITHIN, "the first write after the freeze took {recovered:?}");
    let list = cluster.same_list_everywhere();
    assert!(list.lines().count() > SOME_WRITES);
    ledger.judge(&cluster.analyst(leader).get("/ip/all?fields=value,sighting").expect(200).json());
}

#[test]
fn a_restart_of_all_nodes_keeps_the_list_to_the_byte() {
    let mut cluster = TestCluster::start(3);
    for host in 1..=50 {
        let body = json!({"ip": format!("198.51.100.{}", host % 40), "comment": format!("report {host}")});
        cluster.analyst(host % 3).post("/ip/add", &body);
    }
    let before = cluster.same_list_everywhere();

    // In order.
    for node in &mut cluster.nodes {
        assert!(node.terminate().success(), "{} ends with 0 on SIGTERM", node.name());
    }
    for node in &mut cluster.nodes {
        node.start();
    }
    for node in &mut cluster.nodes {
        node.wait_ready();
    }
    assert_eq!(cluster.same_list_everywhere(), before);

    // And by kill -9 of all at once.
    for node in &mut cluster.nodes {
        node.kill();
    }
    for node in &mut cluster.nodes {
        node.start();
    }
    for node in &mut cluster.nodes {
        node.wait_ready();
    }
    assert_eq!(cluster.same_list_everywhere(), before);
    cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.200"})).expect(201);
}

#[test]
fn a_leader_told_to_stop_hands_over_and_loses_nothing() {
    let mut cluster = TestCluster::start(3);
    let leader = cluster.leader();
    let others = cluster.followers();
    let urls: Vec<String> = others.iter().map(|&number| cluster.nodes[number].url()).collect();
    let load = Load::start(&urls, "analyst", PASSWORD, 2);
    let_it_grow(&cluster, others[0], SOME_WRITES);

    let ended = cluster.nodes[leader].terminate();
    assert!(ended.success(), "the leader ended with {ended:?}");
    let_it_grow(&cluster, others[0], SOME_WRITES);
    let ledger = load.stop();

    assert_eq!(ledger.unknown(), 0, "a planned stop fails no write on the other nodes");
    cluster.nodes[leader].start_ready();
    cluster.same_list_everywhere();
    ledger.judge(&cluster.analyst(leader).get("/ip/all?fields=value,sighting").expect(200).json());
}

#[test]
fn a_rolling_restart_under_load_loses_nothing() {
    let mut cluster = TestCluster::start(3);
    let load = Load::start(&urls(&cluster), "analyst", PASSWORD, 3);
    for number in 0..3 {
        let other = (number + 1) % 3;
        let_it_grow(&cluster, other, SOME_WRITES / 2);
        assert!(cluster.nodes[number].terminate().success());
        let_it_grow(&cluster, other, SOME_WRITES / 2);
        cluster.nodes[number].start_ready();
    }
    let ledger = load.stop();
    cluster.same_list_everywhere();
    ledger.judge(&cluster.analyst(0).get("/ip/all?fields=value,sighting").expect(200).json());
}

#[test]
fn leadership_is_handed_over_on_demand() {
    let mut cluster = TestCluster::start(3);
    let leader = cluster.leader();
    let heir = cluster.followers()[0];
    let id = cluster.nodes[heir].id();
    cluster.nodes[leader].operator().post("/admin/leader", &json!({"to": id})).expect(200);
    wait_for("the heir leads", RECOVERED_WITHIN, || {
        (cluster.nodes[heir].status()?["state"] == "leader").then_some(())
    });
    cluster.analyst(leader).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);
}
