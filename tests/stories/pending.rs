//! Reports without a majority: this node's disk has them, its own list shows them, and they join the list of all
//! exactly once.

use std::time::Duration;

use serde_json::{Value, json};
use stockade_tests::{Client, TestCluster, wait_for};

const WITHIN: Duration = Duration::from_secs(20);
const FLAGS: [&str; 4] = ["--write-timeout", "3", "--accept-after", "1"];

fn add(client: &Client, ip: &str) -> stockade_tests::Answer {
    client.post("/ip/add", &json!({"ip": ip, "comment": "cut off"}))
}

fn request(client: &Client, id: &str) -> Value {
    client.get(&format!("/requests/{id}")).expect(200).json()
}

/// Kills all but one node; the one that is left, alone.
fn alone(cluster: &mut TestCluster, left: usize) -> Client {
    for number in (0..cluster.nodes.len()).filter(|number| *number != left) {
        cluster.nodes[number].kill();
    }
    cluster.analyst(left)
}

/// What is accepted on one node survives its kill, and is on all nodes once, when they are back.
fn accepted_and_kept(mut cluster: TestCluster, left: usize) {
    add(&cluster.analyst(0), "198.51.100.1").expect(201);
    cluster.wait_level();
    let client = alone(&mut cluster, left);

    // The first waits for a majority for a while; then nobody waits any more.
    let first = add(&client, "198.51.100.2").expect(202);
    let id = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(first.header("location"), Some(format!("/requests/{id}").as_str()));
    assert!(first.message().contains("majority"), "{first:?}");
    assert_eq!(request(&client, &id)["state"], "pending");
    for host in 3..8 {
        add(&client, &format!("198.51.100.{host}")).expect(202);
    }
    add(&client, "198.51.100.1").expect(202);
    let bulk =
        client.request("POST", "/ip/add").body("text/plain", "203.0.113.1\n203.0.113.2\nnonsense\n").send();
    let bulk = bulk.expect(202).json();
    assert_eq!((&bulk["accepted"], &bulk["refused_total"]), (&json!(2), &json!(1)), "{bulk}");

    // This node's lookups and exports show them; who wants what all have, gets it.
    let shown = |client: &Client| {
        let list = client.get("/ip/all?format=txt").expect(200);
        assert_eq!(list.header("stockade-pending"), Some("8"));
        assert_eq!(list.text().lines().count(), 9);
        let entry = client.get("/ip/198.51.100.1").expect(200);
        assert_eq!(entry.json()[0]["sighting"], 1);
        let agreed = client.get("/ip/all?format=txt&pending=exclude").expect(200);
        assert_eq!(agreed.text(), "198.51.100.1\n");
        assert!(agreed.header("stockade-pending").is_none());
        client.get("/ip/198.51.100.2?pending=exclude").expect(404);
    };
    shown(&client);
    client.get("/ip/198.51.100.2?consistency=linearizable").expect(503);
    client.get("/ip/all?pending=perhaps").expect(400);

    // The rest needs a majority.
    client.post("/ip/delete", &json!({"ip": "198.51.100.1"})).expect(503);
    client.post("/allow/add", &json!({"ip": "198.51.100.1"})).expect(503);

    // The node dies and starts again, still alone.
    cluster.nodes[left].kill();
    cluster.nodes[left].start();
    wait_for("the node serves its list", WITHIN, || {
        client.try_get("/ip/all?format=txt").filter(|answer| answer.header("stockade-pending") == Some("8"))
    });
    shown(&client);
    let last = add(&client, "198.51.100.2").expect(202).json()["id"].as_str().unwrap().to_owned();
    let status = cluster.nodes[left].status().unwrap();
    assert!(
        status["pending_bytes"].as_u64() > Some(0) && status["pending_oldest_ms"].as_u64() > Some(0),
        "{status}"
    );

    // The others are back: all of it is in the list, once, in its order.
    for number in (0..3).filter(|number| *number != left) {
        cluster.nodes[number].start_ready();
    }
    wait_for("everything is handed on", WITHIN, || {
        (cluster.nodes[left].status()?["pending_commands"] == 0).then_some(())
    });
    let list = cluster.same_list_everywhere();
    assert_eq!(list.lines().count(), 10, "{list}");
    for (value, sightings) in
        [("198.51.100.1", 1), ("198.51.100.2", 1), ("198.51.100.3", 0), ("203.0.113.2", 0)]
    {
        let entry = cluster.analyst(left).get(&format!("/ip/{value}?fields=sighting")).expect(200).json();
        assert_eq!(entry[0]["sighting"], sightings, "{value}");
    }
    for number in 0..3 {
        for id in [&id, &last] {
            wait_for("it is known on every node", WITHIN, || {
                (request(&cluster.analyst(number), id)["state"] == "applied").then_some(())
            });
        }
    }
    let told = request(&cluster.analyst(left), &last);
    assert_eq!(told["counts"]["sighted"], 1, "{told}");
    let list = cluster.analyst(left).get("/ip/all?format=txt").expect(200);
    assert!(list.header("stockade-pending").is_none());
    add(&cluster.analyst(left), "203.0.113.9").expect(201);
    cluster.analyst(left).get("/requests/9-9-9").expect(404);
}

#[test]
fn a_follower_that_is_cut_off_accepts_reports() {
    let mut cluster = TestCluster::start_with(3, &FLAGS);
    let left = cluster.followers()[0];
    accepted_and_kept(cluster, left);
}

#[test]
fn a_leader_that_lost_its_majority_accepts_reports() {
    let mut cluster = TestCluster::start_with(3, &FLAGS);
    let left = cluster.leader();
    accepted_and_kept(cluster, left);
}

#[test]
fn what_may_wait_has_a_limit() {
    let mut cluster = TestCluster::start_with(3, &[&FLAGS[..], &["--pending-max-mib", "1"]].concat());
    cluster.wait_level();
    let client = alone(&mut cluster, 0);
    let comment = "x".repeat(900);
    let mut round = 0;
    let full = wait_for("the limit is reached", WITHIN, || {
        round += 1;
        let lines: String = (0..200)
            .map(|n| format!("{{\"ip\":\"45.{round}.0.{n}\",\"comment\":\"{comment}\"}}\n"))
            .collect();
        let sent = client.request("POST", "/ip/add").body("application/x-ndjson", lines).send();
        (sent.status != 202).then_some(sent)
    });
    let message = full.expect(507).message();
    assert!(message.contains("1 MiB"), "{message}");
    assert!(cluster.nodes[0].status().unwrap()["pending_bytes"].as_u64() <= Some(1 << 20));

    // Reads go on, and so do smaller reports while there is room; nothing accepted is lost.
    let accepted: u64 =
        client.get("/ip/all?format=txt").expect(200).header("stockade-pending").unwrap().parse().unwrap();
    assert_eq!(accepted, round - 1, "a command a request");
    for number in [1, 2] {
        cluster.nodes[number].start_ready();
    }
    wait_for("everything is handed on", WITHIN, || {
        (cluster.nodes[0].status()?["pending_commands"] == 0).then_some(())
    });
    assert_eq!(cluster.same_list_everywhere().lines().count() as u64, 1 + 200 * (round - 1));
}

#[test]
fn a_repeat_of_an_accepted_report_counts_once() {
    let mut cluster = TestCluster::start_with(3, &FLAGS);
    cluster.wait_level();
    let client = alone(&mut cluster, 0);
    let keyed = |client: &Client| {
        client
            .request("POST", "/ip/add")
            .header("idempotency-key", "k")
            .json(&json!({"ip": "198.51.100.1"}))
            .send()
    };
    keyed(&client).expect(202);
    keyed(&client).expect(202);
    for number in [1, 2] {
        cluster.nodes[number].start_ready();
    }
    wait_for("everything is handed on", WITHIN, || {
        (cluster.nodes[0].status()?["pending_commands"] == 0).then_some(())
    });
    let again = keyed(&cluster.analyst(1)).expect(201);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let entry = cluster.analyst(1).get("/ip/198.51.100.1").expect(200).json();
    assert_eq!(entry[0]["sighting"], 0);
}
