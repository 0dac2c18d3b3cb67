//! The nodes live, and cannot reach each other.

use std::time::Duration;

use serde_json::{Value, json};
use stockade_tests::{Load, PASSWORD, Proxy, TOKEN, TestCluster, wait_for};

const FLAGS: [&str; 2] = ["--write-timeout", "2"];
/// After a fault ends, writes succeed again within this time.
const RECOVERED_WITHIN: Duration = Duration::from_secs(5);

/// Three voters, each reached by the others through a wire of its own.
fn wired() -> (TestCluster, Vec<Proxy>) {
    let mut cluster = TestCluster::empty();
    let mut wires = Vec::new();
    for number in 0..3 {
        cluster.prepare(&[]);
        let wire = Proxy::start(&cluster.nodes[number].peers_address());
        let (advertised, first) = (wire.address(), cluster.nodes[0].url());
        let mut arguments = vec!["--advertise-peers", advertised.as_str()];
        arguments.extend(FLAGS);
        if number > 0 {
            arguments.extend(["--join", first.as_str()]);
        }
        cluster.nodes[number].set_arguments(&arguments);
        cluster.nodes[number].start_ready();
        wires.push(wire);
    }
    cluster.wait_voters(3);
    cluster.register("analyst", "analyst");
    (cluster, wires)
}

fn status(cluster: &TestCluster, number: usize) -> Value {
    cluster.nodes[number].anonymous().registration(TOKEN).get("/admin/status").expect(200).json()
}

#[test]
fn a_follower_that_hears_nothing_disturbs_nobody() {
    let (mut cluster, wires) = wired();
    let deaf = cluster.followers()[0];
    let others: Vec<usize> = (0..3).filter(|&number| number != deaf).collect();
    let term = status(&cluster, others[0])["term"].clone();
    let urls: Vec<String> = others.iter().map(|&number| cluster.nodes[number].url()).collect();
    let load = Load::start(&urls, "analyst", PASSWORD, 2);

    // It can still call the others, and would like an election.
    wires[deaf].cut();
    wait_for("it misses the leader", Duration::from_secs(10), || {
        (status(&cluster, deaf)["lag_ms"].as_u64()? > 3000).then_some(())
    });
    cluster.analyst(deaf).get("/ip/all?format=txt").expect(200);
    let ledger = load.stop();
    assert_eq!(ledger.unknown(), 0, "no write on the other nodes has failed");
    assert_eq!(status(&cluster, others[0])["term"], term, "no election was forced on the others");

    // It hears again, and has all it missed.
    wires[deaf].heal();
    cluster.same_list_everywhere();
    ledger.judge(&cluster.analyst(deaf).get("/ip/all?fields=value,sighting").expect(200).json());
    assert_eq!(status(&cluster, others[0])["term"], term, "nor when it was back");
}

#[test]
fn nodes_that_cannot_reach_each_other_refuse_writes_and_agree_again() {
    let (mut cluster, wires) = wired();
    cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);
    cluster.wait_level();
    for wire in &wires {
        wire.cut();
    }

    // The old leader, too, finds out that it leads nobody.
    for number in 0..3 {
        let client = cluster.analyst(number);
        client.post("/ip/delete", &json!({"ip": "198.51.100.1"})).expect(503).message();
        client.get("/ip/all?consistency=linearizable").expect(503).message();
        assert_eq!(client.get("/ip/all?format=txt").expect(200).text(), "198.51.100.1\n");
    }

    // The wires are mended: each node takes writes again.
    for wire in &wires {
        wire.heal();
    }
    for number in 0..3 {
        let client = cluster.analyst(number);
        wait_for("writes work again", RECOVERED_WITHIN, || {
            let body = json!({"ip": format!("198.51.100.{}", 10 + number)});
            let sent = client.request("POST", "/ip/add").json(&body).try_send().ok()?;
            matches!(sent.status, 200 | 201).then_some(())
        });
    }
    cluster.same_list_everywhere();
}
