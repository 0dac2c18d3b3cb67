//! A segment that is cut off: the list stays readable, and says how old it is.

use std::time::{Duration, Instant};

use serde_json::json;
use stockade_tests::{Answer, TestCluster, wait_for};

/// What `--write-timeout 2` may take on a busy machine.
const REFUSED_WITHIN: Duration = Duration::from_secs(5);

#[track_caller]
fn lag(answer: &Answer) -> f64 {
    let lag = answer.header("stockade-lag").and_then(|lag| lag.parse().ok());
    let Some(lag) = lag else { panic!("no Stockade-Lag in {answer:?}") };
    lag
}

#[test]
fn without_a_majority_reads_go_on_and_writes_are_refused_until_it_is_back() {
    let mut cluster = TestCluster::start_with(3, &["--write-timeout", "2"]);
    cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);
    cluster.wait_level();
    let followers = cluster.followers();
    let (left, back) = (followers[0], followers[1]);
    let leader = cluster.leader();

    // With a leader, a read is fresh.
    let client = cluster.analyst(left);
    assert!(lag(&client.get("/ip/all?max_lag=2s").expect(200)) < 2.0);

    // Two of three die.
    cluster.nodes[leader].kill();
    cluster.nodes[back].kill();
    wait_for("the node says how long it heard of no leader", Duration::from_secs(10), || {
        (lag(&client.get("/ip/all")) > 1.5).then_some(())
    });
    let list = client.get("/ip/all?format=txt").expect(200);
    assert_eq!(list.text(), "198.51.100.1\n");
    let older = lag(&client.get("/ip/198.51.100.1").expect(200));
    assert!(older > 1.5, "the lag grows, and is {older}");
    client.get("/ip/all?max_lag=1s").expect(503).message();
    client.get("/ip/all?consistency=linearizable").expect(503).message();

    // A write that is no report is refused in time, and says when to try again.
    let asked = Instant::now();
    let refused = client.post("/ip/delete", &json!({"ip": "198.51.100.1"})).expect(503);
    assert!(asked.elapsed() < REFUSED_WITHIN, "refused after {:?}", asked.elapsed());
    assert!(refused.header("retry-after").is_some_and(|value| value.parse::<u64>().is_ok()), "{refused:?}");
    refused.message();
    client.get("/ip/198.51.100.1").expect(200);

    // Orchestrators see the difference between alive and able.
    client.get("/livez").expect(200);

    // One comes back: writes work again.
    cluster.nodes[back].start();
    wait_for("writes work again", Duration::from_secs(10), || {
        let sent = client.request("POST", "/ip/add").json(&json!({"ip": "198.51.100.3"})).try_send().ok()?;
        matches!(sent.status, 200 | 201).then_some(())
    });
    cluster.nodes[leader].start_ready();
    cluster.nodes[back].wait_ready();
    cluster.same_list_everywhere();
    client.get("/ip/198.51.100.3").expect(200);
}
