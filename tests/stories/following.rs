//! Following the list: whoever applies the changes has the export, from whatever node they come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stockade_tests::{Answer, Client, Node, TestCluster, wait_for};

/// What a follower keeps of each entry.
const FIELDS: &str = "fields=value,sighting,comment,tags,expires,account";
/// A change is told to those who wait for it within this.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A copy of the export, kept up to date by changes only.
#[derive(Default)]
struct Copy {
    entries: BTreeMap<String, Value>,
    index: u64,
    /// How often the whole list was taken.
    taken: u64,
}

impl Copy {
    fn take(&mut self, client: &Client) {
        let answer = client.get(&format!("/ip/all?{FIELDS}&min_index={}", self.index)).expect(200);
        self.entries.clear();
        self.index = answer.index();
        self.taken += 1;
        self.put(&answer.json());
    }

    fn put(&mut self, entries: &Value) {
        for entry in entries.as_array().unwrap() {
            self.entries.insert(entry["value"].as_str().unwrap().to_owned(), entry.clone());
        }
    }

    fn apply(&mut self, changes: &Value) {
        for value in changes["removed"].as_array().unwrap() {
            self.entries.remove(value.as_str().unwrap());
        }
        self.put(&changes["added"]);
        let index = changes["index"].as_u64().unwrap();
        assert!(index >= self.index, "the index goes back: {changes}");
        self.index = index;
    }

    fn follow(&mut self, client: &Client, wait: &str) {
        let answer = client.get(&format!("/ip/changes?since={}&wait={wait}&{FIELDS}", self.index));
        match answer.status {
            200 => {
                assert_eq!(answer.json()["index"], answer.index());
                self.apply(&answer.json());
            }
            410 => self.take(client),
            _ => panic!("{answer:?}"),
        }
    }
}

/// Adds, deletes, sightings and allow-adds among few addresses, so that they meet; the index of the last one. None is
/// further ahead of the follower's rounds than twelve writes each.
fn disturb(cluster: &TestCluster, number: usize, followed: &AtomicU64) -> u64 {
    let client = cluster.analyst(number);
    let mut index = 0;
    for round in 0..150 {
        wait_for("the follower follows", Duration::from_secs(30), || {
            (followed.load(Ordering::SeqCst) >= round as u64 / 12).then_some(())
        });
        // Any fixed pattern will do; this one comes to every address in a jumbled order.
        let host = (round * 37 + number * 11) % 64;
        let value = match round % 9 {
            0 => format!("198.51.100.{}/30", host / 4 * 4),
            _ => format!("198.51.100.{host}"),
        };
        let entry =
            json!({"ip": value, "comment": format!("round {round}"), "tags": [format!("node-{number}")]});
        let answer = match round % 5 {
            _ if round % 50 == 49 => client.post("/allow/add", &json!({"ip": format!("198.51.100.{host}")})),
            0..3 => client.post("/ip/add", &entry),
            3 => client.post("/ip/sighting", &entry),
            _ => client.post("/ip/delete", &json!({"ip": value})),
        };
        assert!(matches!(answer.status, 200 | 201 | 404 | 409), "{answer:?}");
        index = index.max(answer.header("stockade-index").map_or(0, |index| index.parse().unwrap()));
    }
    index
}

#[test]
fn a_follower_of_all_nodes_in_turn_ends_with_the_export() {
    let cluster = TestCluster::start(3);
    cluster.wait_rest();
    let (last, writers, followed) = (AtomicU64::new(0), AtomicU64::new(3), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..3 {
            let (cluster, last, writers, followed) = (&cluster, &last, &writers, &followed);
            scope.spawn(move || {
                last.fetch_max(disturb(cluster, number, followed), Ordering::SeqCst);
                writers.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let mut copy = Copy::default();
        copy.take(&cluster.analyst(0));
        let mut rounds = 0;
        while writers.load(Ordering::SeqCst) > 0 || copy.index < last.load(Ordering::SeqCst) {
            assert!(rounds < 100_000, "the follower never gets there");
            // Who waits is told of changes a few times a second; who does not, of those that are there.
            copy.follow(&cluster.analyst(rounds % 3), if rounds % 4 == 0 { "500ms" } else { "0" });
            rounds += 1;
            followed.store(rounds as u64, Ordering::SeqCst);
        }
        let mut whole = Copy { index: copy.index, ..Copy::default() };
        whole.take(&cluster.analyst(1));
        assert_eq!(copy.entries, whole.entries);
        assert!(copy.entries.len() > 10, "{:?}", copy.entries);
        assert!(rounds > 10, "the follower has followed: {rounds} rounds");
        assert!(
            copy.taken <= 1 + 9,
            "the whole list was taken {} times, for 9 allowed addresses",
            copy.taken
        );
    });
}

/// Waits until so many requests wait for changes on a node.
#[track_caller]
fn wait_followers(node: &Node, count: usize) {
    let line = format!("stockade_followers {count}");
    wait_for(&format!("{count} requests wait for changes"), Duration::from_secs(10), || {
        let metrics = node.anonymous().get("/metrics").expect(200);
        metrics.text().lines().any(|shown| shown == line).then_some(())
    });
}

/// Asks for changes, and writes once so many requests wait on the node; the answer, and how long it took from the
/// write on.
fn while_waiting(
    (node, count): (&Node, usize),
    ask: impl FnOnce() -> Answer + Send,
    write: impl FnOnce(),
) -> (Answer, Duration) {
    thread::scope(|scope| {
        let asked = scope.spawn(ask);
        wait_followers(node, count);
        write();
        let written = Instant::now();
        let answer = asked.join().expect("the asker does not panic");
        (answer, written.elapsed())
    })
}

#[test]
fn a_wait_ends_with_the_next_change_of_its_kind() {
    let cluster = TestCluster::start_with(3, &["--write-timeout", "2"]);
    let start = cluster.wait_rest();
    let index = cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201).index();

    // An index of another node is waited for first; and nothing has changed after it.
    let now = cluster.analyst(1).get(&format!("/ip/changes?since={index}")).expect(200);
    assert_eq!(now.json(), json!({"index": now.index(), "added": [], "removed": []}));
    let then = cluster.analyst(1).get(&format!("/ip/changes?since={start}&fields=value")).expect(200);
    assert_eq!(then.json()["added"], json!([{"value": "198.51.100.1"}]));

    // A write on another node ends the wait at once; one of another kind does not.
    let path = format!("/ip/changes?since={index}&wait=10s&fields=value");
    let (answer, took) = while_waiting(
        (&cluster.nodes[1], 1),
        || cluster.analyst(1).get(&path),
        || {
            cluster.analyst(2).post("/domain/add", &json!({"domain": "example.org"})).expect(201);
            cluster.analyst(2).post("/ip/delete", &json!({"ip": "198.51.100.1"})).expect(200);
        },
    );
    assert_eq!(answer.expect(200).json()["removed"], json!(["198.51.100.1"]));
    assert!(took < AT_ONCE, "{took:?}");

    // Nothing comes: the answer is empty, with the index to go on from.
    let index = cluster.analyst(0).get("/ip/all").expect(200).index();
    let started = Instant::now();
    let nothing = cluster.analyst(0).get(&format!("/ip/changes?since={index}&wait=700ms")).expect(200);
    assert!(started.elapsed() >= Duration::from_millis(700));
    assert_eq!(nothing.json(), json!({"index": nothing.index(), "added": [], "removed": []}));
    assert!(nothing.index() >= index);

    // Refused.
    let client = cluster.analyst(2);
    let rows = [
        ("/ip/changes", 400, "since"),
        ("/ip/changes?since=soon", 400, "soon"),
        ("/ip/changes?since=1&wait=61s", 400, "60s"),
        ("/ip/changes?since=1&wiat=6s", 400, "wiat"),
        ("/ip/changes?since=1&format=csv", 400, "json"),
        ("/nothing/changes?since=1", 404, "/nothing/changes"),
    ];
    for (path, status, word) in rows {
        let message = client.get(path).expect(status).message();
        assert!(message.contains(word), "{path}: {message}");
    }
    let beyond = client.get("/ip/changes?since=1000000000&wait=1s").expect(503);
    assert!(beyond.header("retry-after").is_some(), "{beyond:?}");
    cluster.nodes[0].anonymous().get("/ip/changes?since=0").expect(401);

    // The allow list moves the borders of what is exported: take it all again, and follow from there.
    let allowed = client.post("/allow/add", &json!({"ip": "198.51.100.7"})).expect(201).index();
    let gone = cluster.analyst(0).get(&format!("/ip/changes?since={index}&wait=10s&min_index={allowed}"));
    assert!(gone.expect(410).message().contains(&allowed.to_string()));
    cluster.analyst(1).get(&format!("/ip/changes?since={allowed}")).expect(200);
    cluster.analyst(1).get(&format!("/domain/changes?since={index}")).expect(200);
}

#[test]
fn a_stop_waits_for_no_follower() {
    let mut cluster = TestCluster::start(3);
    let start = cluster.wait_rest();
    let index = cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201).index();
    cluster.wait_applied(index);
    let client = cluster.analyst(1);
    let mut events = client.request("GET", &format!("/ip/events?since={start}")).events();
    assert_eq!(events.next().unwrap().name, "changes");
    thread::scope(|scope| {
        let asked = scope.spawn(move || {
            let started = Instant::now();
            (client.get(&format!("/ip/changes?since={index}&wait=15s")), started.elapsed())
        });
        wait_followers(&cluster.nodes[1], 2);
        let started = Instant::now();
        assert!(cluster.nodes[1].terminate().success());
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        let (answer, took) = asked.join().expect("the asker does not panic");
        assert_eq!(answer.expect(200).json()["added"], json!([]));
        assert!(took < Duration::from_secs(6), "{took:?}");
        assert_eq!(events.next(), None, "a stream ends");
    });
}

#[test]
fn events_are_the_changes_and_go_on_at_another_node() {
    let cluster = TestCluster::start(3);
    let start = cluster.wait_rest();
    let add = |number: usize, value: &str| {
        cluster.analyst(number).post("/ip/add", &json!({"ip": value})).expect(201).index()
    };
    let first = add(0, "198.51.100.1");

    // From the start; then as they come, from whatever node.
    let mut events = cluster
        .analyst(1)
        .request("GET", &format!("/ip/events?since={start}&fields=value&min_index={first}"))
        .events();
    let event = events.next().unwrap();
    assert_eq!((&*event.name, &event.json()["added"]), ("changes", &json!([{"value": "198.51.100.1"}])));
    assert_eq!(event.json()["index"].to_string(), event.id);
    add(2, "198.51.100.2");
    let event = events.next().unwrap();
    assert_eq!(event.json()["added"], json!([{"value": "198.51.100.2"}]));
    drop(events);

    // What came meanwhile is told by another node to who says where it was, whatever the URL says.
    add(0, "198.51.100.3");
    let deleted = cluster.analyst(0).post("/ip/delete", &json!({"ip": "198.51.100.1"})).expect(200).index();
    let resume = |number: usize, id: &str| {
        let request = cluster.analyst(number).request("GET", "/ip/events?since=0&fields=value");
        request.header("last-event-id", id).events()
    };
    let mut events = resume(2, &event.id);
    let mut copy = Copy::default();
    copy.entries.insert("198.51.100.1".into(), Value::Null);
    while copy.index < deleted {
        let event = events.next().unwrap();
        assert!(!event.data.contains("198.51.100.2"), "{event:?}");
        copy.apply(&event.json());
    }
    assert_eq!(copy.entries.keys().collect::<Vec<_>>(), ["198.51.100.3"]);

    // Many changes come as few events.
    let started = Instant::now();
    let last = (0..40).map(|host| add(host % 3, &format!("203.0.113.{host}"))).max().unwrap();
    let took = started.elapsed();
    let mut count = 0;
    while copy.index < last {
        copy.apply(&events.next().unwrap().json());
        count += 1;
    }
    assert!(count <= 2 + took.as_millis() / 100 + 10, "{count} events in {took:?}");

    // Without an index it begins now.
    let mut fresh = cluster.analyst(0).request("GET", "/ip/events?fields=value").events();
    let now = add(0, "198.51.100.9");
    assert_eq!(fresh.next().unwrap().json()["added"], json!([{"value": "198.51.100.9"}]));

    // Too far behind: told so, and ended; who follows closely is told as well.
    let allowed = cluster.analyst(0).post("/allow/add", &json!({"ip": "192.0.2.9"})).expect(201).index();
    let gone = fresh.next().unwrap();
    assert_eq!((&*gone.name, &*gone.id), ("gone", ""));
    assert!(gone.data.contains(&allowed.to_string()), "{gone:?}");
    assert_eq!(fresh.next(), None);
    cluster.wait_applied(allowed);
    assert_eq!(resume(1, &now.to_string()).next().unwrap().name, "gone");

    // Who is no longer who it was has to say so again.
    cluster.register("watcher", "reader");
    cluster.register("operator", "admin");
    let watcher = cluster.client(0, "watcher");
    let mut watched = watcher.request("GET", "/ip/events").events();
    let index = watcher.get("/ip/all").expect(200).index();
    let path = format!("/ip/changes?since={index}&wait=10s");
    let (answer, _) = while_waiting(
        (&cluster.nodes[0], 2),
        || watcher.get(&path),
        || {
            cluster.client(0, "operator").delete("/user/watcher").expect(200);
            add(0, "198.51.100.10");
        },
    );
    answer.expect(401).message();
    assert_eq!(watched.next(), None);
    let wrong = cluster.analyst(0).request("GET", "/ip/events").header("last-event-id", "x").send();
    wrong.expect(400).message();
}
