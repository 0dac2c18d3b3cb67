//! Every format: its content type, its shape, how it is asked for.

use serde_json::json;
use stockade_tests::{Client, TestCluster};

/// Two networks and three hosts, added in no order.
fn filled() -> TestCluster {
    let cluster = TestCluster::start(1);
    let entries = [
        ("2001:db8::7", "six"),
        ("198.51.100.20", "a \"quoted\", comment & <tag>"),
        ("203.0.113.0/24", "a network"),
        ("198.51.100.3", "=1+1"),
        ("2001:DB8:0:0::/64", "a network of six"),
    ];
    for (value, comment) in entries {
        cluster
            .analyst(0)
            .post("/ip/add", &json!({"ip": value, "comment": comment, "source": "s1"}))
            .expect(201);
    }
    cluster
}

const VALUES: [&str; 5] = ["203.0.113.0/24", "2001:db8::/64", "198.51.100.3", "198.51.100.20", "2001:db8::7"];

#[track_caller]
fn check(client: &Client, query: &str, accept: Option<&str>, content_type: &str) -> String {
    let mut request = client.request("GET", &format!("/ip/all{query}"));
    if let Some(accept) = accept {
        request = request.header("accept", accept);
    }
    let answer = request.send().expect(200);
    let given = answer.header("content-type").unwrap_or_default();
    assert!(given.starts_with(content_type), "{query} with {accept:?} has the type {given}");
    assert_eq!(answer.header("transfer-encoding"), None, "{query}: a whole list is never chunked");
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()), "{query}");
    assert_eq!(answer.header("stockade-count"), Some("5"), "{query}");
    let text = answer.text();
    assert!(text.ends_with('\n') && !text.contains('\r'), "{query}: LF only, and a final one");
    text.to_owned()
}

#[test]
fn every_format_has_its_type_and_the_same_order() {
    let cluster = filled();
    let client = cluster.analyst(0);
    let lines = VALUES.map(|value| format!("{value}\n")).concat();

    // Asked for by name.
    assert_eq!(check(&client, "?format=txt", None, "text/plain"), lines);
    assert_eq!(check(&client, "?format=csv&fields=value", None, "text/csv"), lines);
    let json = check(&client, "?format=json&fields=value", None, "application/json");
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed, json!(VALUES.map(|value| json!({"value": value}))));
    let ndjson = check(&client, "?format=ndjson&fields=value", None, "application/x-ndjson");
    assert_eq!(ndjson, VALUES.map(|value| format!("{{\"value\":\"{value}\"}}\n")).concat());
    let xml = check(&client, "?format=xml&fields=value", None, "application/xml");
    assert!(xml.contains("<entries>") && xml.contains("</entries>"), "{xml}");
    let found: Vec<&str> =
        xml.split("<value>").skip(1).filter_map(|rest| rest.split("</value>").next()).collect();
    assert_eq!(found, VALUES);

    // Asked for by Accept, which a format in the query overrules; without either it is JSON.
    check(&client, "", None, "application/json");
    check(&client, "", Some("*/*"), "application/json");
    check(&client, "", Some("text/csv"), "text/csv");
    check(&client, "", Some("application/xml"), "application/xml");
    check(&client, "", Some("text/plain;q=0.5, text/csv"), "text/csv");
    check(&client, "?format=txt", Some("text/csv"), "text/plain");
}

#[test]
fn comments_are_made_harmless_for_their_format() {
    let cluster = filled();
    let client = cluster.analyst(0);
    let csv = check(&client, "?format=csv&fields=value,comment", None, "text/csv");
    assert!(csv.starts_with("value,comment\n"), "{csv}");
    assert!(csv.contains("198.51.100.20,\"a \"\"quoted\"\", comment & <tag>\"\n"), "{csv}");
    let xml = check(&client, "?format=xml", None, "application/xml");
    assert!(xml.contains("&lt;tag&gt;") && xml.contains("&amp;"), "{xml}");
}

#[test]
fn the_header_line_of_csv_can_be_decided() {
    let cluster = filled();
    let client = cluster.analyst(0);
    let first = |query: &str| {
        let text = check(&client, query, None, "text/csv");
        text.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(first("?format=csv&fields=value"), VALUES[0], "a single column is a list");
    assert_eq!(first("?format=csv&fields=value&header=1"), "value");
    assert_eq!(first("?format=csv&fields=source,value"), "source,value");
    assert_eq!(first("?format=csv&fields=source,value&header=0"), "s1,203.0.113.0/24");
}

#[test]
fn an_empty_list_is_one_line_feed() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    // pfSense keeps its old table when it gets zero bytes.
    for query in ["?format=txt", "?format=csv&fields=value"] {
        let answer = client.get(&format!("/ip/all{query}")).expect(200);
        assert_eq!(answer.text(), "\n", "{query}");
        assert_eq!(answer.header("content-length"), Some("1"), "{query}");
        assert_eq!(answer.header("stockade-count"), Some("0"), "{query}");
    }
    assert_eq!(client.get("/ip/all").expect(200).json(), json!([]));
}

#[test]
fn an_address_finds_the_networks_that_hold_it() {
    let cluster = filled();
    let client = cluster.analyst(0);
    client.post("/ip/add", &json!({"ip": "203.0.113.9"})).expect(201);
    let found = client.get("/ip/203.0.113.9?fields=value").expect(200).json();
    assert_eq!(found, json!([{"value": "203.0.113.9"}, {"value": "203.0.113.0/24"}]), "exact first");
    let found = client.get("/ip/203.0.113.10?fields=value").expect(200).json();
    assert_eq!(found, json!([{"value": "203.0.113.0/24"}]));
    client.get("/ip/198.51.100.4").expect(404).message();
}
