//! `--expect`: empty nodes that see each other form one cluster, once.

use std::time::Duration;

use serde_json::json;
use stockade_tests::{Client, Node, TOKEN, TestCluster, wait_for};

const WITHIN: Duration = Duration::from_secs(30);

/// Three nodes that all have the same command line, none of them started.
fn three_empty_nodes() -> TestCluster {
    let mut cluster = TestCluster::empty();
    for _ in 0..3 {
        cluster.prepare(&[]);
    }
    let urls: Vec<String> = cluster.nodes.iter().map(Node::url).collect();
    let arguments = ["--expect", "3", "--join", &urls[0], &urls[1], &urls[2]];
    for node in &mut cluster.nodes {
        node.set_arguments(&arguments);
    }
    cluster
}

fn cluster_ids(cluster: &TestCluster) -> Vec<String> {
    let id = |node: &Node| {
        let status = wait_for("a member shows its status", WITHIN, || node.status());
        status["cluster_id"].as_str().expect("the status has the cluster's id").to_owned()
    };
    cluster.nodes.iter().map(id).collect()
}

#[track_caller]
fn is_waiting(node: &Node) {
    let client = Client::anonymous(&node.url());
    wait_for("the node answers", WITHIN, || client.try_get("/livez").filter(|answer| answer.status == 200));
    client.get("/readyz").expect(503);
    let refused = client.get("/ip/all").expect(503);
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    refused.message();
}

#[test]
fn three_empty_nodes_form_one_cluster_in_any_order() {
    let mut cluster = three_empty_nodes();

    // Two of three are not enough.
    cluster.nodes[2].start();
    cluster.nodes[0].start();
    is_waiting(&cluster.nodes[2]);
    is_waiting(&cluster.nodes[0]);

    // The third makes it one cluster.
    cluster.nodes[1].start();
    for node in &mut cluster.nodes {
        node.wait_ready();
    }
    cluster.wait_voters(3);
    let ids = cluster_ids(&cluster);
    assert!(ids.iter().all(|id| *id == ids[0]), "one cluster, not {ids:?}");
    cluster.register("analyst", "analyst");
    cluster.analyst(1).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);
    cluster.same_list_everywhere();

    // A node that lost its disk joins with the same command line; it never founds.
    for lost in [1, 0] {
        let old = cluster.nodes[lost].id();
        cluster.nodes[lost].kill();
        cluster.nodes[lost].wipe();
        cluster.nodes[lost].start_ready();
        assert_eq!(cluster_ids(&cluster), ids);
        let new = cluster.nodes[lost].id();
        assert!(new > 3, "its id {new} is a new one");
        wait_for("it takes the place of what it was", WITHIN, || {
            let voters = cluster.voters(2)?;
            (voters.contains(&new) && !voters.contains(&old)).then_some(())
        });
        cluster.wait_voters(3);
        assert_eq!(cluster.same_list_everywhere().lines().count(), 2);
    }
}

#[test]
fn all_three_started_at_once_form_one_cluster_and_restart_as_one() {
    let mut cluster = three_empty_nodes();
    for node in &mut cluster.nodes {
        node.start();
    }
    for node in &mut cluster.nodes {
        node.wait_ready();
    }
    cluster.wait_voters(3);
    let ids = cluster_ids(&cluster);
    assert!(ids.iter().all(|id| *id == ids[0]), "one cluster, not {ids:?}");
    for node in &mut cluster.nodes {
        node.kill();
    }
    for node in &mut cluster.nodes {
        node.start();
    }
    for node in &mut cluster.nodes {
        node.wait_ready();
    }
    assert_eq!(cluster_ids(&cluster), ids);
    let formation =
        cluster.nodes[1].anonymous().registration(TOKEN).get("/admin/formation").expect(200).json();
    assert_eq!((&formation["state"], &formation["cluster_id"]), (&json!("member"), &json!(ids[0])));
}
