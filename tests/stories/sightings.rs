//! What sources say of an entry, and how an analyst corrects it.

use std::time::Duration;

use serde_json::{Value, json};
use stockade_tests::{Answer, Client, TestCluster, wait_for};

#[track_caller]
fn patch(client: &Client, path: &str, body: Value) -> Answer {
    client.request("PATCH", path).json(&body).send()
}

#[test]
fn a_sighting_counts_what_is_listed_and_lists_nothing() {
    let cluster = TestCluster::start(3);
    cluster.register("sensor", "sensor");
    cluster.register("reader", "reader");
    let sensor = |number: usize| cluster.client(number, "sensor");

    // Nothing is listed by a sighting.
    let unknown = sensor(1).post("/ip/sighting", &json!({"ip": "198.51.100.1"}));
    assert!(unknown.expect(404).message().contains("198.51.100.1"));
    let index = cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.1", "source": "fw-1"}));
    cluster.wait_applied(index.expect(201).index());

    // Counted from every node, in the body forms of an add, with the counts of an add.
    let seen =
        sensor(1).post("/ip/sighting", &json!({"ip": "198.51.100.1", "source": "ids", "comment": "scan"}));
    assert_eq!(seen.expect(200).json(), json!({"message": "Sighting successfully saved"}));
    let lines = "198.51.100.1\n198.51.100.2\n";
    let many = sensor(2).request("POST", "/ip/sighting?source=ids").body("text/plain", lines).send();
    let index = many.expect(200);
    let counts = index.json();
    assert_eq!((&counts["added"], &counts["sighted"]), (&json!(0), &json!(1)), "{counts}");
    assert_eq!(counts["refused"][0]["value"], "198.51.100.2", "{counts}");
    cluster.client(0, "reader").post("/ip/sighting", &json!({"ip": "198.51.100.1"})).expect(403);

    // Every node tells what each source said.
    cluster.wait_applied(index.index());
    for number in 0..3 {
        let reader = cluster.client(number, "reader");
        assert_eq!(reader.get("/ip/198.51.100.1?fields=sighting").json(), json!([{"sighting": 2}]));
        let answer = reader.get("/ip/198.51.100.1/sightings").expect(200);
        assert!(answer.index() >= index.index());
        let views = answer.json();
        let view = |at: usize| {
            let view = &views[at];
            assert!(view["first_seen"].as_str() <= view["last_seen"].as_str(), "{view}");
            assert_eq!(view["first_seen"].as_str().map(str::len), Some("2021-07-03 06:11:13".len()));
            (view["source"].clone(), view["count"].clone(), view["comment"].clone(), view["account"].clone())
        };
        assert_eq!(views.as_array().map(Vec::len), Some(2), "{views}");
        assert_eq!(view(0), (json!("fw-1"), json!(1), json!(""), json!("analyst")));
        assert_eq!(view(1), (json!("ids"), json!(2), json!(""), json!("sensor")));
    }
}

#[test]
fn the_path_says_what_is_asked_about_a_value() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    client.post("/ip/add", &json!({"ip": "198.51.100.0/24"})).expect(201);
    client.post("/url/add", &json!({"url": "http://example.org/sightings"})).expect(201);

    let rows = [
        ("/ip/198.51.100.0/24/sightings", 200),
        ("/ip/198.51.100.0%2F24/sightings", 200),
        ("/ip/198.51.100.1/sightings", 404), // The network around it has an entry, it has none.
        ("/ip/198.51.100.0/24/sightings?format=json", 200),
        ("/ip/198.51.100.0/24/sightings?format=csv", 400),
        ("/ip/198.51.100.0/24/sightings?fields=source", 400),
        ("/url/http:%2F%2Fexample.org%2Fsightings", 200),
        ("/url/http:%2F%2Fexample.org%2Fsightings/sightings", 200),
        ("/url/http://example.org/sightings", 404), // What sources said of http://example.org.
        ("/username/sightings", 404),
    ];
    for (path, status) in rows {
        assert_eq!(client.get(path).status, status, "{path}");
        assert_eq!(client.request("HEAD", path).send().status, status, "HEAD {path}");
    }
    let answer = patch(&client, "/ip/198.51.100.0/24/sightings", json!({"comment": "x"})).expect(405);
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
    answer.message();
}

#[test]
fn an_analyst_corrects_an_entry_on_any_node() {
    let mut cluster = TestCluster::start(3);
    for role in ["reader", "sensor", "admin"] {
        cluster.register(&format!("the-{role}"), role);
    }
    let body = json!({"ip": "198.51.100.0/24", "comment": "scan", "tags": ["ssh"], "ttl": 600});
    let index = cluster.analyst(0).post("/ip/add", &body).expect(201).index();
    cluster.wait_applied(index);
    let path = "/ip/198.51.100.0/24";
    let before = cluster.analyst(0).get(path).expect(200).json();

    // What is given changes; the count and the times stay.
    let change = json!({"comment": "a scanner", "tags": "web, ssh", "expires": null});
    let answer = patch(&cluster.analyst(1), path, change).expect(200);
    let mut expected = before.clone();
    expected[0]["comment"] = json!("a scanner");
    assert_eq!(answer.json(), expected);
    cluster.wait_applied(answer.index());
    let fields = "?fields=comment,tags,expires,sighting";
    let everything =
        json!([{"comment": "a scanner", "tags": ["ssh", "web"], "expires": null, "sighting": 0}]);
    for number in 0..3 {
        let shown = cluster.analyst(number).get(&format!("{path}{fields}")).expect(200).json();
        assert_eq!(shown, everything, "node {number}");
    }

    // A moment, in each form; and an entry that is due leaves.
    for moment in [json!("2030-01-02T03:04:05Z"), json!(1893553445), json!("2030-01-02 03:04:05")] {
        let patched =
            patch(&cluster.analyst(2), &format!("{path}?fields=expires"), json!({"expires": moment}));
        assert_eq!(patched.expect(200).json(), json!([{"expires": "2030-01-02 03:04:05"}]));
    }
    let forever =
        patch(&cluster.client(2, "the-admin"), &format!("{path}?fields=expires"), json!({"ttl": -1}));
    assert_eq!(forever.expect(200).json(), json!([{"expires": null}]));
    patch(&cluster.analyst(2), path, json!({"ttl": "1s"})).expect(200);
    wait_for("the entry has left", Duration::from_secs(15), || {
        (cluster.analyst(0).get(path).status == 404).then_some(())
    });

    // Refused: by role, by what is said, by what is there.
    let index = cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201).index();
    cluster.wait_applied(index);
    let path = "/ip/198.51.100.1";
    for role in ["the-reader", "the-sensor"] {
        patch(&cluster.client(0, role), path, json!({"comment": "x"})).expect(403).message();
    }
    let rows = [
        (json!({}), 400, "nothing to change"),
        (json!({"expires": null, "ttl": 5}), 400, "together"),
        (json!({"colour": "red"}), 400, "colour"),
        (json!(["x"]), 400, "array"),
        (json!({"expires": "tomorrow"}), 422, "tomorrow"),
        (json!({"ttl": "soon"}), 422, "soon"),
    ];
    for (body, status, word) in rows {
        let message = patch(&cluster.analyst(1), path, body.clone()).expect(status).message();
        assert!(message.contains(word), "{body}: {message}");
    }
    let unknown = patch(&cluster.analyst(1), "/ip/198.51.100.2", json!({"comment": "x"}));
    assert!(unknown.expect(404).message().contains("198.51.100.2"));
    patch(&cluster.analyst(1), &format!("{path}?format=csv"), json!({"comment": "x"})).expect(400);
    cluster.same_list_everywhere();
}
