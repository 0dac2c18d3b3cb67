//! Public feeds in: the leader takes them in, and the list follows what they name, whatever becomes of them.

use std::time::Duration;

use serde_json::{Value, json};
use stockade_tests::{Answer, Cli, Client, FeedServer, Served, TestCluster, wait_for};

/// How long a run may take, a debug build on a busy machine included.
const RUN_WITHIN: Duration = Duration::from_secs(60);

/// Puts an import, as soon as all nodes are known to take commands of this version.
#[track_caller]
fn put(client: &Client, name: &str, profile: &Value) -> Answer {
    wait_for("imports are taken", RUN_WITHIN, || {
        let answer = client.request("PUT", &format!("/admin/imports/{name}")).json(profile).send();
        (answer.status != 503).then_some(answer)
    })
}

/// Asks for a run and waits for its end; what is told of it.
#[track_caller]
fn run(client: &Client, name: &str, way: &str) -> Value {
    client.post(&format!("/admin/imports/{name}/{way}"), &json!({})).expect(200);
    ended(client, name)
}

#[track_caller]
fn ended(client: &Client, name: &str) -> Value {
    wait_for("the run has ended", RUN_WITHIN, || {
        let told = client.get(&format!("/admin/imports/{name}")).expect(200).json();
        let ending = told["run"]["ending"].as_str()?;
        (told["asked"].is_null() && !["never", "running"].contains(&ending)).then(|| told["run"].clone())
    })
}

fn addresses(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|number| format!("45.{}.{}.{}\n", number >> 16, number >> 8 & 255, number & 255)).collect()
}

#[track_caller]
fn check(run: &Value, ending: &str, counts: [u64; 3], why: &str) {
    let found = ["added", "sighted", "withdrawn"].map(|name| run[name].as_u64().unwrap());
    assert_eq!((run["ending"].as_str().unwrap(), found), (ending, counts), "{why}: {run}");
}

#[test]
fn the_list_follows_a_feed_and_only_the_feeds_own_word_is_withdrawn() {
    let mut cluster = TestCluster::start_with(3, &["--imports-private"]);
    let feed = FeedServer::start();
    let operator = cluster.nodes[0].operator();
    let analyst = cluster.analyst(1);
    analyst.post("/ip/add", &json!({"ip": "203.0.113.2", "comment": "mine"})).expect(201);
    let serve = |body: &str, etag: &str| {
        let etag = (!etag.is_empty()).then(|| etag.to_owned());
        feed.serve(Served { body: body.into(), etag, ..Served::default() });
    };
    serve("# a feed\n203.0.113.1\n203.0.113.2 ; C2\n203.0.113.3\n127.0.0.1\n", "\"1\"");
    let profile = json!({"url": feed.url(), "every": "1h", "ttl": "7d", "tags": ["bad"]});
    let index = put(&operator, "bad", &profile).expect(200).index();
    cluster.wait_applied(index);
    // From any node, and the same on each.
    let told = ended(&cluster.nodes[2].operator(), "bad");
    check(&told, "done", [2, 1, 0], "the first run");
    assert_eq!((&told["values"], &told["refused"]), (&json!(4), &json!(1)), "{told}");
    let sighting = |value: &str| {
        analyst.get(&format!("/ip/{value}?fields=sighting")).expect(200).json()[0]["sighting"].clone()
    };
    assert_eq!(sighting("203.0.113.2"), 1, "the feed has seen it too");

    check(&run(&operator, "bad", "run"), "unchanged", [0, 0, 0], "the server says so");
    serve("203.0.113.1\n203.0.113.2\n203.0.113.3\n127.0.0.1\n# another text, the same values\n", "\"2\"");
    check(&run(&operator, "bad", "run"), "done", [0, 0, 0], "nothing is counted again");
    serve("203.0.113.1\n203.0.113.4\n203.0.113.5\n", "");
    check(&run(&operator, "bad", "run"), "done", [2, 0, 2], "some are new, and some are gone");
    analyst.get("/ip/203.0.113.3").expect(404);
    let kept = analyst.get("/ip/203.0.113.2/sightings").expect(200).json();
    assert_eq!(kept.as_array().map(Vec::len), Some(1), "the analyst's word stays: {kept}");
    check(&run(&operator, "bad", "run"), "unchanged", [0, 0, 0], "without an ETag, by its content");
    // What was taken off the list meanwhile is listed again: only the allow list says otherwise.
    analyst.post("/ip/delete", &json!({"ip": "203.0.113.4"})).expect(200);
    check(&run(&operator, "bad", "run"), "done", [1, 0, 0], "what the feed names is listed");
    assert!(feed.answered().contains(&304), "{:?}", feed.answered());

    let listed = |client: &Client| {
        client.get("/ip/all?fields=value,sighting&format=csv&header=0").expect(200).text().to_owned()
    };
    let expected = "203.0.113.1,0\n203.0.113.2,1\n203.0.113.4,0\n203.0.113.5,0\n";
    assert_eq!(listed(&analyst), expected);

    // It lies, and dies.
    let broken = Served { body: addresses(0..200), broken: true, ..Served::default() };
    let gone = Served { status: 404, body: "203.0.113.9\n".into(), ..Served::default() };
    let away = Served { status: 302, location: Some("ftp://x.example/".into()), ..Served::default() };
    let around = Served { status: 302, location: Some(feed.url()), ..Served::default() };
    let inward =
        Served { status: 302, location: Some("http://169.254.169.254/".into()), ..Served::default() };
    let body = |text: &str| Served { body: text.into(), ..Served::default() };
    for (served, why) in [
        (body(""), "names no"),
        (body("<html>203.0.113.9</html>"), "page"),
        (body("Service\nnot\navailable\n203.0.113.9\n"), "does not look like"),
        (broken, ""),
        (gone, "status 404"),
        (away, "redirect to nowhere"),
        (around, "more than 5 redirects"),
        (inward, "not a public one"),
    ] {
        feed.serve(served);
        let told = run(&operator, "bad", "run");
        assert_eq!(told["ending"], "failed", "{why}: {told}");
        assert!(told["error"].as_str().unwrap().contains(why), "{why}: {told}");
        assert_eq!(listed(&analyst), expected, "{why}");
    }

    // It grows and shrinks more than it may.
    let grown: String = (1..30).map(|last| format!("203.0.113.{last}\n")).collect();
    for (text, values) in [(grown.as_str(), 29), ("203.0.113.1\n", 1)] {
        serve(text, "");
        let told = run(&operator, "bad", "run");
        assert_eq!((&told["ending"], &told["held"]), (&json!("held"), &json!(values)), "{told}");
        assert_eq!(listed(&analyst), expected);
    }
    serve(&grown, "");
    run(&operator, "bad", "run");
    check(&run(&operator, "bad", "go-on"), "done", [25, 1, 0], "an admin has said go on");
    operator.post("/admin/imports/bad/go-on", &json!({})).expect(409);

    let deeds = operator.get("/admin/audit?action=import_ran").expect(200).text().to_owned();
    assert!(deeds.contains("held: 29 values") && deeds.contains("failed: "), "{deeds}");
    let metrics = cluster.nodes[1].anonymous().get("/metrics").expect(200).text().to_owned();
    assert!(metrics.contains("stockade_import_values{import=\"bad\"} 29\n"), "{metrics}");
    operator.delete("/admin/imports/bad").expect(200);
    operator.get("/admin/imports/bad").expect(404);
    analyst.request("PUT", "/admin/imports/bad").json(&profile).send().expect(403);
    cluster.same_digest_everywhere();
}

#[test]
fn a_run_that_its_leader_does_not_survive_is_done_by_the_next_and_counts_once() {
    let mut cluster = TestCluster::start_with(3, &["--imports-private"]);
    let feed = FeedServer::start();
    let count = 60_000;
    feed.serve(Served { body: addresses(1..count + 1), etag: Some("\"1\"".into()), ..Served::default() });
    let leader = cluster.leader();
    let other = cluster.followers()[0];
    let operator = cluster.nodes[other].operator();
    put(&operator, "long", &json!({"url": feed.url(), "every": "1h"})).expect(200);
    let entries = |client: &Client| -> u64 {
        let text = client.get("/metrics").expect(200).text().to_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("stockade_entries{kind=\"ip\"} "));
        line.unwrap().parse().unwrap()
    };
    wait_for("the run is in its middle", RUN_WITHIN, || (entries(&operator) > 2_000).then_some(()));
    cluster.nodes[leader].kill();
    let seen = entries(&operator);
    assert!(seen < u64::from(count), "the leader was too fast for this story: {seen}");
    let told = wait_for("the next leader has done it", RUN_WITHIN, || {
        let told = operator.try_get("/admin/imports/long")?.json();
        (told["run"]["ending"] == "done").then(|| told["run"].clone())
    });
    assert_eq!((&told["values"], &told["claimed"]), (&json!(count), &json!(count)), "{told}");
    cluster.nodes[leader].start_ready();
    cluster.wait_level();
    for number in 0..3 {
        let node = cluster.analyst(number);
        assert_eq!(
            node.get("/ip/all?fields=value&format=csv").expect(200).text().lines().count(),
            count as usize
        );
        let twice = node.get("/ip/all?fields=value&format=csv&min_sightings=1").expect(200);
        assert_eq!(twice.text().trim(), "", "node {number} has counted something twice");
    }
    cluster.same_digest_everywhere();
    assert_eq!(feed.answered().len(), 2, "the leaders alone have asked: {:?}", feed.answered());
}

#[test]
fn a_file_comes_from_its_directory_and_an_own_network_is_not_asked() {
    let mut cluster = TestCluster::empty();
    let first = cluster.prepare(&["--imports-dir", "taken"]);
    let directory = cluster.nodes[first].data().parent().unwrap().join("taken");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(
        directory.join("block.txt"),
        "Start\tEnd\tNetmask\tAttacks\tName\n203.0.113.0\t203.0.113.255\t24\t9\tNET\n",
    )
    .unwrap();
    cluster.nodes[first].start_ready();
    let operator = cluster.nodes[first].operator();
    put(&operator, "file", &json!({"file": "block.txt", "format": "dshield"})).expect(200);
    check(&ended(&operator, "file"), "done", [1, 0, 0], "from the directory");
    put(&operator, "out", &json!({"file": "../data/lock"})).expect(422);
    let feed = FeedServer::start();
    feed.serve(Served { body: "203.0.113.1\n".into(), ..Served::default() });
    put(&operator, "inside", &json!({"url": feed.url()})).expect(200);
    let told = ended(&operator, "inside");
    assert!(told["error"].as_str().unwrap().contains("not a public one"), "{told}");
    assert!(feed.answered().is_empty(), "it was asked all the same");
}

#[test]
fn the_command_line_reads_what_public_feeds_have() {
    let cluster = TestCluster::start(1);
    let cli = Cli::of(&cluster.nodes[0], "analyst");
    let directory = cluster.nodes[0].data().parent().unwrap().join("feeds");
    std::fs::create_dir(&directory).unwrap();
    let drop = "{\"cidr\":\"198.51.100.0/24\",\"sblid\":\"SBL1\"}\nnonsense\n{\"type\":\"metadata\"}\n";
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let path = file("drop.json", drop);
    let ran = cli.run(&["import", "--label", "drop", &path]);
    assert!(ran.output.contains("1 added, 0 sighted, 1 refused"), "{ran:?}");
    assert!(ran.errors.contains("line 2"), "{ran:?}");
}
