//! What firewalls rely on when they poll: ETag, 304, HEAD, lengths; the same on every node.

use serde_json::json;
use stockade_tests::{Answer, TestCluster};

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
