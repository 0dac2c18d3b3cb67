//! Nodes come and go.

use std::time::Duration;

use serde_json::{Value, json};
use stockade_tests::{Answer, TestCluster, wait_for};

const WITHIN: Duration = Duration::from_secs(20);

#[track_caller]
fn remove(cluster: &TestCluster, through: usize, id: u64) -> Answer {
    cluster.nodes[through].operator().delete(&format!("/admin/members/{id}"))
}

fn member(cluster: &TestCluster, through: usize, id: u64) -> Option<Value> {
    let status = cluster.nodes[through].status()?;
    status["members"].as_array()?.iter().find(|member| member["id"] == id).cloned()
}

#[test]
fn a_late_node_joins_by_snapshot_and_votes() {
    const FLAGS: [&str; 4] = ["--snapshot-after", "50", "--log-keep", "10"];
    let mut cluster = TestCluster::start_with(3, &FLAGS);
    for host in 0..200 {
        let body =
            json!({"ip": format!("198.51.100.{host}"), "comment": format!("report {host}"), "tags": ["t"]});
        cluster.analyst(host % 3).post("/ip/add", &body).expect(201);
    }
    for node in &cluster.nodes {
        node.operator().post("/admin/snapshot", &json!({})).expect(200);
        wait_for("the log is cut behind the snapshot", WITHIN, || {
            (node.status()?["purged_index"].as_u64()? > 100).then_some(())
        });
    }

    let late = cluster.join(&FLAGS);
    cluster.nodes[late].wait_ready();
    cluster.wait_voters(4);
    let status = cluster.nodes[late].status().expect("it answers");
    assert!(status["snapshot_index"].as_u64() > Some(100), "it got a snapshot: {status}");
    assert_eq!(cluster.same_list_everywhere().lines().count(), 201);

    // Accounts came with it, and it takes writes; also after a restart.
    cluster.analyst(late).post("/ip/add", &json!({"ip": "203.0.113.1"})).expect(201);
    cluster.nodes[late].kill();
    cluster.nodes[late].start_ready();
    assert_eq!(cluster.same_list_everywhere().lines().count(), 202);
}

#[test]
fn a_learner_stays_one_and_serves_reads() {
    let mut cluster = TestCluster::start(1);
    cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);
    let learner = cluster.join(&["--learner"]);
    cluster.nodes[learner].wait_ready();
    let id = cluster.nodes[learner].id();

    // It reads, and hands writes on.
    let index = cluster.analyst(learner).post("/ip/add", &json!({"ip": "198.51.100.2"})).expect(201).index();
    let list = cluster.analyst(learner).get(&format!("/ip/all?format=txt&min_index={index}")).expect(200);
    assert_eq!(list.text(), "198.51.100.1\n198.51.100.2\n");

    // It has no vote: the cluster does not miss it, and a restart changes nothing.
    cluster.nodes[learner].kill();
    cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.3"})).expect(201);
    cluster.nodes[learner].start_ready();
    cluster.same_list_everywhere();
    assert_eq!(member(&cluster, 0, id).expect("it is a member")["role"], "learner");
    assert_eq!(cluster.nodes[learner].status().expect("it answers")["state"], "learner");

    // Until it is promoted.
    cluster.nodes[0].operator().post(&format!("/admin/members/{id}/promote"), &json!({})).expect(200);
    cluster.wait_voters(2);
}

#[test]
fn a_follower_leaves_and_its_id_is_not_used_again() {
    let mut cluster = TestCluster::start(3);
    let gone = cluster.followers()[0];
    let id = cluster.nodes[gone].id();
    let through = cluster.leader();
    let answer = remove(&cluster, through, id);
    assert_eq!(answer.status / 100, 2, "{answer:?}");
    cluster.nodes[gone].kill();
    cluster.wait_voters(2);
    cluster.analyst(through).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);

    let next = cluster.join(&[]);
    cluster.nodes[next].wait_ready();
    assert_eq!(cluster.nodes[next].id(), 4, "ids are given out once");
    cluster.wait_voters(3);
    remove(&cluster, through, id).expect(404).message();
}

#[test]
fn a_removed_leader_is_followed_by_another() {
    let mut cluster = TestCluster::start(3);
    let leader = cluster.leader();
    let others = cluster.followers();
    let id = cluster.nodes[leader].id();
    let answer = remove(&cluster, others[0], id);
    assert_eq!(answer.status / 100, 2, "{answer:?}");
    wait_for("another node leads", WITHIN, || {
        let status = cluster.nodes[others[0]].status()?;
        let new = status["leader"].as_u64()?;
        (new != id && cluster.voters(others[0])?.len() == 2).then_some(())
    });
    for number in others {
        let added = cluster.analyst(number).post("/ip/add", &json!({"ip": format!("198.51.100.{number}")}));
        added.expect(201);
    }
}

#[test]
fn a_removal_that_would_cost_the_majority_is_refused() {
    let mut cluster = TestCluster::start(3);
    let (leader, followers) = (cluster.leader(), cluster.followers());
    let (dead, healthy) = (followers[0], followers[1]);
    let (dead_id, healthy_id) = (cluster.nodes[dead].id(), cluster.nodes[healthy].id());
    cluster.nodes[dead].kill();

    // The two that would be left are one healthy node and a dead one: no majority.
    wait_for("the leader misses the dead node, and refuses", WITHIN, || {
        let answer = remove(&cluster, leader, healthy_id);
        assert_ne!(answer.status / 100, 2, "the healthy node was removed: {answer:?}");
        (answer.status == 409 && answer.message().contains("majority")).then_some(())
    });
    cluster.analyst(healthy).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);

    // The dead one may go.
    let answer = remove(&cluster, leader, dead_id);
    assert_eq!(answer.status / 100, 2, "{answer:?}");
    cluster.wait_voters(2);
    cluster.analyst(healthy).post("/ip/add", &json!({"ip": "198.51.100.2"})).expect(201);
}
