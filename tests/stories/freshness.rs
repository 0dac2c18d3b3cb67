//! How fresh a read is, and how a client asks for more.

use std::thread;
use std::time::Duration;

use serde_json::json;
use stockade_tests::{TestCluster, wait_for};

#[test]
fn a_write_is_read_on_every_node_that_is_asked_for_its_index() {
    let cluster = TestCluster::start(3);
    for round in 0..60 {
        let (writes, reads) = (round % 3, (round + 1 + round / 3 % 2) % 3);
        let address = format!("198.51.100.{round}");
        let index = cluster.analyst(writes).post("/ip/add", &json!({"ip": address})).expect(201).index();

        // On the node that took it, without asking for anything.
        let own = cluster.analyst(writes).get(&format!("/ip/{address}")).expect(200);
        assert!(own.index() >= index);
        assert!(own.header("stockade-lag").is_some_and(|lag| lag.parse::<f64>().is_ok()), "{own:?}");
        // On another one, at that index.
        let other = cluster.analyst(reads).get(&format!("/ip/{address}?min_index={index}")).expect(200);
        assert!(other.index() >= index);
    }
}

#[test]
fn a_linearizable_read_sees_every_answered_write() {
    let cluster = TestCluster::start(3);
    for round in 0..40 {
        let (writes, reads) = (round % 3, (round + 1) % 3);
        let address = format!("198.51.100.{round}");
        cluster.analyst(writes).post("/ip/add", &json!({"ip": address})).expect(201);
        cluster.analyst(reads).get(&format!("/ip/{address}?consistency=linearizable")).expect(200);
        cluster.analyst(writes).post("/ip/delete", &json!({"ip": address})).expect(200);
        cluster.analyst(reads).get(&format!("/ip/{address}?consistency=linearizable")).expect(404);
    }
}

#[test]
fn a_read_waits_for_an_index_that_is_yet_to_come() {
    let cluster = TestCluster::start_with(3, &["--write-timeout", "2"]);
    let index = cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201).index();
    thread::scope(|scope| {
        let client = cluster.analyst(1);
        let path = format!("/ip/all?format=txt&min_index={}", index + 1);
        let reader = scope.spawn(move || client.get(&path));
        cluster.analyst(2).post("/ip/add", &json!({"ip": "198.51.100.2"})).expect(201);
        let read = reader.join().expect("the reader does not panic").expect(200);
        assert!(read.index() > index);
    });

    // An index nobody will write is waited for, and then refused; the node stays as it is.
    let late = cluster.analyst(1).get("/ip/all?min_index=1000000000");
    let late = late.expect(503);
    assert!(late.header("retry-after").is_some(), "{late:?}");
    late.message();
    cluster.analyst(1).get("/ip/all").expect(200);
}

#[test]
fn a_leader_that_slept_gives_no_stale_linearizable_read() {
    let mut cluster = TestCluster::start(3);
    for round in 0..3 {
        let (leader, other) = (cluster.leader(), cluster.followers()[0]);
        cluster.nodes[leader].freeze();

        // While it sleeps another one leads, and takes a write.
        let address = format!("198.51.100.{round}");
        wait_for("another node takes the write", Duration::from_secs(10), || {
            let sent =
                cluster.analyst(other).request("POST", "/ip/add").json(&json!({"ip": address})).try_send();
            matches!(sent.ok()?.status, 200 | 201).then_some(())
        });

        // Questions that wait in its sockets are answered the moment it wakes up.
        let path = format!("/ip/{address}?consistency=linearizable");
        thread::scope(|scope| {
            let readers: Vec<_> =
                (0..8).map(|_| scope.spawn(|| cluster.analyst(leader).get(&path))).collect();
            cluster.nodes[leader].thaw();
            for reader in readers {
                let answer = reader.join().expect("a reader does not panic");
                assert!(matches!(answer.status, 200 | 503), "a stale answer: {answer:?}");
            }
        });
    }
}
