//! `kill -9` again and again, under load; and the loss of a disk.

use std::time::Duration;

use serde_json::json;
use stockade_tests::{Load, Node, PASSWORD, TestCluster, wait_for};

const ROUNDS: usize = 6;

#[test]
fn random_nodes_killed_in_a_loop_lose_nothing_and_agree() {
    kill_in_a_loop(&[]);
}

#[test]
fn random_nodes_killed_while_snapshots_are_made_and_installed_lose_nothing() {
    kill_in_a_loop(&["--snapshot-after", "40", "--log-keep", "5"]);
}

#[track_caller]
fn kill_in_a_loop(flags: &[&str]) {
    let mut cluster = TestCluster::start_with(3, flags);
    let urls: Vec<String> = cluster.nodes.iter().map(Node::url).collect();
    let load = Load::start(&urls, "analyst", PASSWORD, 4);

    for round in 0..ROUNDS {
        // A fixed walk that hits each node, whatever it is at that moment.
        let victim = (round * 7 + round / 3) % 3;
        cluster.nodes[victim].kill();
        let survivor = (victim + 1) % 3;
        let applied = applied(&cluster, survivor);
        wait_for("writes go on without it", Duration::from_secs(10), || {
            (cluster.nodes[survivor].status()?["applied_index"].as_u64()? > applied + 50).then_some(())
        });
        cluster.nodes[victim].start_ready();
    }
    let ledger = load.stop();

    assert!(ledger.acknowledged() > 100, "there was load: {} writes", ledger.acknowledged());
    cluster.same_list_everywhere();
    for number in 0..3 {
        ledger.judge(&cluster.analyst(number).get("/ip/all?fields=value,sighting").expect(200).json());
    }
}

fn applied(cluster: &TestCluster, number: usize) -> u64 {
    wait_for("the node says where it stands", Duration::from_secs(10), || {
        cluster.nodes[number].status()?["applied_index"].as_u64()
    })
}

#[test]
fn a_leader_that_is_back_before_an_election_loses_nothing() {
    let mut cluster = TestCluster::start(3);
    let urls: Vec<String> = cluster.nodes.iter().map(Node::url).collect();
    let load = Load::start(&urls, "analyst", PASSWORD, 4);
    for _ in 0..ROUNDS {
        let leader = cluster.leader();
        let before = applied(&cluster, leader);
        wait_for("the writers are at work", Duration::from_secs(10), || {
            (applied(&cluster, leader) > before + 20).then_some(())
        });
        // What its followers have on disk may be more than what it had itself.
        cluster.nodes[leader].kill();
        cluster.nodes[leader].start();
        cluster.nodes[leader].wait_ready();
    }
    let ledger = load.stop();

    cluster.same_list_everywhere();
    for number in 0..3 {
        ledger.judge(&cluster.analyst(number).get("/ip/all?fields=value,sighting").expect(200).json());
    }
}

#[test]
fn all_nodes_killed_at_once_lose_no_acknowledged_write() {
    let mut cluster = TestCluster::start(3);
    let urls: Vec<String> = cluster.nodes.iter().map(Node::url).collect();
    let load = Load::start(&urls, "analyst", PASSWORD, 4);
    let before = applied(&cluster, 0);
    wait_for("the writers are at work", Duration::from_secs(10), || {
        (applied(&cluster, 0) > before + 100).then_some(())
    });

    for node in &mut cluster.nodes {
        node.kill();
    }
    let ledger = load.stop();
    for node in &mut cluster.nodes {
        node.start();
    }
    for node in &mut cluster.nodes {
        node.wait_ready();
    }
    cluster.same_list_everywhere();
    ledger.judge(&cluster.analyst(0).get("/ip/all?fields=value,sighting").expect(200).json());
    cluster.analyst(2).post("/ip/add", &json!({"ip": "203.0.113.1"})).expect(201);
}

#[test]
fn a_member_that_lost_its_disk_comes_back_as_a_new_one() {
    let mut cluster = TestCluster::start(3);
    for host in 1..=30 {
        cluster.analyst(0).post("/ip/add", &json!({"ip": format!("198.51.100.{host}")})).expect(201);
    }
    let old = cluster.nodes[2].id();
    cluster.nodes[2].kill();
    cluster.nodes[2].wipe();

    // It joins again by the flags it was always started with.
    cluster.nodes[2].start_ready();
    let new = cluster.nodes[2].id();
    assert!(new > 3, "the id {new} is a new one");
    wait_for("it votes under its new id, and the old one is gone", Duration::from_secs(20), || {
        let voters = cluster.voters(0)?;
        (voters.contains(&new) && !voters.contains(&old)).then_some(())
    });
    cluster.wait_voters(3);
    cluster.same_list_everywhere();

    // Its vote counts: another one may go.
    let victim = cluster.leader();
    cluster.nodes[victim].kill();
    let left = cluster.running()[0];
    wait_for("writes go on", Duration::from_secs(10), || {
        let sent =
            cluster.analyst(left).request("POST", "/ip/add").json(&json!({"ip": "203.0.113.1"})).try_send();
        matches!(sent.ok()?.status, 200 | 201).then_some(())
    });
}
