//! Makes a data directory of a one-node cluster with something of everything, for `stories/upgrade`:
//!
//! ```text
//! cargo build -p stockade
//! cargo run -p stockade-tests --example data_directory -- tests/fixtures/v1
//! ```
//!
//! writes `v1.tar.gz`, the directory, and `v1.json`, what its node answered. A form that was released is never made
//! anew: the next one gets a name of its own.

#![expect(clippy::unwrap_used, reason = "a tool fails loudly, where it stands")]

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use stockade_tests::{PASSWORD, TestCluster};

/// Ten years: what the directory holds must not expire on the shelf.
const LONG: i64 = 10 * 365 * 86_400;

const KINDS: [(&str, &[&str]); 6] = [
    ("ip", &["198.51.100.1", "198.51.100.0/25", "45.146.164.110", "2a01:4f8::/48", "2a01:4f8::1"]),
    ("domain", &["bad.example", "xn--bcher-kva.example"]),
    ("url", &["http://bad.example/a?b=c", "https://bad.example/"]),
    ("hash", &["d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709"]),
    ("email", &["spam@bad.example"]),
    ("username", &["root", "oracle"]),
];

fn main() {
    let out = std::env::args().nth(1).expect("where to put it, without an ending");
    let mut cluster = TestCluster::start_with(1, &["--log-keep", "5"]);
    let token = fill(&cluster);
    cluster.nodes[0].operator().post("/admin/snapshot", &json!({})).expect(200);
    behind_the_snapshot(&cluster);
    let answers = answers(&cluster, &token);
    // Killed: the list on its disk may be behind its log, as after a loss of power.
    cluster.nodes[0].kill();
    let data = cluster.nodes[0].data();
    let packed = Command::new("tar")
        .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-C"])
        .arg(data.parent().unwrap())
        .args(["-cf", &format!("{out}.tar"), "data"])
        .status();
    assert!(packed.unwrap().success());
    let pressed = Command::new("gzip").args(["-9nf", &format!("{out}.tar")]).status();
    assert!(pressed.unwrap().success());
    fs::write(format!("{out}.json"), serde_json::to_string_pretty(&answers).unwrap() + "\n").unwrap();
}

/// Entries of every kind, accounts of every role with a token, the allow list and the settings; gives the token.
fn fill(cluster: &TestCluster) -> String {
    let operator = cluster.nodes[0].operator();
    cluster.register("boss", "admin");
    cluster.register("probe", "sensor");
    cluster.register("firewall", "reader");
    let settings = json!({
        "allow_private": true,
        "default_ttl": {"username": LONG},
        "sensor_entries_max": 1000,
        "growth_brake": {"share_percent": 50, "window_seconds": 3600},
        "replace_dead_after_seconds": 3600,
    });
    operator.request("PUT", "/admin/settings").json(&settings).send().expect(200);
    for (kind, values) in KINDS {
        for (number, value) in values.iter().enumerate() {
            let report = json!({
                "value": value, "comment": format!("report {number}: ä"), "source": "web01",
                "tags": ["scan", "ssh"], "ttl": if number == 0 { LONG } else { 0 },
            });
            cluster.analyst(0).post(&format!("/{kind}/add"), &report).expect(201);
        }
        let again = json!({"value": values[0], "comment": "again"});
        cluster.client(0, "probe").post(&format!("/{kind}/add"), &again).expect(200);
    }
    cluster.analyst(0).post("/ip/add", &json!({"ip": "10.1.2.3"})).expect(201);
    cluster.analyst(0).post("/ip/delete", &json!({"ip": "10.1.2.3"})).expect(200);
    let allow = json!({"value": "192.0.2.0/24", "comment": "office"});
    cluster.analyst(0).post("/allow/add", &allow).expect(201);
    cluster.analyst(0).post("/allow/add", &json!({"value": "good.example", "comment": "ours"})).expect(201);
    let made = cluster.client(0, "firewall").post("/user/firewall/tokens", &json!({"name": "fw"}));
    made.expect(201).json()["token"].as_str().unwrap().to_owned()
}

/// What only the log holds.
fn behind_the_snapshot(cluster: &TestCluster) {
    for host in 1..=20 {
        let report = json!({"ip": format!("203.0.113.{host}"), "comment": "late"});
        cluster.analyst(0).post("/ip/add", &report).expect(201);
    }
    cluster.analyst(0).post("/ip/delete", &json!({"ip": "203.0.113.20"})).expect(200);
    cluster.register("late", "analyst");
}

/// What any later build has to answer, too.
fn answers(cluster: &TestCluster, token: &str) -> Value {
    const FIELDS: &str = "value,time_added,time_updated,sighting,comment,source,account,expires,tags";
    let get = |path: &str| cluster.analyst(0).get(path).expect(200).json();
    let lists = KINDS.map(|(kind, _)| (kind.to_owned(), get(&format!("/{kind}/all?fields={FIELDS}"))));
    json!({
        "fields": FIELDS,
        "password": PASSWORD,
        "token": token,
        "lists": lists.into_iter().collect::<serde_json::Map<_, _>>(),
        "allow": get("/allow/all"),
        "users": cluster.client(0, "boss").get("/users").expect(200).json(),
        "settings": cluster.nodes[0].operator().get("/admin/settings").expect(200).json(),
        "cluster_id": cluster.nodes[0].status().unwrap()["cluster_id"],
    })
}
