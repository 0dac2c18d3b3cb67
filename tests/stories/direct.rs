//! Lookups, lists and short reports are answered before the routes are asked; they are what they would be behind them.

use serde_json::json;
use stockade_tests::{Answer, TestCluster, analyst_header, send_raw};

/// What two answers to one request may differ in.
const PASSING: [&str; 2] = ["date", "stockade-lag"];

/// Sends a GET. A body, which means nothing to it, takes it to the routes.
fn get(cluster: &TestCluster, path: &str, headers: &str, body: &str) -> Answer {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let text =
        format!("GET {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n{headers}{length}\r\n{body}");
    send_raw(&cluster.nodes[0].http_address(), text.as_bytes()).expect("an answer")
}

/// The head of an answer, without what passes.
fn head(answer: &Answer) -> Vec<(String, String)> {
    let lasting = answer.headers.iter().filter(|(name, _)| !PASSING.contains(&name.as_str()));
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let mut head: Vec<_> = lasting.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
    head.sort();
    head
}

#[test]
fn a_read_is_the_same_before_and_behind_the_routes() {
    let cluster = TestCluster::start(1);
    let analyst = cluster.analyst(0);
    for value in ["198.51.100.7", "198.51.100.0/24", "2001:db8::1"] {
        analyst.post("/ip/add", &json!({"ip": value, "comment": "a \"b\"\\ <c>"})).expect(201);
    }
    analyst.post("/domain/add", &json!({"domain": "evil.example"})).expect(201);
    let known = analyst_header();
    let list = "/ip/all?format=csv&fields=value";
    let tag = get(&cluster, list, &known, "").expect(200).header("etag").expect("a tag").to_owned();
    let known_tag = format!("{known}if-none-match: {tag}\r\n");
    let csv = format!("{known}accept: text/csv\r\n");
    let gzip = format!("{known}accept-encoding: gzip\r\n");
    let wrong = "authorization: Basic bm9ib2R5OndvcmQ=\r\n".to_owned();
    let nobody = String::new();
    let rows = [
        ("/ip/198.51.100.7", &known, 200),
        ("/ip/198.51.100.7", &csv, 200),
        ("/ip/198.51.100.7?format=xml&fields=value,time_added,index", &known, 200),
        ("/ip/198.51.100.0/24", &known, 200),
        ("/ip/2001:db8::1", &known, 200),
        ("/domain/evil.example", &known, 200),
        ("/ip/198.51.101.7", &known, 404),
        ("/ip/198.51.100.256", &known, 422),
        ("/ip/198.51.100.7/", &known, 422),
        ("/ip/198.51.100.7?formta=csv", &known, 400),
        ("/ip/198.51.100.7", &wrong, 401),
        ("/ip/198.51.100.256", &nobody, 401),
        (list, &known, 200),
        (list, &known_tag, 304),
        (list, &gzip, 200),
        ("/ip/all", &csv, 200),
        ("/ip/all?limit=1", &known, 200),
        ("/ip/all?format=nft", &known, 200),
        ("/domain/all?min_index=1&pending=exclude", &known, 200),
        ("/url/all", &known, 200),
        ("/ip/all?sort=colour", &known, 400),
        ("/ip/all?min_index=many", &known, 400),
        ("/ip/all", &nobody, 401),
    ];
    for (path, headers, status) in rows {
        let before = get(&cluster, path, headers, "").expect(status);
        let behind = get(&cluster, path, headers, "x").expect(status);
        assert_eq!(head(&before), head(&behind), "{path}");
        assert_eq!(before.body, behind.body, "{path}");
    }

    // Both ways are counted, and what was fetched is noted, alike.
    let metrics = analyst.get("/metrics").expect(200);
    for (route, status, count) in
        [("/{kind}/{*value}", 200, 12), ("/{kind}/{*value}", 404, 2), ("/{kind}/all", 304, 2)]
    {
        let line = format!("stockade_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}\n");
        assert!(metrics.text().contains(&line), "{line} of {}", metrics.text());
    }
    cluster.register("head", "admin");
    let consumers = cluster.client(0, "head").get("/admin/consumers").expect(200).json();
    let noted = |request: &str| {
        let rows = consumers.as_array().expect("consumers");
        rows.iter().find(|row| row["request"] == request).map(|row| row["count"].clone())
    };
    // The first one, and three pairs.
    assert_eq!(noted(list), Some(json!(7)), "{consumers}");
    assert_eq!(noted("/url/all"), Some(json!(2)), "{consumers}");
}

/// Sends a report: with a length it needs no route, in pieces it does.
fn report(cluster: &TestCluster, path: &str, headers: &str, body: &str, in_pieces: bool) -> Answer {
    let body = match in_pieces {
        true if body.is_empty() => "transfer-encoding: chunked\r\n\r\n0\r\n\r\n".into(),
        true => format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()),
        false => format!("content-length: {}\r\n\r\n{body}", body.len()),
    };
    let text = format!("POST {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n{headers}{body}");
    send_raw(&cluster.nodes[0].http_address(), text.as_bytes()).expect("an answer")
}

#[test]
fn a_report_is_the_same_before_and_behind_the_routes() {
    let cluster = TestCluster::start(1);
    let analyst = cluster.analyst(0);
    let json = format!("{}content-type: application/json\r\n", analyst_header());
    let csv = format!("{}content-type: text/csv\r\n", analyst_header());
    let strange = format!("{}content-type: image/png\r\n", analyst_header());
    let long_key = format!("{json}idempotency-key: {}\r\n", "k".repeat(256));
    let nobody = "content-type: application/json\r\n".to_owned();
    let wide = format!(r#"{{"ip":"198.51.100.1","comment":"{}"}}"#, "x".repeat(2_000));
    // `#` is another number each time, so that each report is of a value of its own.
    let rows = [
        ("/ip/add", &json, r#"{"ip":"198.51.100.#","comment":"a \"b\""}"#, 201),
        ("/ip/add", &json, r#"{"ip":"203.0.113.1"}"#, 200),
        ("/ip/add?dry_run=1", &json, r#"{"ip":"198.51.100.#"}"#, 200),
        ("/ip/add?ttl=1h&tags=a,b", &csv, "ip,comment\n198.51.100.#,x\nnone,y\n", 200),
        ("/domain/add", &json, r#"{"value":"n#.example.org"}"#, 201),
        ("/ip/add", &json, &wide, 200),
        ("/ip/add", &json, "", 400),
        ("/ip/add", &json, "{", 400),
        ("/ip/add", &json, r#"{"ip":"127.0.0.1"}"#, 422),
        ("/ip/add", &json, r#"{"ip":"198.51.100.256"}"#, 422),
        ("/ip/add?colour=red", &json, r#"{"ip":"198.51.100.9"}"#, 400),
        ("/ip/add", &long_key, r#"{"ip":"198.51.100.9"}"#, 400),
        ("/ip/add", &strange, "x", 415),
        ("/ip/add", &nobody, r#"{"ip":"198.51.100.9"}"#, 401),
        ("/iq/add", &json, r#"{"ip":"198.51.100.9"}"#, 404),
    ];
    analyst.post("/ip/add", &json!({"ip": "203.0.113.1"})).expect(201);
    analyst.post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);
    for (number, (path, headers, body, status)) in rows.into_iter().enumerate() {
        let answers = [(2 * number + 2, false), (2 * number + 3, true)].map(|(value, in_pieces)| {
            let body = body.replace('#', &value.to_string());
            let answer = report(&cluster, path, headers, &body, in_pieces);
            assert_eq!(answer.status, status, "{path} {body:.100}: {}", answer.text());
            let head: Vec<_> =
                head(&answer).into_iter().filter(|(name, _)| name != "stockade-index").collect();
            (head, answer.text().to_owned())
        });
        assert_eq!(answers[0], answers[1], "{path} {body:.100}");
    }

    let metrics = analyst.get("/metrics").expect(200);
    for (status, count) in [(201, 6), (422, 4), (415, 2), (401, 2)] {
        let line =
            format!("stockade_requests_total{{route=\"/{{kind}}/add\",status=\"{status}\"}} {count}\n");
        assert!(metrics.text().contains(&line), "{line} of {}", metrics.text());
    }
}
