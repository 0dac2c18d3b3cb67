//! What firewalls rely on when they poll: ETag, 304, HEAD, lengths; the same on every node.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::json;
use stockade_tests::{Answer, Client, PASSWORD, TestCluster, analyst_header, send_raw, wait_for};

const WITHIN: Duration = Duration::from_secs(20);

/// Headers of a list that say what it is, and must be the same for HEAD and GET.
const DESCRIBING: [&str; 5] = ["content-length", "content-type", "etag", "last-modified", "stockade-count"];

#[track_caller]
fn etag(answer: &Answer) -> String {
    let Some(etag) = answer.header("etag") else { panic!("no ETag in {answer:?}") };
    assert!(etag.starts_with('"') && etag.ends_with('"'), "a strong ETag, not {etag}");
    etag.to_owned()
}

#[test]
fn an_etag_is_the_same_on_every_node_until_the_list_changes() {
    let mut cluster = TestCluster::start(3);
    for host in 1..=20 {
        cluster.analyst(host % 3).post("/ip/add", &json!({"ip": format!("198.51.100.{host}")})).expect(201);
    }
    cluster.wait_level();

    for path in ["/ip/all", "/ip/all?format=csv&fields=value", "/ip/all?format=xml", "/ip/all?format=txt"] {
        let first = cluster.analyst(0).get(path).expect(200);
        let tag = etag(&first);
        for number in 0..3 {
            // The same tag and bytes on every node.
            let client = cluster.analyst(number);
            let got = client.get(path).expect(200);
            assert_eq!(etag(&got), tag, "{path} on node {number}");
            assert_eq!(got.body, first.body, "{path} on node {number}");

            // HEAD tells what GET would.
            let head = client.request("HEAD", path).send().expect(200);
            assert!(head.body.is_empty(), "HEAD {path} has no body");
            for name in DESCRIBING {
                assert_eq!(head.header(name), got.header(name), "{name} of {path} on node {number}");
            }

            // A tag of one node is known by the others.
            let again = client.request("GET", path).header("if-none-match", &tag).send().expect(304);
            assert!(again.body.is_empty());
            assert_eq!(etag(&again), tag);
            client.request("GET", path).header("if-none-match", "\"other\"").send().expect(200);
        }
    }

    // Whatever changes the bytes changes the tag.
    let all = cluster.analyst(0).get("/ip/all").expect(200);
    cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(200);
    assert_ne!(etag(&cluster.analyst(0).get("/ip/all").expect(200)), etag(&all));
    let values = cluster.analyst(0).get("/ip/all?format=txt").expect(200);
    cluster.analyst(0).post("/ip/delete", &json!({"ip": "198.51.100.1"})).expect(200);
    assert_ne!(etag(&cluster.analyst(0).get("/ip/all?format=txt").expect(200)), etag(&values));
}

#[test]
fn a_date_stands_for_one_content_on_every_node() {
    let mut cluster = TestCluster::start(3);
    let path = "/ip/all?format=txt";
    // Two changes in one second have no date: one that is alone in its own has.
    let date = wait_for("a change that is alone in its second", WITHIN, || {
        let _ = cluster.analyst(0).post("/ip/add", &json!({"ip": "198.51.100.1"}));
        cluster.analyst(0).get(path).expect(200).header("last-modified").map(str::to_owned)
    });
    cluster.wait_level();
    let asked = |number: usize, since: &str| {
        cluster.analyst(number).request("GET", path).header("if-modified-since", since).send()
    };
    for number in 0..3 {
        let got = cluster.analyst(number).get(path).expect(200);
        assert_eq!(got.header("last-modified"), Some(date.as_str()), "on node {number}");
        let known = asked(number, &date).expect(304);
        assert_eq!(etag(&known), etag(&got));
        asked(number, "Fri, 01 Jan 2100 00:00:00 GMT").expect(200);
        let client = cluster.analyst(number);
        let tagged = client.request("GET", path).header("if-modified-since", &date);
        tagged.header("if-none-match", "\"other\"").send().expect(200);
    }
    cluster.analyst(1).post("/ip/add", &json!({"ip": "198.51.100.2"})).expect(201);
    let index = cluster.analyst(1).get(path).expect(200).header("stockade-index").unwrap().to_owned();
    for number in 0..3 {
        let path = format!("{path}&min_index={index}");
        let client = cluster.analyst(number);
        client.request("GET", &path).header("if-modified-since", &date).send().expect(200);
    }
}

#[test]
fn a_feed_has_no_date_until_the_list_changes_after_it_was_made() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    let make = |format: &str| {
        let feed = json!({"kind": "ip", "query": "", "format": format});
        cluster.nodes[0].operator().request("PUT", "/admin/feeds/edge").json(&feed).send()
    };
    make("txt").expect(201);
    let dated = || {
        let _ = client.post("/ip/add", &json!({"ip": "198.51.100.1"}));
        client.get("/feed/edge.txt").expect(200).header("last-modified").map(str::to_owned)
    };
    let date = wait_for("the feed has a date", WITHIN, dated);
    let since = || client.request("GET", "/feed/edge.txt").header("if-modified-since", &date).send();
    since().expect(304);
    // The list is the same, and what the feed shows of it is not.
    make("csv").expect(200);
    let changed = since().expect(200);
    assert!(changed.header("last-modified").is_none(), "{changed:?}");
    wait_for("the feed has a date again", WITHIN, dated);
}

/// Many addresses, more than one chunk of a rendered list holds; every hundredth is a network.
fn add_many(client: &Client) {
    let line = |number: usize| match number % 100 {
        0 => format!("20.{}.{}.0/24\n", number / 256, number % 256),
        _ => format!("2001:db8:{:x}::{number:x}\n198.51.{}.{}\n", number, number / 256, number % 256),
    };
    let lines: String = (0..8_000).map(line).collect();
    client.request("POST", "/ip/add").body("text/plain", lines).send().expect(200);
}

/// What a program of the system makes of these bytes.
fn through(program: &str, arguments: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut input = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        scope.spawn(move || input.write_all(bytes).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{program} refuses what it got");
    output.stdout
}

/// The list as curl has it that asks for one coding and takes it apart.
fn by_curl(client: &Client, path: &str, coding: &str) -> Vec<u8> {
    let (user, accept) = (format!("analyst:{PASSWORD}"), format!("accept-encoding: {coding}"));
    let (url, fail) = (client.url(path), "--fail-with-body");
    through("curl", &["-sS", fail, "--compressed", "--header", &accept, "--user", &user, &url], b"")
}

fn head_by_curl(client: &Client, path: &str, coding: &str) -> String {
    let (user, accept) = (format!("analyst:{PASSWORD}"), format!("accept-encoding: {coding}"));
    let head = through("curl", &["-sS", "-I", "--header", &accept, "--user", &user, &client.url(path)], b"");
    String::from_utf8(head).unwrap().replace("\r\n", "\n")
}

/// An answer by a client that takes nothing apart.
fn as_it_comes(cluster: &TestCluster, number: usize, path: &str, more: &str) -> Answer {
    let known = analyst_header();
    let head = format!("GET {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n{known}{more}\r\n");
    send_raw(&cluster.nodes[number].http_address(), head.as_bytes()).expect("an answer")
}

#[test]
fn a_list_of_many_chunks_is_the_same_everywhere_after_every_change() {
    let mut cluster = TestCluster::start(3);
    add_many(&cluster.analyst(0));
    cluster.wait_level();
    let paths = [
        "/ip/all?format=txt",
        "/ip/all",
        "/ip/all?format=nft",
        "/ip/all?format=csv&family=6",
        "/ip/all?limit=9",
    ];
    // Node 2 renders the list at the end only, the others after each change.
    let look = |cluster: &TestCluster, numbers: &[usize]| {
        for path in paths {
            let got = numbers.iter().map(|number| cluster.analyst(*number).get(path).expect(200));
            let got: Vec<Answer> = got.collect();
            for other in &got[1..] {
                assert_eq!(etag(other), etag(&got[0]), "{path}");
                assert!(other.body == got[0].body, "{path}");
            }
        }
    };
    look(&cluster, &[0, 1]);
    let client = cluster.analyst(0);
    for (method, path, body) in [
        ("POST", "/ip/add", json!({"ip": "198.51.100.200"})),
        ("POST", "/ip/add", json!({"ip": "1.2.3.4", "comment": "the first"})),
        ("POST", "/ip/delete", json!({"ip": "198.51.1.1"})),
        ("POST", "/allow/add", json!({"ip": "20.0.200.77"})),
        ("PATCH", "/ip/198.51.1.2", json!({"comment": "another"})),
        ("POST", "/allow/delete", json!({"ip": "20.0.200.77"})),
    ] {
        let done = client.request(method, path).json(&body).send();
        assert!(done.status < 300, "{method} {path}: {done:?}");
        // Whoever has written here reads it here; the others wait for it.
        let here = client.get("/ip/all?format=txt").expect(200);
        assert!(here.index() >= done.index());
        let there = cluster.analyst(1).get(&format!("/ip/all?format=txt&min_index={}", done.index()));
        assert!(there.expect(200).body == here.body, "{method} {path}");
        cluster.wait_level();
        look(&cluster, &[0, 1]);
    }
    look(&cluster, &[0, 1, 2]);
    let before = etag(&client.get(paths[0]).expect(200));
    cluster.nodes[1].kill();
    cluster.nodes[1].start_ready();
    cluster.wait_level();
    look(&cluster, &[0, 1, 2]);
    assert_eq!(etag(&cluster.analyst(1).get(paths[0]).expect(200)), before, "a restart changes no tag");
}

#[test]
fn a_list_is_compressed_for_those_who_ask_and_has_a_tag_of_its_own_then() {
    let mut cluster = TestCluster::start(3);
    add_many(&cluster.analyst(0));
    cluster.wait_level();
    for path in ["/ip/all?format=txt", "/ip/all", "/ip/all?format=nft&family=4", "/domain/all?format=ndjson"]
    {
        let plain = cluster.analyst(0).get(path).expect(200);
        assert_eq!(plain.header("content-encoding"), None);
        let mut tags = vec![etag(&plain)];
        for (coding, program) in [("gzip", "gunzip"), ("zstd", "zstd")] {
            let accept = format!("accept-encoding: br, {coding};q=0.8\r\n");
            let ask =
                |number: usize, more: &str| as_it_comes(&cluster, number, path, &format!("{accept}{more}"));
            let coded = ask(0, "").expect(200);
            assert_eq!(coded.header("content-encoding"), Some(coding), "{path}");
            assert_eq!(coded.header("content-length"), Some(coded.body.len().to_string().as_str()), "{path}");
            assert_eq!(coded.header("vary"), Some("accept, accept-encoding"), "{path}");
            assert!(through(program, &["-dc"], &coded.body) == plain.body, "{path} by {program}");
            assert!(by_curl(&cluster.analyst(0), path, coding) == plain.body, "{path} by curl");
            assert!(
                coded.body.len() < plain.body.len() / 2 || plain.body.is_empty(),
                "{path}: it is shorter"
            );

            // The same bytes and the same tag on every node, and a HEAD that says so.
            for number in 0..3 {
                let there = ask(number, "").expect(200);
                assert!(there.body == coded.body, "{path} in {coding} on node {number}");
                let head = head_by_curl(&cluster.analyst(number), path, coding);
                for name in DESCRIBING.into_iter().chain(["content-encoding", "vary"]) {
                    let found = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    assert_eq!(found, coded.header(name), "{name} of {path} on node {number}");
                }
            }
            tags.push(etag(&coded));
            // Whichever form a client has, it is told that it has the list.
            for tag in [&tags[0], &tags[tags.len() - 1]] {
                let again = ask(1, &format!("if-none-match: \"other\", {tag}\r\n")).expect(304);
                assert_eq!((&etag(&again), again.body.is_empty()), (tag, true));
            }
        }
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), 3, "other bytes, other tag: {tags:?}");
        for refused in ["gzip;q=0", "identity", "gzip;q=0.5, identity;q=1", "br"] {
            let answer =
                as_it_comes(&cluster, 0, path, &format!("accept-encoding: {refused}\r\n")).expect(200);
            assert_eq!(answer.header("content-encoding"), None, "{refused}");
        }
    }
}

#[test]
fn many_clients_get_whole_lists_while_the_list_changes() {
    let cluster = TestCluster::start(1);
    let writer = cluster.analyst(0);
    add_many(&writer);
    let added = 200;
    thread::scope(|scope| {
        for client in 0..8 {
            let (reader, coding) = (cluster.analyst(0), ["identity", "gzip", "zstd"][client % 3]);
            scope.spawn(move || {
                let mut known = String::new();
                loop {
                    let ask = reader.request("GET", "/ip/all?format=txt");
                    let ask = ask.header("accept-encoding", coding).header("if-none-match", &known);
                    let answer = ask.send();
                    known = etag(&answer);
                    if answer.status == 304 {
                        continue;
                    }
                    let answer = answer.expect(200);
                    // The client takes gzip apart by itself.
                    let text = match answer.header("content-encoding") {
                        Some(_) => through("zstd", &["-dc"], &answer.body),
                        None => answer.body.clone(),
                    };
                    let lines = text.iter().filter(|byte| **byte == b'\n').count();
                    assert_eq!(answer.header("stockade-count"), Some(lines.to_string().as_str()));
                    if lines == 15_920 + added {
                        break;
                    }
                }
            });
        }
        for number in 0..added {
            writer.post("/ip/add", &json!({"ip": format!("203.0.113.{number}")})).expect(201);
            let own = writer.get("/ip/all?format=txt").expect(200);
            assert!(own.text().contains(&format!("\n203.0.113.{number}\n")), "who writes reads it");
        }
    });
}

#[test]
fn one_address_answers_head_like_get() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    client.post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);
    let got = client.get("/ip/198.51.100.1").expect(200);
    let head = client.request("HEAD", "/ip/198.51.100.1").send().expect(200);
    assert!(head.body.is_empty());
    assert_eq!(head.header("content-length"), got.header("content-length"));
    assert!(client.request("HEAD", "/ip/198.51.100.2").send().expect(404).body.is_empty());
}

#[test]
fn a_limit_says_that_it_cut_the_list() {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    for host in 1..=5 {
        client.post("/ip/add", &json!({"ip": format!("198.51.100.{host}")})).expect(201);
    }
    let cut = client.get("/ip/all?format=txt&limit=2").expect(200);
    assert_eq!(cut.text(), "198.51.100.1\n198.51.100.2\n");
    assert!(cut.header("stockade-truncated").is_some(), "{cut:?}");
    let whole = client.get("/ip/all?format=txt&limit=5").expect(200);
    assert_eq!(whole.header("stockade-truncated"), None);
}
