//! A node whose clock is an hour ahead: times travel with the commands, so all nodes have the same ones.

use std::time::Duration;

use serde_json::{Value, json};
use stockade_tests::{TestCluster, wait_for};

const AN_HOUR: u64 = 3600;
const HALF_AN_HOUR: u64 = 1800;

/// Three voters; the last one's clock is ahead, and it does not lead.
fn cluster() -> TestCluster {
    let mut cluster = TestCluster::empty();
    let urls = |cluster: &TestCluster| cluster.nodes.iter().map(|node| node.url()).collect::<Vec<_>>();
    for number in 0..3 {
        let others = urls(&cluster);
        cluster.prepare(&[]);
        let mut arguments: Vec<&str> = others.iter().map(String::as_str).collect();
        if number > 0 {
            arguments.insert(0, "--join");
        }
        if number == 2 {
            cluster.nodes[number].set_clock_ahead(AN_HOUR);
        }
        cluster.nodes[number].set_arguments(&arguments);
        cluster.nodes[number].start_ready();
    }
    cluster.wait_voters(3);
    cluster.register("analyst", "analyst");
    lead(&mut cluster, 0);
    cluster
}

#[track_caller]
fn lead(cluster: &mut TestCluster, number: usize) {
    let id = cluster.nodes[number].id();
    cluster.nodes[0].operator().post("/admin/leader", &json!({"to": id})).expect(200);
    wait_for("it leads", Duration::from_secs(10), || (cluster.leader() == number).then_some(()));
}

#[track_caller]
fn add(cluster: &TestCluster, number: usize, address: &str, ttl: u64) {
    let body = json!({"ip": address, "ttl": ttl});
    let index = cluster.analyst(number).post("/ip/add", &body).expect(201).index();
    cluster.wait_applied(index);
}

/// What one node says of an address; null when it is not listed.
fn entry(cluster: &TestCluster, number: usize, address: &str) -> Value {
    let answer = cluster.analyst(number).get(&format!("/ip/{address}?fields=time_added,expires"));
    if answer.status == 404 { Value::Null } else { answer.expect(200).json()[0].clone() }
}

#[track_caller]
fn wait_gone(cluster: &TestCluster, address: &str) {
    for number in 0..3 {
        wait_for(&format!("{address} has left node {number}"), Duration::from_secs(15), || {
            entry(cluster, number, address).is_null().then_some(())
        });
    }
}

#[test]
fn a_node_an_hour_ahead_drops_nothing_before_the_others_do() {
    let mut cluster = cluster();
    add(&cluster, 0, "198.51.100.1", HALF_AN_HOUR);
    add(&cluster, 2, "198.51.100.2", HALF_AN_HOUR);
    cluster.analyst(2).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(200);
    add(&cluster, 1, "198.51.100.3", 1);

    // What is due by the leader's clock leaves all nodes; what is due by the other clock only leaves none.
    wait_gone(&cluster, "198.51.100.3");
    cluster.same_list_everywhere();
    for number in 0..3 {
        let first = entry(&cluster, number, "198.51.100.1");
        let second = entry(&cluster, number, "198.51.100.2");
        // The time of an entry is that of the node that took it, on every node.
        assert!(
            first["expires"].as_str() < second["time_added"].as_str(),
            "{first} {second} on node {number}"
        );
    }
}

#[test]
fn a_leader_an_hour_ahead_takes_what_is_due_by_its_clock_off_every_node() {
    let mut cluster = cluster();
    add(&cluster, 0, "198.51.100.1", HALF_AN_HOUR);
    add(&cluster, 1, "198.51.100.2", 3 * AN_HOUR);
    lead(&mut cluster, 2);

    wait_gone(&cluster, "198.51.100.1");
    cluster.same_list_everywhere();
    for number in 0..3 {
        assert!(!entry(&cluster, number, "198.51.100.2").is_null(), "on node {number}");
    }
}
