//! What each role may do.

use serde_json::json;
use stockade_tests::{Client, TestCluster};

/// One thing to try, and the status for reader, sensor, analyst and admin.
struct Row(&'static str, fn(&Client) -> u16, [u16; 4]);

#[test]
fn every_role_may_do_what_it_is_for() {
    let cluster = TestCluster::start(1);
    let roles = ["reader", "sensor", "analyst", "admin"];
    for role in roles {
        cluster.register(&format!("the-{role}"), role);
    }
    let setup = cluster.analyst(0);
    setup.post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);

    let rows = [
        Row("reads the list", |c| c.get("/ip/all").status, [200; 4]),
        Row("asks for an address", |c| c.get("/ip/198.51.100.1").status, [200; 4]),
        Row("adds", |c| c.post("/ip/add", &json!({"ip": "198.51.100.1"})).status, [403, 200, 200, 200]),
        Row(
            "sights",
            |c| c.post("/ip/sighting", &json!({"ip": "198.51.100.1"})).status,
            [403, 200, 200, 200],
        ),
        Row("corrects an entry", correct, [403, 403, 200, 200]),
        Row("asks for the sources", |c| c.get("/ip/198.51.100.1/sightings").status, [200; 4]),
        Row("registers", |c| register(c, "analyst"), [403, 403, 403, 409]),
        Row("sees the cluster", |c| c.get("/admin/status").status, [403, 403, 403, 200]),
        Row("sees the members", |c| c.get("/admin/members").status, [403, 403, 403, 200]),
        Row("removes a member", |c| c.delete("/admin/members/77").status, [403, 403, 403, 404]),
        Row("takes a backup", |c| c.get("/admin/backup").status, [403, 403, 403, 200]),
        Row("makes a snapshot", |c| c.post("/admin/snapshot", &json!({})).status, [403, 403, 403, 200]),
    ];
    for Row(what, attempt, expected) in rows {
        for (role, status) in roles.iter().zip(expected) {
            let client = cluster.client(0, &format!("the-{role}"));
            assert_eq!(attempt(&client), status, "a {role} {what}");
        }
    }
}

fn correct(client: &Client) -> u16 {
    client.request("PATCH", "/ip/198.51.100.1").json(&json!({"comment": "a scanner"})).send().status
}

fn register(client: &Client, username: &str) -> u16 {
    client.post("/user/register", &json!({"username": username, "password": "SecretPW"})).status
}

#[test]
fn a_sensor_withdraws_its_own_report_only() {
    let cluster = TestCluster::start(1);
    cluster.register("sensor-a", "sensor");
    cluster.register("sensor-b", "sensor");
    let (a, b) = (cluster.client(0, "sensor-a"), cluster.client(0, "sensor-b"));
    let body = |source: &str| json!({"ip": "198.51.100.1", "source": source});
    a.post("/ip/add", &body("a")).expect(201);
    b.post("/ip/add", &body("b")).expect(200);

    // The entry stays while somebody stands by it.
    a.post("/ip/delete", &json!({"ip": "198.51.100.1"})).expect(200);
    a.get("/ip/198.51.100.1").expect(200);
    b.post("/ip/delete", &json!({"ip": "198.51.100.1"})).expect(200);
    a.get("/ip/198.51.100.1").expect(404);

    // A sensor may not speak for a wide network; an analyst may.
    a.post("/ip/add", &json!({"ip": "198.51.96.0/20"})).expect(422);
    cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.96.0/20"})).expect(201);
}
