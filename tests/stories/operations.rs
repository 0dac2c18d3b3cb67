//! What operators look at.

use serde_json::json;
use stockade_tests::TestCluster;

#[test]
fn health_metrics_and_status_are_there_on_every_node() {
    let mut cluster = TestCluster::start(3);
    cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);
    cluster.wait_level();
    let leader = cluster.leader();
    let leader_id = cluster.nodes[leader].id();

    for number in 0..3 {
        let anonymous = cluster.nodes[number].anonymous();
        anonymous.get("/livez").expect(200);
        anonymous.get("/readyz").expect(200);
        let metrics = anonymous.get("/metrics").expect(200);
        assert!(
            metrics.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")),
            "{metrics:?}"
        );
        let samples: Vec<&str> =
            metrics.text().lines().filter(|line| line.starts_with("stockade_")).collect();
        assert!(!samples.is_empty(), "no metric of ours in {metrics:?}");
        for sample in samples {
            let value = sample.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
            assert!(value.is_some(), "`{sample}` has no value");
        }

        let status = cluster.nodes[number].operator().get("/admin/status").expect(200).json();
        assert_eq!(status["leader"], json!(leader_id), "node {number}: {status}");
        let state = if number == leader { "leader" } else { "follower" };
        assert_eq!(status["state"], state, "node {number}: {status}");
        assert_eq!(status["command_version"], 3, "node {number}: {status}");
        assert_eq!(status["members"].as_array().map(Vec::len), Some(3), "node {number}: {status}");

        // Any node tells what the leader knows.
        let members = cluster.nodes[number].operator().get("/admin/members").expect(200);
        for member in members.json().as_array().expect("the members are an array") {
            assert!(member["matched"].is_u64(), "{member}");
            assert_ne!(member["healthy"], false, "{member}");
        }

        anonymous.get("/admin/status").expect(401);
    }
}

#[test]
fn a_snapshot_on_demand_covers_what_was_applied() {
    let cluster = TestCluster::start_with(1, &["--log-keep", "10"]);
    for host in 0..50 {
        cluster.analyst(0).post("/ip/add", &json!({"ip": format!("198.51.100.{host}")})).expect(201);
    }
    let applied = cluster.nodes[0].status().expect("it answers")["applied_index"].as_u64();
    cluster.nodes[0].operator().post("/admin/snapshot", &json!({})).expect(200);
    let status = cluster.nodes[0].status().expect("it answers");
    assert!(status["snapshot_index"].as_u64() >= applied, "{status}");
}
