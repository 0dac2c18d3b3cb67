//! One node after the other is stopped in good order and started again, as for an upgrade; nobody notices.

use std::time::Duration;

use serde_json::Value;
use stockade_tests::{Load, Node, PASSWORD, TestCluster, wait_for};

const WITHIN: Duration = Duration::from_secs(30);

/// Restarts each node in turn under load.
#[track_caller]
fn restart_each(cluster: &mut TestCluster) -> Value {
    let urls: Vec<String> = cluster.nodes.iter().map(Node::url).collect();
    let load = Load::start_trying(2, &urls, "analyst", PASSWORD, 3);
    let applied = |node: &Node| {
        wait_for("a node says where it stands", WITHIN, || node.status()?["applied_index"].as_u64())
    };
    // The leader is stopped first: it hands over, and the next one may have to, too.
    let leader = cluster.leader();
    for number in (leader..leader + 3).map(|number| number % 3) {
        let before = applied(&cluster.nodes[number]);
        wait_for("the writers are at work", WITHIN, || {
            (applied(&cluster.nodes[number]) > before + 20).then_some(())
        });
        let leads = cluster.nodes[number].status().expect("it answers")["state"] == "leader";
        assert!(cluster.nodes[number].terminate().success());
        if leads {
            let log = cluster.nodes[number].log();
            assert!(log.contains("leadership is handed over"), "{log}");
        }
        let others = applied(&cluster.nodes[(number + 1) % 3]);
        cluster.nodes[number].start_ready();
        wait_for("it has caught up", WITHIN, || (applied(&cluster.nodes[number]) > others).then_some(()));
    }
    let ledger = load.stop();
    assert!(ledger.acknowledged() > 100, "there was load: {} writes", ledger.acknowledged());
    assert_eq!(ledger.failed, Vec::<String>::new(), "a client that tries two nodes has lost nothing");

    cluster.same_list_everywhere();
    let mut imported = Value::Null;
    for number in 0..3 {
        let list = cluster.analyst(number).get("/ip/all?fields=value,sighting").expect(200).json();
        let (others, own): (Vec<Value>, Vec<Value>) = list
            .as_array()
            .expect("the list is an array")
            .iter()
            .cloned()
            .partition(|entry| entry["value"].as_str().is_some_and(|value| value.starts_with("46.")));
        ledger.judge(&Value::Array(own));
        imported = Value::Array(others);
    }
    imported
}

#[test]
fn a_rolling_restart_costs_no_request() {
    let mut cluster = TestCluster::start(3);
    assert_eq!(restart_each(&mut cluster), Value::Array(Vec::new()));
}

#[test]
fn nor_does_one_of_nodes_with_a_long_list() {
    const ENTRIES: usize = 20_000;
    let mut cluster = TestCluster::start(3);
    let lines: String = (0..ENTRIES).map(|n| format!("46.1.{}.{}\n", n / 250, n % 250 + 1)).collect();
    cluster.analyst(0).request("POST", "/ip/add").body("text/plain", lines).send().expect(200);
    cluster.wait_level();
    let imported = restart_each(&mut cluster);
    assert_eq!(imported.as_array().map(Vec::len), Some(ENTRIES));
}
