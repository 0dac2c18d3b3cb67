//! Accounts take effect on every node at once, whatever a node has cached.

use std::time::Duration;

use serde_json::json;
use stockade_tests::{Client, TestCluster, wait_for};

/// A change of an account needs no more than its replication.
const AT_ONCE: Duration = Duration::from_secs(2);

#[track_caller]
fn becomes(reason: &str, client: &Client, status: u16) {
    wait_for(reason, AT_ONCE, || (client.get("/ip/all").status == status).then_some(()));
}

#[test]
fn a_new_password_and_a_deletion_take_effect_at_once_on_every_node() {
    let cluster = TestCluster::start(3);
    cluster.register("sensor", "sensor");
    cluster.register("operator", "admin");
    let on = |number: usize, password: &str| cluster.nodes[number].anonymous().basic("sensor", password);

    // Every node has verified the first password, so that it is in every cache.
    for number in 0..3 {
        on(number, "SecretPW").get("/ip/all").expect(200);
    }

    // A new password, set on one node by its owner.
    on(1, "SecretPW")
        .request("PATCH", "/user/sensor")
        .json(&json!({"password": "AnotherPW"}))
        .send()
        .expect(200);
    for number in 0..3 {
        becomes("the new password is good", &on(number, "AnotherPW"), 200);
        on(number, "SecretPW").get("/ip/all").expect(401);
    }

    // Another role, given on another node.
    let promoted =
        cluster.client(2, "operator").request("PATCH", "/user/sensor").json(&json!({"role": "reader"}));
    let index = promoted.send().expect(200).index();
    cluster.wait_applied(index);
    for number in 0..3 {
        on(number, "AnotherPW").post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(403);
    }

    // Deleted on the third.
    cluster.client(2, "operator").delete("/user/sensor").expect(200);
    for number in 0..3 {
        becomes("a deleted account is out", &on(number, "AnotherPW"), 401);
    }
}

#[test]
fn an_account_registered_anywhere_is_good_everywhere() {
    let cluster = TestCluster::start(3);
    let body = json!({"username": "pts2021", "password": "SecretPW"});
    let index = cluster.nodes[2].operator().post("/user/register", &body).expect(201).index();
    cluster.wait_applied(index);
    for number in 0..3 {
        let client = cluster.client(number, "pts2021");
        let user = client.get("/user/pts2021").expect(200).json();
        assert_eq!(user["username"], "pts2021");
        assert_eq!(user["role"], "analyst", "the default of /user/register");
        client.post("/ip/add", &json!({"ip": "198.51.100.1"}));
    }
    let sighting =
        cluster.client(0, "pts2021").get("/ip/198.51.100.1?fields=sighting&consistency=linearizable");
    assert_eq!(sighting.expect(200).json(), json!([{"sighting": 2}]));

    // Another account is nobody's business, except an admin's.
    cluster.client(0, "pts2021").get("/user/analyst").expect(403);
    cluster.register("operator", "admin");
    cluster.client(0, "operator").get("/user/analyst").expect(200);
    cluster.client(0, "operator").get("/user/nobody").expect(404).message();
}
