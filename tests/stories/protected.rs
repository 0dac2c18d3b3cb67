//! What must never be blocked: the allow list, and the guards that every node keeps alike.

use serde_json::{Value, json};
use std::time::Duration;
use stockade_tests::{Client, TestCluster, wait_for};

#[test]
fn refusals_are_counted_and_shown() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    client.post("/allow/add", &json!({"ip": "198.51.100.7", "comment": "our mail relay"})).expect(201);
    client.post("/ip/add", &json!({"ip": "198.51.100.7"})).expect(409);
    let bulk = client.post("/ip/add", &json!(["198.51.100.7", "198.51.100.9"])).expect(200).json();
    assert_eq!((&bulk["added"], &bulk["refused_total"]), (&json!(1), &json!(1)), "{bulk}");
    let shown = client.get("/allow/198.51.100.7").expect(200).json();
    assert_eq!(shown["prevented"], json!(2), "{shown}");
    client.post("/allow/delete", &json!({"ip": "198.51.100.9"})).expect(404);
}

#[test]
fn what_would_block_too_much_is_refused() {
    let cluster = TestCluster::start(1);
    cluster.register("sensor", "sensor");
    let (analyst, sensor) = (cluster.analyst(0), cluster.client(0, "sensor"));
    let rows: [(&Client, &str, u16, &str); 9] = [
        (&analyst, "0.0.0.0", 422, "unspecified"),
        (&analyst, "127.0.0.1", 422, "loopback, and where the nodes are"),
        (&analyst, "224.0.0.1", 422, "multicast"),
        (&analyst, "::ffff:10.1.2.3", 422, "private, once it is folded to IPv4"),
        (&analyst, "64:ff9b::7f00:1", 422, "loopback behind NAT64"),
        (&analyst, "8.0.0.0/8", 422, "too wide"),
        (&analyst, "198.51.96.0/20", 201, "not too wide for an analyst"),
        (&sensor, "198.51.96.0/21", 422, "too wide for a sensor"),
        (&sensor, "198.51.100.0/24", 201, "not too wide for a sensor"),
    ];
    for (client, ip, status, why) in rows {
        let answer = client.post("/ip/add", &json!({ "ip": ip }));
        assert_eq!(answer.status, status, "{ip} is {why}: {}", answer.message());
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let cluster = TestCluster::start(1);
    let put = |body: &Value| cluster.nodes[0].operator().request("PUT", "/admin/settings").json(body).send();
    let unknown = put(&json!({"alow_private": true})).expect(400).message();
    assert!(unknown.contains("alow_private") && unknown.contains("allow_private"), "{unknown}");
    put(&json!({"widest_v4": 0})).expect(422);
    put(&json!({"widest_v4": 33})).expect(422);
    put(&json!({"default_ttl": {"ipv4": 3600}})).expect(422);
}

#[test]
fn an_entry_leaves_every_node_when_its_time_has_come() {
    let cluster = TestCluster::start(3);
    let analyst = cluster.analyst(1);
    analyst.post("/ip/add", &json!({"ip": "198.51.100.1", "ttl": 1})).expect(201);
    analyst.post("/ip/add", &json!({"ip": "198.51.100.2", "ttl": "7d"})).expect(201);
    analyst.post("/ip/add", &json!({"ip": "198.51.100.3", "ttl": -1})).expect(201);
    for number in 0..3 {
        let client = cluster.analyst(number);
        wait_for("the first entry has gone", Duration::from_secs(10), || {
            (client.get("/ip/198.51.100.1").status == 404).then_some(())
        });
        client.get("/ip/198.51.100.2").expect(200);
        client.get("/ip/198.51.100.3").expect(200);
    }
}

#[test]
fn an_account_that_changes_too_much_at_once_is_held_until_an_admin_lifts_the_brake() {
    let cluster = TestCluster::start(3);
    cluster.register("mad", "sensor");
    let operator = cluster.nodes[1].operator();
    let brake = json!({"growth_brake": {"share_percent": 30, "window_seconds": 3600}});
    let index = operator.request("PUT", "/admin/settings").json(&brake).send().expect(200).index();
    cluster.wait_applied(index);
    let lines: String = (0..1200).map(|n| format!("45.20.{}.{}\n", n / 256, n % 256)).collect();
    let answer = cluster.client(0, "mad").request("POST", "/ip/add").body("text/plain", lines).send();
    let answer = answer.expect(200).json();
    assert_eq!((&answer["added"], &answer["refused_total"]), (&json!(1000), &json!(200)), "{answer}");

    // On every node, and it says what to do; others are not held.
    let one = json!({"ip": "45.30.0.1"});
    let message = cluster.client(2, "mad").post("/ip/add", &one).expect(409).message();
    assert!(message.contains("PUT /admin/settings {\"growth_brake\":null}"), "{message}");
    let index = cluster.analyst(2).post("/ip/add", &json!({"ip": "45.30.0.2"})).expect(201).index();
    cluster.wait_applied(index);
    let lift = json!({"growth_brake": null});
    let index = operator.request("PUT", "/admin/settings").json(&lift).send().expect(200).index();
    cluster.wait_applied(index);
    cluster.client(2, "mad").post("/ip/add", &one).expect(201);
}
