//! Bodies with many reports, in every form a sensor may send.

use serde_json::{Value, json};
use stockade_tests::{Client, TestCluster};

#[track_caller]
fn check(client: &Client, content_type: &str, body: &str, added: u64, sighted: u64, refused: &[(u64, &str)]) {
    let answer = client.request("POST", "/ip/add").body(content_type, body).send();
    assert!(matches!(answer.status, 200 | 201), "{content_type}: {answer:?}");
    let told = answer.json();
    assert!(told["message"].is_string(), "{told}");
    assert_eq!(
        (&told["added"], &told["sighted"]),
        (&json!(added), &json!(sighted)),
        "{content_type}: {told}"
    );
    let Some(lines) = told["refused"].as_array() else { panic!("no refused lines in {told}") };
    let found: Vec<(u64, &str)> = lines
        .iter()
        .map(|line| {
            assert!(line["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{told}");
            (line["line"].as_u64().unwrap_or(0), line["value"].as_str().unwrap_or_default())
        })
        .collect();
    assert_eq!(found, refused, "{content_type}");
}

#[test]
fn one_bad_line_never_spoils_the_others() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);

    let array = json!([
        {"ip": "198.51.100.1", "comment": "first", "source": "s1", "tags": ["ssh"]},
        {"value": "198.51.100.2"},
        {"ip": "10.0.0.300"},
        {"ip": "198.51.100.1"},
    ]);
    check(&client, "application/json", &array.to_string(), 2, 1, &[(3, "10.0.0.300")]);

    let ndjson = "{\"ip\":\"198.51.100.1\"}\n{\"ip\":\"198.51.100.3\"}\n{\"ip\":\"nonsense\"}\n";
    check(&client, "application/x-ndjson", ndjson, 1, 1, &[(3, "nonsense")]);

    let csv = "value,comment\n198.51.100.4,\"one, two\"\n198.51.100.4,again\nnonsense,x\n";
    check(&client, "text/csv", csv, 1, 1, &[(4, "nonsense")]);

    let text =
        "# a comment of a public list\n198.51.100.5\n\n198.51.100.6 # said so\n10.0.0.300\n198.51.100.5\n";
    check(&client, "text/plain", text, 2, 1, &[(5, "10.0.0.300")]);

    // Every accepted line is there, with what was said about it.
    let list = client.get("/ip/all?format=txt").expect(200);
    let expected: String = (1..=6).map(|host| format!("198.51.100.{host}\n")).collect();
    assert_eq!(list.text(), expected);
    let entry = client.get("/ip/198.51.100.4?fields=comment,sighting").expect(200).json();
    assert_eq!(entry, json!([{"comment": "one, two", "sighting": 1}]));
    let entry = client.get("/ip/198.51.100.1?fields=sighting,source,tags").expect(200).json();
    assert_eq!((&entry[0]["sighting"], &entry[0]["source"]), (&json!(2), &json!("s1")), "{entry}");
}

#[test]
fn a_form_is_one_report() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    let form = "ip=198.51.100.1&comment=from+a+form%21";
    client.request("POST", "/ip/add").body("application/x-www-form-urlencoded", form).send().expect(201);
    let entry = client.get("/ip/198.51.100.1?fields=comment").expect(200).json();
    assert_eq!(entry, json!([{"comment": "from a form!"}]));
}

#[test]
fn twenty_thousand_lines_are_one_request() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    let lines: String = (0..20_000).map(|n| format!("45.10.{}.{}\n", n / 256, n % 256)).collect();
    check(&client, "text/plain", &lines, 20_000, 0, &[]);
    assert_eq!(client.get("/ip/all?format=txt").expect(200).text(), lines);
    check(&client, "text/plain", &lines, 0, 20_000, &[]);

    // Delete many at once; those that are not listed are told apart.
    let gone: Vec<Value> =
        (0..1000).map(|n| json!({"ip": format!("45.10.{}.{}", n / 256, n % 256)})).collect();
    let answer = client.post("/ip/delete", &json!(gone));
    assert!(matches!(answer.status, 200), "{answer:?}");
    let left = client.request("HEAD", "/ip/all?format=txt").send().expect(200);
    assert_eq!(left.header("stockade-count"), Some("19000"));
}

/// Resident memory of a process, in bytes.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_million_lines_need_no_more_memory_than_their_body() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    let before = resident(cluster.nodes[0].pid());
    // A thousand values, a thousand times each: what grows is the request, not the list.
    let lines: String = (0..1_000_000).map(|n| format!("45.10.{}.{}\n", n % 1000 / 256, n % 256)).collect();
    let answer =
        client.request("POST", "/ip/add").body("text/plain", lines.as_bytes()).send().expect(200).json();
    assert_eq!(answer["added"].as_u64().unwrap() + answer["sighted"].as_u64().unwrap(), 1_000_000);
    let grown = resident(cluster.nodes[0].pid()) - before;
    assert!(grown < 160 << 20, "{} MiB more for {} MiB of lines", grown >> 20, lines.len() >> 20);
}

#[test]
fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    client.post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);
    client.post("/allow/add", &json!({"ip": "203.0.113.0/24", "comment": "us"})).expect(201);
    let index = client.get("/ip/all").expect(200).index();

    let one = |path: &str, value: &str| {
        client.post(&format!("{path}?dry_run=1"), &json!({"ip": value})).expect(200).message()
    };
    assert_eq!(one("/ip/add", "198.51.100.1"), "IP address would be sighted");
    assert_eq!(one("/ip/add", "198.51.100.2"), "IP address would be added");
    assert_eq!(one("/ip/sighting", "198.51.100.1"), "IP address would be sighted");
    assert_eq!(one("/ip/delete", "198.51.100.1"), "IP address would be deleted");
    client.post("/ip/add?dry_run=1", &json!({"ip": "203.0.113.7"})).expect(409).message();
    client.post("/ip/sighting?dry_run=1", &json!({"ip": "198.51.100.2"})).expect(404).message();
    client.post("/allow/add?dry_run=1", &json!({"ip": "198.51.100.1"})).expect(200).message();

    // Lines know of each other.
    let lines = "198.51.100.2\n198.51.100.2\n203.0.113.7\nnonsense\n198.51.100.1\n";
    let answer =
        client.request("POST", "/ip/add?dry_run=1").body("text/plain", lines).send().expect(200).json();
    assert_eq!((&answer["added"], &answer["sighted"]), (&json!(1), &json!(2)), "{answer}");
    assert_eq!((&answer["refused_total"], &answer["dry_run"]), (&json!(2), &json!(true)), "{answer}");
    assert!(answer["message"].as_str().unwrap().starts_with("dry run: "), "{answer}");

    let after = client.get("/ip/all?fields=value,sighting").expect(200);
    assert_eq!(after.json(), json!([{"value": "198.51.100.1", "sighting": 0}]));
    assert_eq!(after.index(), index, "nothing was written");
}
