//! A backup taken from a node under load, a new cluster from it, and what is refused.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use stockade_tests::{Answer, Cli, Client, Load, PASSWORD, Ran, TestCluster, copy_directory, wait_for};

const FIELDS: &str =
    "value,time_added,time_updated,sighting,comment,source,sources,account,expires,tags,index";

/// All that a backup has to bring back, as the API shows it.
fn everything(analyst: &Client, admin: &Client) -> Vec<String> {
    let kinds = ["ip", "domain", "url", "hash", "email", "username"];
    let lists = kinds.map(|kind| format!("/{kind}/all?format=csv&fields={FIELDS}"));
    let mut shown: Vec<String> =
        lists.iter().map(|path| analyst.get(path).expect(200).text().to_owned()).collect();
    shown.push(analyst.get("/ip/203.0.113.101/sightings").expect(200).text().to_owned());
    shown.push(analyst.get("/ip/203.0.113.101/history").expect(200).text().to_owned());
    shown.push(analyst.get("/allow/all").expect(200).text().to_owned());
    for path in ["/users", "/admin/settings", "/admin/feeds", "/admin/hooks"] {
        shown.push(admin.get(path).expect(200).text().to_owned());
    }
    shown
}

fn keyed(client: &Client, body: &Value) -> Answer {
    client.request("POST", "/ip/add").header("idempotency-key", "once").json(body).send()
}

#[track_caller]
fn restore(cli: &Cli, file: &Path, data: &Path) -> Ran {
    cli.run(&["restore", file.to_str().unwrap(), "--data", data.to_str().unwrap()])
}

#[test]
fn a_backup_from_a_follower_under_load_becomes_a_cluster_that_others_join() {
    let mut old = TestCluster::start(3);
    old.register("operator", "admin");
    let follower = old.followers()[0];
    let (analyst, admin) = (old.analyst(follower), old.client(follower, "operator"));
    analyst
        .post("/ip/add", &json!({"ip": "203.0.113.101", "comment": "Bad guy", "tags": ["ssh"]}))
        .expect(201);
    let once = json!({"ip": "203.0.113.102", "comment": "counts once"});
    let first = keyed(&analyst, &once).expect(201).text().to_owned();
    analyst.post("/domain/add", &json!({"domain": "evil.example.com", "ttl": 86_400})).expect(201);
    analyst.post("/allow/add", &json!({"ip": "203.0.113.0/28", "comment": "our office"})).expect(201);
    let feed = json!({"kind": "ip", "query": "family=4", "format": "nft"});
    admin.request("PUT", "/admin/feeds/edge").json(&feed).send().expect(201);
    let settings = json!({"allow_private": true});
    admin.request("PUT", "/admin/settings").json(&settings).send().expect(200);
    let token = admin.post("/user/analyst/tokens", &json!({"name": "fw"})).expect(201).json();
    let token = token["token"].as_str().expect("a token").to_owned();
    let deleted = analyst.post("/ip/add", &json!({"ip": "203.0.113.103"})).expect(201);
    analyst.post("/ip/delete", &json!({"ip": "203.0.113.103"})).expect(200);

    // While writers are at it, from a follower: what was acknowledged before is in it.
    let urls: Vec<String> = old.nodes.iter().map(|node| node.url()).collect();
    let load = Load::start(&urls, "analyst", PASSWORD, 4);
    let home = old.nodes[follower].data().parent().unwrap().to_path_buf();
    let (early, late) = (home.join("early.backup"), home.join("late.backup"));
    let cli = Cli::of(&old.nodes[follower], "operator");
    for number in 0..5 {
        let many = (number + 1) * 20;
        wait_for("the writers are at work", Duration::from_secs(30), || {
            let list = analyst.get("/ip/all?fields=value&format=csv").expect(200);
            (list.text().lines().count() > many).then_some(())
        });
        analyst.post("/ip/add", &json!({"ip": format!("192.0.2.{number}")})).expect(201);
        let took = cli.run(&["backup", early.to_str().unwrap()]).expect(0);
        assert!(took.output.contains(" entries at index "), "{took:?}");
    }
    let ledger = load.stop();
    let end = old.wait_level();
    cli.run(&["backup", late.to_str().unwrap()]).expect(0);
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&late).unwrap());
    assert_eq!(mode & 0o777, 0o600, "it holds the accounts");
    let before = everything(&analyst, &admin);
    let highest = 3;
    for node in &mut old.nodes {
        assert!(node.terminate().success());
    }

    let mut new = TestCluster::empty();
    let one = new.prepare(&[]);
    let early_data = new.nodes[one].data().with_file_name("early");
    restore(&cli, &early, &early_data).expect(0);
    let told = restore(&cli, &late, &new.nodes[one].data()).expect(0);
    assert!(told.output.contains("as node 4 of a new cluster"), "{told:?}");
    new.nodes[one].start_ready();
    assert_eq!(new.nodes[one].id(), highest + 1);
    let (analyst, admin) = (new.analyst(one), new.client(one, "operator"));
    for (now, before) in everything(&analyst, &admin).iter().zip(&before) {
        assert_eq!(now, before);
    }
    let list = analyst.get("/ip/all?fields=value,sighting").expect(200).json();
    let own = |entry: &&Value| {
        let value = entry["value"].as_str().unwrap();
        value.starts_with("192.0.2.") || value.starts_with("203.0.113.")
    };
    ledger.judge(&list.as_array().unwrap().iter().filter(|entry| !own(entry)).cloned().collect());
    analyst.get("/ip/203.0.113.103").expect(404);
    new.nodes[one].anonymous().bearer(&token).get("/ip/203.0.113.101").expect(200);
    let status = new.nodes[one].status().expect("it runs");
    assert_eq!(status["members"].as_array().unwrap().len(), 1, "{status}");

    // What was counted before counts no more, and no index of the old cluster is one of this.
    let again = keyed(&analyst, &once).expect(201);
    assert_eq!((again.text(), again.header("idempotency-replayed")), (first.as_str(), Some("true")));
    assert!(again.index() > end + 1_000_000);
    for since in [deleted.index(), end, end + 1000] {
        analyst.get(&format!("/ip/changes?since={since}")).expect(410);
    }
    let changes = analyst.get(&format!("/ip/changes?since={}", again.index())).expect(200).json();
    assert_eq!(changes["added"], json!([]));

    // Two more nodes, each with an id of its own, and all writes go on.
    let two = new.join(&[]);
    let three = new.join(&[]);
    for node in &mut new.nodes {
        node.wait_ready();
    }
    new.wait_voters(3);
    assert_eq!(
        (new.nodes[two].id(), new.nodes[three].id()).min((new.nodes[three].id(), new.nodes[two].id())),
        (highest + 2, highest + 3)
    );
    let written = new.analyst(three).post("/ip/add", &json!({"ip": "203.0.113.101"})).expect(200);
    new.wait_applied(written.index());
    let sighted = new.analyst(two).get("/ip/203.0.113.101?fields=sighting").expect(200).json();
    assert_eq!(sighted, json!([{"sighting": 1}]));
    new.analyst(two).post("/ip/add", &json!({"ip": "10.0.0.1"})).expect(201);
    new.analyst(two).post("/ip/add", &json!({"ip": "203.0.113.5"})).expect(409);
    new.nodes[one].kill();
    new.leader();
    new.analyst(two).post("/ip/add", &json!({"ip": "203.0.113.104"})).expect(201);
    new.nodes[one].start_ready();
    new.same_list_everywhere();

    // The one under load is a whole list too.
    let mut under_load = TestCluster::empty();
    let only = under_load.prepare(&[]);
    copy_directory(&early_data, &under_load.nodes[only].data()).unwrap();
    under_load.nodes[only].start_ready();
    for number in 0..5 {
        under_load.analyst(only).get(&format!("/ip/192.0.2.{number}")).expect(200);
    }
}

#[test]
fn what_is_no_whole_backup_is_refused_and_leaves_nothing_behind() {
    let mut cluster = TestCluster::start(1);
    cluster.register("operator", "admin");
    for number in 0..50 {
        cluster.analyst(0).post("/ip/add", &json!({"ip": format!("192.0.2.{number}")})).expect(201);
    }
    let cli = Cli::of(&cluster.nodes[0], "operator");
    let home = cluster.nodes[0].data().parent().unwrap().to_path_buf();
    let whole = home.join("whole");
    cli.run(&["backup", whole.to_str().unwrap()]).expect(0);
    let bytes = fs::read(&whole).unwrap();
    let (bad, data) = (home.join("bad"), home.join("restored"));

    let refused = |content: &[u8], words: &[&str]| {
        fs::write(&bad, content).unwrap();
        let told = restore(&cli, &bad, &data).expect(2);
        assert!(words.iter().any(|words| told.errors.contains(words)), "{told:?}");
        assert!(!data.exists(), "nothing is made");
    };
    let damaged = ["the backup is damaged or cut short", "this is no backup of Stockade"];
    for part in 0..20 {
        let at = bytes.len() * part / 20;
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x20;
        refused(&flipped, &damaged);
        refused(&bytes[..at], &damaged);
    }
    refused(&bytes[..bytes.len() - 1], &damaged);
    refused(&[&bytes[..], b"x"].concat(), &damaged);
    refused(b"192.0.2.1\n192.0.2.2\n", &["this is no backup of Stockade"]);
    let missing = restore(&cli, &home.join("nowhere"), &data).expect(2);
    assert!(missing.errors.contains("nowhere"), "{missing:?}");

    // Never over another node's data, nor over anybody's files.
    let full = restore(&cli, &whole, &cluster.nodes[0].data()).expect(2);
    assert!(full.errors.contains("is not empty; nothing was changed"), "{full:?}");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("letter"), "dear").unwrap();
    restore(&cli, &whole, &data).expect(2);
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1);

    // A restore that did not come to its end leaves no node.
    let number = cluster.prepare(&[]);
    let half = cluster.nodes[number].data();
    restore(&cli, &whole, &half).expect(0);
    fs::remove_file(half.join("identity")).unwrap();
    fs::write(half.join("restoring"), "").unwrap();
    cluster.nodes[number].start();
    assert_eq!(cluster.nodes[number].wait_ended(Duration::from_secs(30)).code(), Some(2));
    assert!(cluster.nodes[number].log().contains("a backup was being restored here and is not whole"));

    // Who may take one, and what stays when none can be had.
    let node = &cluster.nodes[0];
    node.anonymous().get("/admin/backup").expect(401);
    cluster.analyst(0).get("/admin/backup").expect(403);
    let answer = node.operator().get("/admin/backup").expect(200);
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
    assert!(answer.index() > 50);
    assert!(!answer.body.windows(8).any(|bytes| bytes == b"SecretPW"), "no password is in it");
    let kept = fs::read(&whole).unwrap();
    Cli::of(node, "nobody")
        .command(&["backup", whole.to_str().unwrap()])
        .env_remove("REGISTRATION_TOKEN")
        .output()
        .unwrap();
    cluster.nodes[0].kill();
    let gone = cli.run(&["backup", whole.to_str().unwrap()]).expect(2);
    assert!(!gone.errors.is_empty());
    assert_eq!(fs::read(&whole).unwrap(), kept, "the last one is still there");
    assert!(!home.join("whole.partial").exists());
    for command in ["backup", "restore"] {
        let help = cli.run(&[command, "--help"]).expect(0);
        assert!(help.output.contains("FILE"), "{help:?}");
    }
}
