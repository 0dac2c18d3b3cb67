//! Whatever is sent to whichever route: the answer is HTTP, says what is wrong, and never that the node failed; the
//! node lives on, and others are served meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;
use stockade_tests::{Answer, Client, TOKEN, TestCluster, analyst_header, send_raw};

/// Every route of the API (api/src/routes.rs); what is in braces is a placeholder for something odd.
const ROUTES: [&str; 57] = [
    "/",
    "/livez",
    "/readyz",
    "/metrics",
    "/user/register",
    "/user/{}",
    "/user/{}/tokens",
    "/user/{}/tokens/{}",
    "/users",
    "/requests/{}",
    "/admin/init",
    "/admin/formation",
    "/admin/status",
    "/admin/snapshot",
    "/admin/backup",
    "/admin/leader",
    "/admin/members",
    "/admin/members/{}",
    "/admin/members/{}/promote",
    "/admin/audit",
    "/admin/undo",
    "/admin/settings",
    "/admin/feeds",
    "/admin/feeds/{}",
    "/admin/feeds/{}/publish",
    "/feed/{}",
    "/feed/{}/{}",
    "/admin/consumers",
    "/v1/decisions",
    "/v1/decisions/stream",
    "/v1/usage-metrics",
    "/crowdsec/v1/decisions/stream",
    "/crowdsec/ranges/v1/decisions",
    "/admin/hooks",
    "/admin/hooks/{}",
    "/hook/{}",
    "/admin/imports",
    "/admin/imports/{}",
    "/admin/imports/{}/run",
    "/admin/imports/{}/go-on",
    "/api/v2/report",
    "/api/v2/check",
    "/api/v2/blacklist",
    "/allow/add",
    "/allow/delete",
    "/allow/all",
    "/allow/{}",
    "/ip/add",
    "/ip/sighting",
    "/ip/delete",
    "/ip/all",
    "/ip/changes",
    "/ip/events",
    "/ip/{}",
    "/{}/add",
    "/{}/all",
    "/{}",
];
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];
/// What may stand in a path and means nothing, percent-encoding that is none included.
const ODD_SEGMENTS: [&str; 10] = [
    "%00",
    "%",
    "%zz",
    "%ff%fe",
    "..%2f..%2fetc%2fpasswd",
    "0",
    "-1",
    "18446744073709551616",
    "a%0d%0ab",
    "%F0%9F%92%A9",
];
const ODD_QUERIES: [&str; 8] = [
    "?",
    "?&&&===",
    "?%00=%00",
    "?limit=%zz&%ff",
    "?limit=-1",
    "?limit=99999999999999999999",
    "?fields=%2c%2c%2c&format=%00",
    "?after=AAAA&sort=%00&since=-1&min_index=x",
];
/// A content type, and bytes that are none of it.
const ODD_BODIES: [(&str, &[u8]); 9] = [
    ("", b""),
    ("application/json", b""),
    ("application/json", b"\x00\xff\xfe{[\"}"),
    (
        "application/json",
        br#"{"ip":{"ip":[[[[]]]]},"ttl":1e999,"tags":{"a":null},"username":7,"password":[]}"#,
    ),
    ("application/x-ndjson", b"\n\n{\n}\x00\n"),
    ("text/csv", b"\"value\n,,,\"\"\"\x00"),
    ("application/x-www-form-urlencoded", b"%=%zz&ip=%00&ip"),
    ("image/png; charset=é", b"\x89PNG"),
    ("multipart/form-data; boundary=x", b"--x--"),
];

/// A request in bytes; the node hangs up behind the answer.
fn request(method: &str, target: &str, headers: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("{method} {target} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n{headers}").into_bytes();
    if !content_type.is_empty() {
        bytes.extend(format!("content-type: {content_type}\r\n").into_bytes());
    }
    bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
    bytes.extend(body);
    bytes
}

/// An answer that a client can act on, whatever was asked.
#[track_caller]
fn check(bytes: &[u8], answer: Option<Answer>) -> u16 {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
    let Some(answer) = answer else { panic!("no answer to {shown}") };
    let status = answer.status;
    assert!(status < 500 || status == 503, "the node failed: {answer:?}\nto {shown}");
    if bytes.starts_with(b"HEAD ") {
        assert!(answer.body.is_empty(), "{answer:?}\nto {shown}");
    } else if status >= 400 {
        let given = answer.header("content-type").unwrap_or_default();
        assert!(given.starts_with("application/json"), "an error of type `{given}`: {answer:?}\nto {shown}");
        assert!(!answer.message().is_empty(), "{answer:?}\nto {shown}");
    }
    status
}

/// Adds and looks up until it is told to stop; how often.
fn good_client(client: &Client, stop: &AtomicBool) -> usize {
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        let address = format!("45.1.{}.{}", rounds / 256 % 256, rounds % 256);
        client.post("/ip/add", &json!({"ip": address})).expect(201);
        client.get(&format!("/ip/{address}")).expect(200);
        rounds += 1;
    }
    rounds
}

/// Runs some abuse beside a good client, and looks at the node afterwards.
#[track_caller]
fn abused(abuse: impl FnOnce(&str, &dyn Fn(&[u8]) -> u16)) {
    let mut cluster = TestCluster::start(1);
    let address = cluster.nodes[0].http_address();
    let (client, stop) = (cluster.analyst(0), AtomicBool::new(false));
    let rounds = thread::scope(|scope| {
        let good = scope.spawn(|| good_client(&client, &stop));
        // Also when the abuse finds something, or the good client would never end.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            abuse(&address, &|bytes| check(bytes, send_raw(&address, bytes)));
        }));
        stop.store(true, Ordering::Relaxed);
        let rounds = good.join();
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        rounds.unwrap()
    });
    assert!(rounds > 0, "the good client was served");
    assert!(cluster.nodes[0].is_running());
    client.get("/ip/45.1.0.0").expect(200);
    assert_eq!(
        client.get("/ip/all?format=txt").expect(200).text().lines().count(),
        rounds,
        "nothing else was listed"
    );
    assert!(!cluster.nodes[0].log().contains("panicked"), "{}", cluster.nodes[0].log());
}

/// A route with this in its gaps.
fn filled(route: &str, segment: &str) -> String {
    route.replace("{}", segment)
}

/// What has no end, and is another story's: server-sent events.
fn has_no_end(method: &str, target: &str) -> bool {
    method == "GET" && target.contains("/events")
}

#[test]
fn every_method_on_every_route_with_every_body() {
    abused(|_, send| {
        let operator = format!("x-authentication: {TOKEN}\r\n");
        for headers in ["", &analyst_header(), &operator] {
            for (number, route) in ROUTES.iter().enumerate() {
                for (turn, method) in METHODS.iter().enumerate() {
                    let target = filled(route, ODD_SEGMENTS[(number + turn) % ODD_SEGMENTS.len()]);
                    if !headers.is_empty() && has_no_end(method, &target) {
                        continue;
                    }
                    let all = ODD_BODIES.len();
                    let bodies = if headers.is_empty() { 1..2 } else { 0..all };
                    for (content_type, body) in &ODD_BODIES[bodies] {
                        send(&request(method, &target, headers, content_type, body));
                    }
                }
            }
        }
    });
}

#[test]
fn odd_paths_and_queries() {
    abused(|_, send| {
        let operator = format!("x-authentication: {TOKEN}\r\n");
        for headers in [analyst_header(), operator] {
            for route in ROUTES {
                for segment in ODD_SEGMENTS {
                    if route.contains("{}") {
                        send(&request("GET", &filled(route, segment), &headers, "", b""));
                    }
                }
                for query in ODD_QUERIES {
                    let target = filled(route, "192.0.2.1") + query;
                    for (method, body) in [("GET", ""), ("POST", "{}")] {
                        let headers = if has_no_end(method, &target) { "" } else { &headers };
                        send(&request(method, &target, headers, "application/json", body.as_bytes()));
                    }
                }
            }
            let long = "x".repeat(50_000);
            for target in [
                format!("/ip/{long}"),
                format!("/domain/{}", "a.".repeat(20_000)),
                format!("/ip/all?comment={long}"),
                format!("/ip/all?{}", "limit=1&".repeat(6000)),
                format!("/ip/{}", "%".repeat(20_000)),
                format!("/{}", "/".repeat(20_000)),
            ] {
                send(&request("GET", &target, &headers, "", b""));
                send(&request("DELETE", &target, &headers, "", b""));
            }
        }
    });
}

#[test]
fn credentials_that_are_none() {
    abused(|_, send| {
        let long = "QQ".repeat(15_000);
        let rows = [
            "authorization: \r\n",
            "authorization: Basic\r\n",
            "authorization: Basic \r\n",
            "authorization: Basic ====\r\n",
            "authorization: Basic !!!!\r\n",
            "authorization: Basic QQ==\r\n",     // No colon.
            "authorization: Basic Og==\r\n",     // Nothing but a colon.
            "authorization: Basic //86//8=\r\n", // Not UTF-8.
            "authorization: Basic YW5hbHlzdDp3cm9uZw==\r\n",
            "authorization: Basic YW5hbHlzdDo=\r\n",
            "authorization: basic bm9ib2R5Om5vYm9keQ==\r\n",
            "authorization: Bearer\r\n",
            "authorization: Bearer stk_0000\r\n",
            "authorization: Digest username=\"analyst\"\r\n",
            "authorization: Basic QTpB\r\nauthorization: Basic QTpB\r\n",
            "x-authentication: \r\n",
            "x-authentication: wrong\r\n",
            &format!("authorization: Basic {long}\r\n"),
            &format!("authorization: Bearer {long}\r\n"),
            &format!("x-authentication: {long}\r\n"),
        ];
        for row in rows {
            for (method, target) in [
                ("GET", "/ip/all"),
                ("POST", "/ip/add"),
                ("GET", "/admin/status"),
                ("POST", "/user/register"),
            ] {
                let status =
                    send(&request(method, target, row, "application/json", b"{\"ip\":\"192.0.2.1\"}"));
                assert!(status == 401 || status == 429 || status == 503, "{status} to {target} with {row}");
            }
        }
    });
}

#[test]
fn what_is_no_http_is_refused_without_harm() {
    abused(|address, _| {
        let huge = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(1 << 20));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(10_000));
        let path = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(200_000));
        let filler = "x".repeat(10_000);
        let pipelined = format!("GET /livez HTTP/1.1\r\nhost: node\r\n\r\nNONSENSE\r\n{filler}\r\n\r\n");
        let rows: [(&[u8], u16); 14] = [
            (b"\x00\x00\x00\x00\r\n\r\n", 400),
            (b"GET\r\n\r\n", 400),
            (b"GET /\x00 HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/9.9\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n: x\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\na\x00b: x\r\n\r\n", 400),
            (b"POST /ip/add HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
            (b"POST /ip/add HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n", 400),
            (b"POST /ip/add HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx", 400),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
            (huge.as_bytes(), 431),
            (many.as_bytes(), 431),
            (path.as_bytes(), 431),
            // What is asked before is answered, whatever follows.
            (pipelined.as_bytes(), 200),
        ];
        for (row, status) in rows {
            let shown = String::from_utf8_lossy(&row[..row.len().min(60)]).into_owned();
            let answer = send_raw(address, row).unwrap_or_else(|| panic!("no answer to {shown}"));
            assert_eq!(answer.status, status, "{answer:?} to {shown}");
            if status == 200 {
                let both = answer.text().split_once("HTTP/1.1 400 ").expect("the second is refused");
                assert!(both.1.contains("{\"message\":\""), "{answer:?}");
                continue;
            }
            assert!(!answer.message().is_empty(), "{answer:?} to {shown}");
            let length = answer.header("content-length").and_then(|length| length.parse().ok());
            assert_eq!(length, Some(answer.body.len()), "{answer:?} to {shown}");
        }
        // A body that breaks its own rules is refused by the route, without credentials as without a whole body.
        let broken =
            b"POST /ip/add HTTP/1.1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n";
        send_raw(address, broken).expect("an answer").expect(401).message();
    });
}
