//! A data directory that an earlier build wrote opens, and the node goes on from it. `examples/data_directory` makes
//! them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use stockade_tests::{TestCluster, workspace};

/// Every form of the data directory that was ever released.
const FORMS: [&str; 2] = ["v1", "v2"];

/// Everything that was said then is said now; later builds may say more.
#[track_caller]
fn still(was: &Value, is: &Value) {
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            for (name, value) in was {
                still(value, is.get(name).unwrap_or(&Value::Null));
            }
        }
        (Value::Array(was), Value::Array(is)) => {
            assert_eq!(was.len(), is.len(), "{was:?} is now {is:?}");
            was.iter().zip(is).for_each(|(was, is)| still(was, is));
        }
        _ => assert_eq!(was, is),
    }
}

#[test]
fn a_data_directory_of_an_earlier_build_opens() {
    for form in FORMS {
        opens(form, |_| {});
    }
}

#[test]
fn a_snapshot_and_a_log_of_an_earlier_build_make_the_list_again() {
    for form in FORMS {
        opens(form, |data| fs::remove_dir_all(data.join("list")).unwrap());
    }
}

#[track_caller]
fn opens(form: &str, damage: impl FnOnce(&Path)) {
    let fixtures = workspace().join("tests/fixtures");
    let was = fs::read_to_string(fixtures.join(format!("{form}.json"))).unwrap();
    let was: Value = serde_json::from_str(&was).unwrap();
    let mut cluster = TestCluster::empty();
    cluster.prepare(&[]);
    let home = cluster.nodes[0].data().parent().unwrap().to_path_buf();
    let unpacked = Command::new("tar")
        .arg("-xzf")
        .arg(fixtures.join(format!("{form}.tar.gz")))
        .arg("-C")
        .arg(home)
        .status();
    assert!(unpacked.unwrap().success());
    damage(&cluster.nodes[0].data());
    cluster.nodes[0].start_ready();
    is_as_it_was(&cluster, &was);

    // Writes go on, a second node gets all of it, and a restart finds it again.
    let added = cluster.analyst(0).post("/ip/add", &json!({"ip": "45.146.164.110"})).expect(200);
    cluster.analyst(0).get(&format!("/ip/45.146.164.110?min_index={}", added.index())).expect(200);
    cluster.register("new", "analyst");
    let second = cluster.join(&[]);
    cluster.nodes[second].wait_ready();
    cluster.wait_voters(2);
    cluster.same_list_everywhere();
    for node in &mut cluster.nodes {
        assert!(node.terminate().success());
    }
    for node in &mut cluster.nodes {
        node.start();
    }
    for node in &mut cluster.nodes {
        node.wait_ready();
    }
    cluster.same_list_everywhere();
    cluster.client(second, "new").post("/ip/add", &json!({"ip": "203.0.113.20"})).expect(201);
}

#[track_caller]
fn is_as_it_was(cluster: &TestCluster, was: &Value) {
    let node = &cluster.nodes[0];
    let fields = was["fields"].as_str().unwrap();
    assert_eq!(node.status().unwrap()["cluster_id"], was["cluster_id"]);
    for (kind, list) in was["lists"].as_object().unwrap() {
        let is = cluster.analyst(0).get(&format!("/{kind}/all?fields={fields}")).expect(200).json();
        assert!(!list.as_array().unwrap().is_empty());
        still(list, &is);
    }
    still(&was["allow"], &cluster.analyst(0).get("/allow/all").expect(200).json());
    still(&was["users"], &cluster.client(0, "boss").get("/users").expect(200).json());
    still(&was["settings"], &node.operator().get("/admin/settings").expect(200).json());

    // The passwords and the token are good, and the rules hold.
    for user in ["boss", "probe", "firewall", "late", "analyst"] {
        let client = node.anonymous().basic(user, was["password"].as_str().unwrap());
        client.get("/ip/all?format=txt").expect(200);
        node.anonymous().basic(user, "wrong").get("/ip/all").expect(401);
    }
    node.anonymous().bearer(was["token"].as_str().unwrap()).get("/ip/all?format=txt").expect(200);
    let allowed = cluster.analyst(0).post("/ip/add", &json!({"ip": "192.0.2.7"}));
    assert!(allowed.status == 409 || allowed.status == 422, "{allowed:?}");
    assert!(allowed.message().contains("office"), "{allowed:?}");
    node.operator().get("/admin/audit").expect(200);
}
