//! A client that does not know what became of its request sends it again: under the same key it counts once.

use serde_json::{Value, json};
use stockade_tests::{Answer, Client, TestCluster};

fn keyed(client: &Client, path: &str, key: &str, body: &Value) -> Answer {
    client.request("POST", path).header("idempotency-key", key).json(body).send()
}

fn sightings(client: &Client, value: &str, index: u64) -> Value {
    client.get(&format!("/ip/{value}?fields=sighting&min_index={index}")).expect(200).json()[0]["sighting"]
        .clone()
}

#[test]
fn a_repeat_gets_the_first_answer_from_any_node() {
    let cluster = TestCluster::start(3);
    let add = json!({"ip": "198.51.100.1", "comment": "first"});
    let first = keyed(&cluster.analyst(0), "/ip/add", "k1", &add).expect(201);
    assert!(first.header("idempotency-replayed").is_none());
    let mut index = first.index();
    for node in [1, 2, 0] {
        let again = keyed(&cluster.analyst(node), "/ip/add", "k1", &add).expect(201);
        assert_eq!(again.text(), first.text(), "node {node}");
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "node {node}");
        index = again.index();
    }
    assert_eq!(sightings(&cluster.analyst(2), "198.51.100.1", index), 0);

    // Another key is another request; no key never repeats.
    keyed(&cluster.analyst(1), "/ip/add", "k2", &add).expect(200);
    let index = cluster.analyst(1).post("/ip/add", &add).expect(200).index();
    assert_eq!(sightings(&cluster.analyst(0), "198.51.100.1", index), 2);

    // A refusal is an answer too.
    let missing = json!({"ip": "198.51.100.9"});
    let refused = keyed(&cluster.analyst(0), "/ip/delete", "k3", &missing).expect(404).text().to_owned();
    cluster.analyst(0).post("/ip/add", &missing).expect(201);
    assert_eq!(keyed(&cluster.analyst(1), "/ip/delete", "k3", &missing).expect(404).text(), refused);
}

#[test]
fn another_request_under_the_same_key_is_refused() {
    let mut cluster = TestCluster::start(3);
    cluster.register("sensor", "sensor");
    keyed(&cluster.analyst(0), "/ip/add", "k", &json!({"ip": "198.51.100.1"})).expect(201);
    let other = keyed(&cluster.analyst(1), "/ip/add", "k", &json!({"ip": "198.51.100.2"})).expect(422);
    assert!(other.message().contains("Idempotency-Key"), "{other:?}");
    keyed(&cluster.analyst(1), "/ip/add?ttl=5", "k", &json!({"ip": "198.51.100.1"})).expect(422);
    keyed(&cluster.analyst(1), "/ip/delete", "k", &json!({"ip": "198.51.100.1"})).expect(422);
    let lines = cluster.analyst(2).request("POST", "/ip/add").header("idempotency-key", "k");
    lines.body("text/plain", "198.51.100.3\n198.51.100.4\n").send().expect(422);
    cluster.analyst(0).get("/ip/198.51.100.2").expect(404);

    // Somebody else's key is somebody else's; what is no key is no key.
    keyed(&cluster.client(1, "sensor"), "/ip/add", "k", &json!({"ip": "198.51.100.2"})).expect(201);
    keyed(&cluster.analyst(0), "/ip/add", &"k".repeat(300), &json!({"ip": "198.51.100.5"})).expect(400);
    cluster.same_list_everywhere();
}

#[test]
fn a_bulk_request_is_repeated_part_by_part() {
    let mut cluster = TestCluster::start(3);
    // Several commands, the last one not full, one line refused.
    let lines: String =
        (0..20_000).map(|n| format!("45.{}.{}.{}\n", n / 65_536, n / 256 % 256, n % 256)).collect();
    let body = format!("{lines}127.0.0.1\n");
    let send = |node: usize| {
        let request = cluster.analyst(node).request("POST", "/ip/add").header("idempotency-key", "bulk");
        request.body("text/plain", body.as_bytes()).send().expect(200)
    };
    let first = send(0);
    assert_eq!(
        (first.json()["added"].as_u64(), first.json()["refused_total"].as_u64()),
        (Some(20_000), Some(1))
    );
    let again = send(1);
    assert_eq!(again.text(), first.text());
    assert_eq!(sightings(&cluster.analyst(1), "45.0.0.7", again.index()), 0);
    cluster.same_list_everywhere();
}
