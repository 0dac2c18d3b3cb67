//! The allow list and the cluster's settings: what must never be blocked, on every node, in every export.

use serde_json::json;
use stockade_tests::TestCluster;

#[test]
fn an_allowed_address_is_never_listed_and_never_exported() {
    let mut cluster = TestCluster::start(3);
    cluster.register("sensor", "sensor");
    let client = cluster.analyst(0);

    // Listed before it was allowed: a network around it, and itself.
    client.post("/ip/add", &json!({"ip": "203.0.113.0/29"})).expect(201);
    client.post("/ip/add", &json!({"ip": "203.0.113.2"})).expect(201);
    let allow = json!({"ip": "203.0.113.2", "comment": "our resolver"});
    let refused = cluster.client(1, "sensor").post("/allow/add", &allow);
    refused.expect(403).message();
    let index = client.post("/allow/add", &allow).expect(201).index();
    cluster.wait_applied(index);

    // Every export leaves it out; the network is cut around it.
    let left = "203.0.113.0/31\n203.0.113.4/30\n203.0.113.3\n";
    for number in 0..3 {
        assert_eq!(
            cluster.analyst(number).get("/ip/all?format=txt").expect(200).text(),
            left,
            "node {number}"
        );
        let allowed = cluster.analyst(number).get("/allow/203.0.113.2").expect(200);
        assert!(allowed.text().contains("our resolver"), "{allowed:?}");
    }

    // Nobody lists it, nor a network that holds it, nor one inside an allowed network; and they learn why.
    client.post("/allow/add", &json!({"ip": "198.51.100.0/28", "comment": "our office"})).expect(201);
    for (value, reason) in [
        ("203.0.113.2", "our resolver"),
        ("203.0.113.0/24", "our resolver"),
        ("198.51.100.9", "our office"),
        ("198.51.100.8/30", "our office"),
        ("198.51.100.0/24", "our office"),
    ] {
        let message = client.post("/ip/add", &json!({"ip": value})).expect(409).message();
        assert!(message.contains(reason), "{value}: {message}");
    }
    client.post("/ip/add", &json!({"ip": "198.51.100.16"})).expect(201);

    // What was listed was kept, and is exported again when it is not allowed any more.
    let index = client.post("/allow/delete", &json!({"ip": "203.0.113.2"})).expect(200).index();
    cluster.wait_applied(index);
    let list = "203.0.113.0/29\n198.51.100.16\n203.0.113.2\n";
    for number in 0..3 {
        assert_eq!(
            cluster.analyst(number).get("/ip/all?format=txt").expect(200).text(),
            list,
            "node {number}"
        );
    }
    cluster.same_list_everywhere();
}

#[test]
fn private_addresses_are_listed_only_where_an_admin_has_said_so() {
    let cluster = TestCluster::start(3);
    cluster.analyst(0).post("/ip/add", &json!({"ip": "10.0.0.1"})).expect(422);
    cluster
        .analyst(0)
        .request("PUT", "/admin/settings")
        .json(&json!({"allow_private": true}))
        .send()
        .expect(403);

    let change = cluster.nodes[1].operator();
    let changed = change.request("PUT", "/admin/settings").json(&json!({"allow_private": true})).send();
    cluster.wait_applied(changed.expect(200).index());
    for number in 0..3 {
        let settings = cluster.nodes[number].operator().get("/admin/settings").expect(200).json();
        assert_eq!(settings["allow_private"], json!(true), "node {number}");
    }
    cluster.analyst(2).post("/ip/add", &json!({"ip": "10.0.0.1"})).expect(201);
    cluster.analyst(2).post("/ip/add", &json!({"ip": "127.0.0.1"})).expect(422);

    // Taken back, what was listed is in no export any more.
    let changed = change.request("PUT", "/admin/settings").json(&json!({"allow_private": false})).send();
    cluster.wait_applied(changed.expect(200).index());
    assert_eq!(cluster.analyst(0).get("/ip/all?format=txt").expect(200).text(), "\n");
}
