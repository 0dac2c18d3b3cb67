//! Feeds: one short URL for a firewall, the same on every node, and what it shows when its list goes wild.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use stockade_tests::{Answer, Cli, Client, TestCluster, wait_for};

const ADDRESSES: [&str; 4] = ["198.51.100.0/24", "192.0.2.1", "192.0.2.2", "2001:db8::1"];
/// How long every node has to bring what a frozen feed shows to its disk.
const KEPT_WITHIN: Duration = Duration::from_secs(10);

fn put(client: &Client, name: &str, feed: &Value) -> Answer {
    client.request("PUT", &format!("/admin/feeds/{name}")).json(feed).send()
}

/// A cluster of three with four addresses and a reader, and the reader's token.
fn cluster() -> (TestCluster, String) {
    let mut cluster = TestCluster::start(3);
    for address in ADDRESSES {
        cluster.analyst(0).post("/ip/add", &json!({"ip": address})).expect(201);
    }
    cluster.register("firewall", "reader");
    let made = cluster.client(0, "firewall").post("/user/firewall/tokens", &json!({"name": "fw"}));
    let token = made.expect(201).json()["token"].as_str().expect("the token's text").to_owned();
    cluster.wait_level();
    (cluster, token)
}

#[track_caller]
fn etag(answer: &Answer) -> String {
    answer.header("etag").expect("an ETag").to_owned()
}

#[test]
fn a_feed_made_on_one_node_is_served_alike_by_all() {
    let (mut cluster, token) = cluster();
    let feed = json!({"kind": "ip", "query": "family=4", "description": "the office"});
    let made = put(&cluster.nodes[0].operator(), "office", &feed).expect(201);
    assert_eq!(made.json()["path"], "/feed/office.txt");
    assert_eq!(made.json()["format"], "txt");
    cluster.wait_applied(made.index());

    let text = "198.51.100.0/24\n192.0.2.1\n192.0.2.2\n";
    let mut tags = Vec::new();
    for number in 0..3 {
        let reader = cluster.client(number, "firewall");
        let anonymous = cluster.nodes[number].anonymous();
        let by_token = format!("/feed/{token}/office.txt");
        for (client, path) in [
            (&reader, "/feed/office.txt"),
            (&reader, "/feed/office.csv"),
            (&reader, "/feed/office"),
            (&anonymous, by_token.as_str()),
        ] {
            let answer = client.get(path).expect(200);
            assert_eq!(answer.text(), text, "{path}");
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
            assert_eq!(answer.header("content-length"), Some(text.len().to_string().as_str()));
            assert_eq!(answer.header("transfer-encoding"), None);
            assert_eq!(answer.header("stockade-count"), Some("3"));
            let tag = etag(&answer);
            let head = client.request("HEAD", path).send().expect(200);
            assert!(head.body.is_empty());
            for name in ["content-length", "content-type", "etag", "stockade-count"] {
                assert_eq!(head.header(name), answer.header(name), "{name} of {path}");
            }
            client.request("GET", path).header("if-none-match", &tag).send().expect(304);
            client.request("GET", path).header("if-none-match", "\"other\"").send().expect(200);
            tags.push(tag);
        }
    }
    tags.dedup();
    assert_eq!(tags.len(), 1, "one tag on every node");

    // It shows the list as it is, and never nothing at all.
    let deleted = cluster.analyst(1).post("/ip/delete", &json!({"ip": "192.0.2.1"})).expect(200);
    let fresh = format!("/feed/office.txt?min_index={}", deleted.index());
    assert_eq!(cluster.client(2, "firewall").get(&fresh).expect(200).text(), "198.51.100.0/24\n192.0.2.2\n");
    let domains = put(&cluster.nodes[1].operator(), "domains", &json!({"kind": "domain"})).expect(201);
    let nft = json!({"kind": "ip", "format": "nft", "query": "table=guard"});
    let nft = put(&cluster.nodes[1].operator(), "linux", &nft).expect(201).json()["path"]
        .as_str()
        .map(str::to_owned);
    let nft = nft.expect("where it is fetched");
    let sophos = json!({"kind": "ip", "format": "sophos"});
    let sophos = put(&cluster.nodes[1].operator(), "sophos", &sophos).expect(201);
    assert_eq!(sophos.json()["path"], "/feed/sophos.txt");
    cluster.wait_applied(sophos.index());
    assert!(
        cluster.client(2, "firewall").get(&nft).expect(200).text().contains("add table inet guard\n"),
        "{nft}"
    );
    let hosts = cluster.client(2, "firewall").get("/feed/sophos.txt").expect(200);
    assert!(hosts.text().contains("192.0.2.2\n") && !hosts.text().contains(':'), "{hosts:?}");
    cluster.wait_applied(domains.index());
    assert_eq!(cluster.client(2, "firewall").get("/feed/domains.txt").expect(200).body, b"\n");

    // From a shell.
    let exported = Cli::of(&cluster.nodes[2], "firewall").run(&["export", "--feed", "office"]).expect(0);
    assert_eq!(exported.output, "198.51.100.0/24\n192.0.2.2\n");

    // A node that is alone still has it, and shows what was reported there; not so where all have to judge alike.
    let brake = json!({"kind": "ip", "query": "family=4", "freeze_percent": 10});
    let careful = put(&cluster.nodes[1].operator(), "careful", &brake).expect(201);
    cluster.wait_applied(careful.index());
    cluster.nodes[0].kill();
    cluster.nodes[1].kill();
    let alone = cluster.nodes[2].anonymous().get(&format!("/feed/{token}/office.txt")).expect(200);
    assert_eq!(alone.text(), "198.51.100.0/24\n192.0.2.2\n");
    cluster.analyst(2).post("/ip/add", &json!({"ip": "192.0.2.3"})).expect(202);
    for (feed, text, pending) in [
        ("office", "198.51.100.0/24\n192.0.2.2\n192.0.2.3\n", Some("1")),
        ("office?pending=exclude", "198.51.100.0/24\n192.0.2.2\n", None),
        ("careful", "198.51.100.0/24\n192.0.2.2\n", None),
    ] {
        let shown = cluster.client(2, "firewall").get(&format!("/feed/{feed}")).expect(200);
        assert_eq!((shown.text(), shown.header("stockade-pending")), (text, pending), "{feed}");
    }
}

#[test]
fn wrong_credentials_are_401_and_an_unknown_feed_is_404() {
    let (cluster, token) = cluster();
    let operator = cluster.nodes[0].operator();
    let made = put(&operator, "office", &json!({"kind": "ip", "query": "fields=value", "format": "csv"}))
        .expect(201);
    cluster.wait_applied(made.index());
    let anonymous = cluster.nodes[1].anonymous();
    let reader = cluster.client(1, "firewall");
    for (client, path, status) in [
        (&anonymous, "/feed/office.txt".to_owned(), 401),
        (&anonymous, "/feed/stk_guess/office.txt".to_owned(), 401),
        (&anonymous, "/feed/stk_guess/other.txt".to_owned(), 401),
        (&anonymous, format!("/feed/{token}/other.txt"), 404),
        (&reader, "/feed/other.txt".to_owned(), 404),
        (&reader, "/feed/office.exe".to_owned(), 404),
        (&reader, "/feed/office.txt?format=json".to_owned(), 400),
        (&reader, "/feed/office.txt?pending=exclude".to_owned(), 200),
    ] {
        assert_eq!(client.get(&path).status, status, "{path}");
    }
    // Where requests are counted and told of, the token is not.
    let metrics = anonymous.get("/metrics").expect(200);
    assert!(metrics.text().contains("route=\"/feed/{token}/{file}\""), "{}", metrics.text());
    for number in 0..3 {
        let told = cluster.nodes[number].anonymous().get("/metrics").expect(200);
        assert!(!told.text().contains(&token) && !cluster.nodes[number].log().contains(&token));
    }

    // Only admins make, change, see and delete them.
    for username in ["firewall", "analyst"] {
        let client = cluster.client(0, username);
        assert_eq!(put(&client, "mine", &json!({"kind": "ip"})).status, 403, "{username}");
        assert_eq!(client.get("/admin/feeds").status, 403, "{username}");
        assert_eq!(client.get("/admin/feeds/office").status, 403, "{username}");
        assert_eq!(client.post("/admin/feeds/office/publish", &json!({})).status, 403, "{username}");
        assert_eq!(client.delete("/admin/feeds/office").status, 403, "{username}");
    }
    for (name, feed, status, message) in [
        ("office", json!({"kind": "ip", "query": "colour=red"}), 400, "parameter `colour` is not known"),
        ("office", json!({"kind": "ip", "format": "yaml"}), 400, "format `yaml` is not known"),
        ("office", json!({"kind": "ip", "colour": "red"}), 400, "unknown field `colour`"),
        ("office", json!({"kind": "car"}), 422, "kind `car` is not known"),
        ("a.md5", json!({"kind": "ip"}), 422, "feed name `a.md5` is not valid"),
    ] {
        let answer = put(&operator, name, &feed).expect(status);
        assert!(answer.message().contains(message), "{answer:?}");
    }

    // Changed on one node, deleted on another.
    let changed =
        put(&cluster.nodes[1].operator(), "office", &json!({"kind": "ip", "format": "ndjson"})).expect(200);
    cluster.wait_applied(changed.index());
    let shown = cluster.nodes[2].operator().get("/admin/feeds").expect(200).json();
    assert_eq!(
        (&shown[0]["name"], &shown[0]["format"], &shown[1]),
        (&json!("office"), &json!("ndjson"), &Value::Null)
    );
    assert!(reader.get("/feed/office.csv").expect(200).text().starts_with('{'), "the profile decides");
    let deleted = cluster.nodes[2].operator().delete("/admin/feeds/office").expect(200);
    cluster.wait_applied(deleted.index());
    for number in 0..3 {
        cluster.client(number, "firewall").get("/feed/office.txt").expect(404);
        cluster.nodes[number].operator().get("/admin/feeds/office").expect(404);
    }
}

#[test]
fn the_usual_programs_find_the_checksums_right() {
    let (cluster, token) = cluster();
    let made = put(&cluster.nodes[0].operator(), "office", &json!({"kind": "ip"})).expect(201);
    cluster.wait_applied(made.index());
    let directory = tempfile::tempdir().unwrap();
    for (suffix, program) in [("md5", "md5sum"), ("sha256", "sha256sum")] {
        for (number, file) in [(0, "office.txt"), (1, "office.csv"), (2, "office")] {
            let client = cluster.nodes[number].anonymous();
            let list = client.get(&format!("/feed/{token}/{file}")).expect(200);
            let sum = client.get(&format!("/feed/{token}/{file}.{suffix}")).expect(200);
            assert_eq!(sum.header("content-type"), Some("text/plain; charset=utf-8"));
            fs::write(directory.path().join(file), &list.body).unwrap();
            fs::write(directory.path().join("sums"), &sum.body).unwrap();
            let checked = Command::new(program)
                .args(["--strict", "-c", "sums"])
                .current_dir(directory.path())
                .output()
                .unwrap();
            assert!(checked.status.success(), "{program} {file}: {checked:?} of {sum:?}");
            let again = format!("/feed/{token}/{file}.{suffix}");
            client.request("GET", &again).header("if-none-match", &etag(&sum)).send().expect(304);
        }
    }
}

#[test]
fn a_frozen_feed_shows_its_last_good_content_everywhere_until_an_admin_says_go_on() {
    let (mut cluster, _) = cluster();
    let operator = cluster.nodes[0].operator();
    put(&operator, "careful", &json!({"kind": "ip", "freeze_percent": 10})).expect(201);
    let made = put(&operator, "carefree", &json!({"kind": "ip"})).expect(201);
    cluster.wait_applied(made.index());
    let good = cluster.client(1, "firewall").get("/feed/careful.txt").expect(200);
    assert_eq!(good.text().lines().collect::<Vec<_>>(), ADDRESSES);
    assert_eq!(good.header("stockade-frozen"), None);

    // Somebody empties the list.
    let mut last = 0;
    for address in ADDRESSES {
        last = cluster.analyst(1).post("/ip/delete", &json!({"ip": address})).expect(200).index();
    }
    cluster.wait_applied(last);
    let expected = "192.0.2.2\n2001:db8::1\n";
    let mut tags = Vec::new();
    let mut look = |cluster: &TestCluster, when: &str| {
        for number in 0..3 {
            let reader = cluster.client(number, "firewall");
            let shown = reader.get("/feed/careful.txt").expect(200);
            assert_eq!(shown.text(), expected, "node {number} {when}");
            assert_eq!(shown.header("stockade-count"), Some("2"));
            assert!(shown.header("stockade-frozen").is_some(), "{shown:?}");
            tags.push(etag(&shown));
            reader.request("GET", "/feed/careful.txt").header("if-none-match", &tags[0]).send().expect(304);
            assert_eq!(reader.get("/feed/carefree.txt").expect(200).body, b"\n");
        }
    };
    look(&cluster, "after the loss");

    // All nodes keep it through a kill.
    let files = |cluster: &TestCluster, number: usize| {
        let files = fs::read_dir(cluster.nodes[number].data().join("feeds")).ok().into_iter().flatten();
        files
            .filter_map(|file| Some(file.ok()?.file_name().to_string_lossy().into_owned()))
            .collect::<Vec<_>>()
    };
    for number in 0..3 {
        wait_for("it is on disk", KEPT_WITHIN, || {
            files(&cluster, number).iter().any(|file| file.ends_with("-careful")).then_some(())
        });
    }
    cluster.nodes[0].operator().post("/admin/snapshot", &json!({})).expect(200);
    for number in 0..3 {
        cluster.nodes[number].kill();
    }
    for number in 0..3 {
        cluster.nodes[number].start();
    }
    for number in 0..3 {
        cluster.nodes[number].wait_ready();
    }
    cluster.wait_level();
    look(&cluster, "after a restart");
    tags.dedup();
    assert_eq!(tags.len(), 1);

    // It is told, and an admin decides.
    let feed = cluster.nodes[1].operator().get("/admin/feeds/careful").expect(200).json();
    assert_eq!((&feed["frozen"]["kept"], &feed["frozen"]["found"]), (&json!(2), &json!(1)), "{feed}");
    let metrics = cluster.nodes[2].anonymous().get("/metrics").expect(200);
    assert!(metrics.text().contains("\nstockade_frozen_feeds 1\n"), "{}", metrics.text());
    let audit = cluster.nodes[2].operator().get("/admin/audit").expect(200);
    assert!(audit.text().contains("feed_frozen"), "{audit:?}");
    let published = cluster.nodes[2].operator().post("/admin/feeds/careful/publish", &json!({})).expect(200);
    assert_eq!(published.json()["frozen"], Value::Null);
    cluster.wait_applied(published.index());
    for number in 0..3 {
        let shown = cluster.client(number, "firewall").get("/feed/careful.txt").expect(200);
        assert_eq!((shown.body.as_slice(), shown.header("stockade-frozen")), (b"\n".as_slice(), None));
        wait_for("what is not shown is not kept", KEPT_WITHIN, || {
            files(&cluster, number).is_empty().then_some(())
        });
    }
}

#[test]
fn a_node_that_came_after_the_freeze_says_so_until_the_feed_goes_on() {
    let mut cluster = TestCluster::start_with(1, &["--log-keep", "1"]);
    cluster.register("firewall", "reader");
    let client = cluster.analyst(0);
    for address in ADDRESSES {
        client.post("/ip/add", &json!({"ip": address})).expect(201);
    }
    put(&cluster.nodes[0].operator(), "careful", &json!({"kind": "ip", "freeze_percent": 0})).expect(201);
    for address in ADDRESSES {
        client.post("/ip/delete", &json!({"ip": address})).expect(200);
    }
    cluster.nodes[0].operator().post("/admin/snapshot", &json!({})).expect(200);
    let number = cluster.join(&["--log-keep", "1"]);
    cluster.nodes[number].wait_ready();
    cluster.wait_level();

    cluster.client(0, "firewall").get("/feed/careful.txt").expect(200);
    let missing = cluster.client(number, "firewall").get("/feed/careful.txt").expect(503);
    assert!(missing.message().contains("frozen"), "{missing:?}");
    assert!(missing.header("retry-after").is_some(), "{missing:?}");
    let published =
        cluster.nodes[number].operator().post("/admin/feeds/careful/publish", &json!({})).expect(200);
    cluster.wait_applied(published.index());
    assert_eq!(cluster.client(number, "firewall").get("/feed/careful.txt").expect(200).body, b"\n");
}
