//! CrowdSec's bouncers: requests as they send them, and the real ones of Debian, with firewall tables of their own.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use stockade_tests::{Answer, Client, Enclosed, TestCluster, send_raw, wait_for, workspace};

/// A poll of one second, and what the machine has to do besides.
const SOON: Duration = Duration::from_secs(10);
const STREAM: &str = "/v1/decisions/stream";

/// An API token of the analyst's, known on every node.
#[track_caller]
fn token(cluster: &TestCluster, name: &str) -> String {
    let made = cluster.analyst(0).post("/user/analyst/tokens", &json!({"name": name})).expect(201);
    cluster.wait_applied(made.index());
    made.json()["token"].as_str().unwrap().to_owned()
}

/// A bouncer without its firewall.
struct Bouncer {
    client: Client,
    agent: &'static str,
}

impl Bouncer {
    fn new(cluster: &TestCluster, number: usize, token: &str, agent: &'static str) -> Bouncer {
        let client = cluster.nodes[number].anonymous().header_identity("x-api-key", token.to_owned());
        Bouncer { client, agent }
    }

    fn ask(&self, method: &str, path: &str) -> Answer {
        let request = self.client.request(method, path);
        request.header("user-agent", self.agent).header("accept-encoding", "gzip").send()
    }

    /// The new values and the ended ones, each of which has all that a bouncer needs.
    #[track_caller]
    fn pull(&self, path: &str) -> (Vec<String>, Vec<String>) {
        let answer = self.ask("GET", path).expect(200);
        let body = answer.json();
        let values = |name: &str| {
            let decisions = body[name].as_array().unwrap_or_else(|| panic!("no `{name}` in {body}"));
            decisions.iter().map(|decision| value_of(decision, name == "deleted")).collect()
        };
        (values("new"), values("deleted"))
    }
}

#[track_caller]
fn value_of(decision: &Value, ended: bool) -> String {
    assert!(decision["id"].as_i64().is_some(), "an id that fits 64 signed bits: {decision}");
    let text = |name: &str| decision[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {decision}"));
    assert_eq!((text("origin"), text("type")), ("stockade", "ban"), "{decision}");
    assert!(!text("scenario").is_empty(), "{decision}");
    let value = text("value");
    assert_eq!(text("scope"), if value.contains('/') { "Range" } else { "Ip" }, "{decision}");
    assert!(text("duration").ends_with('s') && text("duration").starts_with('-') == ended, "{decision}");
    value.to_owned()
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn a_bouncer_hears_of_each_change_twice_and_of_everything_on_a_node_that_does_not_know_it() {
    let cluster = TestCluster::start(2);
    let key = token(&cluster, "php");
    let analyst = cluster.analyst(0);
    let nothing = texts(&[]);
    analyst.post("/ip/add", &json!([{"ip": "192.0.2.1", "comment": "ssh"}, {"ip": "198.51.100.0/24"}]));
    let both = texts(&["198.51.100.0/24", "192.0.2.1"]);

    // At the root and under a prefix, each a cursor of its own.
    for prefix in ["", "/crowdsec", "/crowdsec/ranges"] {
        let bouncer = Bouncer::new(&cluster, 0, &key, "crowdsec-php-bouncer/v1.0");
        let stream = format!("{prefix}{STREAM}");
        assert_eq!(bouncer.pull(&format!("{stream}?startup=true&scopes=Ip%2CRange")), (both.clone(), vec![]));
        assert_eq!(
            bouncer.pull(&format!("{stream}?scopes=Ip%2CRange")),
            (nothing.clone(), vec![]),
            "{stream}"
        );
    }

    let bouncer = Bouncer::new(&cluster, 0, &key, "crowdsec-custom-bouncer/-");
    assert_eq!(bouncer.pull(&format!("{STREAM}?startup=true")).0, both);
    analyst.post("/ip/delete", &json!({"ip": "192.0.2.1"})).expect(200);
    let added = analyst.post("/ip/add", &json!({"ip": "2001:db8::1", "ttl": 60})).expect(201).index();
    let change = (texts(&["2001:db8::1"]), texts(&["192.0.2.1"]));
    assert!(bouncer.ask("HEAD", STREAM).expect(200).body.is_empty(), "this moves no cursor");
    assert_eq!(bouncer.pull(&format!("{STREAM}?")), change, "as Go writes an empty query");
    assert_eq!(bouncer.pull(STREAM), change, "once more: the answer may have been lost");
    assert_eq!(bouncer.pull(STREAM), (vec![], vec![]));

    // Another node gives everything, until it knows the bouncer.
    cluster.wait_applied(added);
    let elsewhere = Bouncer::new(&cluster, 1, &key, "crowdsec-custom-bouncer/-");
    let everything = (texts(&["198.51.100.0/24", "2001:db8::1"]), texts(&["192.0.2.1"]));
    assert_eq!(elsewhere.pull(STREAM), everything);
    assert_eq!(elsewhere.pull(STREAM), everything, "once more, as it has not asked for it");
    assert_eq!(elsewhere.pull(STREAM), (vec![], vec![]));

    // What is allowed ends, and comes back.
    analyst.post("/allow/add", &json!({"ip": "198.51.100.0/25", "comment": "mail"})).expect(201);
    assert_eq!(bouncer.pull(STREAM), (texts(&["198.51.100.128/25"]), texts(&["198.51.100.0/24"])));
    analyst.post("/allow/delete", &json!({"ip": "198.51.100.0/25"})).expect(200);
    assert_eq!(bouncer.pull(STREAM), (texts(&["198.51.100.0/24"]), texts(&["198.51.100.128/25"])));

    // The firewall bouncer gets addresses, unless it says that it takes networks.
    let firewall = Bouncer::new(&cluster, 0, &key, "crowdsec-firewall-bouncer/-");
    let (new, _) = firewall.pull(&format!("{STREAM}?startup=true"));
    assert_eq!((new.len(), &*new[0], &*new[255]), (257, "198.51.100.0", "198.51.100.255"));
    let (new, _) = firewall.pull(&format!("/crowdsec/ranges{STREAM}?startup=true"));
    assert_eq!(new, texts(&["198.51.100.0/24", "2001:db8::1"]));
}

#[test]
fn live_questions_errors_and_figures_are_as_bouncers_expect_them() {
    let cluster = TestCluster::start(1);
    let key = token(&cluster, "nginx");
    let listed = json!([{"ip": "198.51.100.0/24"}, {"ip": "198.51.100.7"}]);
    cluster.wait_rest();
    let index = cluster.analyst(0).post("/ip/add", &listed).expect(200).index();
    let lua = Bouncer::new(&cluster, 0, &key, "crowdsec-nginx-bouncer/v1.0.8");

    // Nothing is this word to the byte.
    for query in ["ip=203.0.113.1", "ip=198.51.100.7&type=captcha", "ip=198.51.100.7&origins=CAPI"] {
        assert_eq!(lua.ask("GET", &format!("/v1/decisions?{query}")).expect(200).body, b"null", "{query}");
    }
    let rows = [
        ("ip=198.51.100.7", &["198.51.100.7", "198.51.100.0/24"][..]),
        ("ip=198.51.100.8", &["198.51.100.0/24"]),
        ("range=198.51.100.0/25", &["198.51.100.0/24"]),
        ("range=198.51.0.0/16&contains=false", &["198.51.100.0/24", "198.51.100.7"]),
        ("", &["198.51.100.0/24", "198.51.100.7"]),
        ("limit=1&offset=1", &["198.51.100.7"]),
    ];
    for (query, expected) in rows {
        let body = lua.ask("GET", &format!("/crowdsec/v1/decisions?{query}")).expect(200).json();
        let values: Vec<String> =
            body.as_array().unwrap().iter().map(|decision| value_of(decision, false)).collect();
        assert_eq!(values, expected, "{query}");
    }

    // A message in every error: some bouncers crash without.
    let wrong = Bouncer::new(&cluster, 0, "stk_wrong", "crowdsec-firewall-bouncer/-");
    let unknown = cluster.nodes[0].anonymous();
    let rows = [
        (wrong.ask("GET", STREAM), 403),
        (wrong.ask("GET", "/v1/decisions"), 403),
        (unknown.get(STREAM), 403),
        (lua.ask("GET", "/v1/decisions?ip=notanip"), 400),
        (lua.ask("GET", "/v1/decisions/stream?ip=%ff"), 400),
        (lua.ask("DELETE", "/v1/decisions"), 405),
        (lua.ask("GET", "/v1/heartbeat"), 404),
        (lua.ask("GET", "/crowdsec/v1/alerts"), 404),
        (lua.client.request("POST", "/v1/usage-metrics").body("application/json", "{").send(), 400),
    ];
    for (answer, status) in rows {
        assert!(!answer.expect(status).message().is_empty());
    }
    assert_eq!(wrong.ask("GET", STREAM).message(), "access forbidden");

    // What it enforces is with what it fetches, on this node.
    lua.pull(&format!("{STREAM}?startup=true"));
    lua.pull(STREAM);
    let item = |family: &str, value: u32| {
        json!({"name": "dropped", "value": value, "unit": "packet",
               "labels": {"origin": "stockade", "ip_type": family}})
    };
    let usage = json!({"remediation_components": [{
        "type": "crowdsec-nginx-bouncer", "version": "v1.0.8", "os": {"name": "debian", "version": "12"},
        "feature_flags": [], "utc_startup_timestamp": 1_700_000_000,
        "metrics": [{"meta": {"window_size_seconds": 900, "utc_now_timestamp": 1_700_000_900},
                     "items": [item("ipv4", 40), item("ipv6", 2)]}],
    }], "log_processors": null});
    let post = lua.client.request("POST", "/v1/usage-metrics").header("user-agent", lua.agent);
    assert!(post.json(&usage).send().expect(201).body.is_empty());
    cluster.analyst(0).get("/ip/all?format=csv&fields=value").expect(200);
    cluster.analyst(0).get(&format!("/ip/changes?since={}", index - 1)).expect(200);
    cluster.analyst(0).get(&format!("/ip/changes?since={index}")).expect(200);

    let consumers = cluster.nodes[0].operator().get("/admin/consumers").expect(200).json();
    let consumer = |request: &str| -> Value {
        let all = consumers.as_array().unwrap();
        let found = all.iter().find(|consumer| consumer["request"] == request);
        found.unwrap_or_else(|| panic!("no `{request}` in {consumers}")).clone()
    };
    let stream = consumer(STREAM);
    let told = |name: &str| stream[name].clone();
    assert_eq!((told("account"), told("token"), told("count")), (json!("analyst"), json!("nginx"), json!(2)));
    assert_eq!((told("address"), told("user_agent")), (json!("127.0.0.1"), json!(lua.agent)));
    assert!(told("index").as_u64().unwrap() > 0 && told("last").as_str().is_some());
    let figures = json!([{"name": "dropped", "unit": "packet", "value": 42.0}]);
    assert_eq!(stream["enforced"]["figures"], figures, "{stream}");
    assert_eq!(consumer("/ip/changes")["count"], 2, "wherever it was in the list");
    let csv = consumer("/ip/all?format=csv&fields=value");
    assert!(csv.get("token").is_none() && csv.get("enforced").is_none(), "{csv}");
    assert!(!consumers.to_string().contains(&key) && !consumers.to_string().contains("stk_"));
    cluster.analyst(0).get("/admin/consumers").expect(403);
    cluster.nodes[0].operator().get("/admin/consumers?all=1").expect(400).message();

    let metrics = cluster.nodes[0].anonymous().get("/metrics").expect(200).text().to_owned();
    let line = r#"component="crowdsec-nginx-bouncer",name="dropped",unit="packet"} 42"#;
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn a_long_answer_is_packed_for_a_bouncer_that_takes_gzip() {
    let cluster = TestCluster::start(1);
    let key = token(&cluster, "go");
    let many: Vec<Value> = (0..100).map(|host| json!({"ip": format!("192.0.2.{host}")})).collect();
    cluster.analyst(0).post("/ip/add", &Value::from(many)).expect(200);
    let address = cluster.nodes[0].http_address();
    let ask = |method: &str, encoding: &str| {
        let head = format!(
            "{method} {STREAM}?startup=true HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{encoding}connection: close\r\n\r\n"
        );
        send_raw(&address, head.as_bytes()).unwrap().expect(200)
    };
    let (plain, packed) = (ask("GET", ""), ask("GET", "accept-encoding: gzip\r\n"));
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), (None, Some("gzip")));
    assert!(packed.body.starts_with(&[0x1f, 0x8b]) && packed.body.len() * 4 < plain.body.len());
    for answer in [&plain, &packed] {
        assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
        assert_eq!(answer.header("stockade-count"), Some("100"));
    }
    // The harness unpacks it.
    let bouncer = Bouncer::new(&cluster, 0, &key, "crowdsec-custom-bouncer/-");
    assert_eq!(bouncer.ask("GET", &format!("{STREAM}?startup=true")).json(), plain.json());
    // What has no body goes as it is.
    assert_eq!(ask("HEAD", "accept-encoding: gzip\r\n").header("content-encoding"), None);
}

/// A program of a Debian package that scripts/test unpacks: to install it would start it.
#[track_caller]
fn program(name: &str) -> PathBuf {
    let unpacked = workspace().join("target/test-data/bouncers/usr/bin").join(name);
    let installed = PathBuf::from("/usr/bin").join(name);
    let found = [unpacked, installed].into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("the Debian package {name} is needed; scripts/test unpacks it"))
}

/// The settings file of the Debian package, as far as it is needed.
fn settings(mode: &str, key: &str, path: &str) -> String {
    format!(
        "mode: {mode}
update_frequency: 1s
daemonize: false
log_mode: stdout
log_level: info
api_url: http://127.0.0.1:8080{path}
api_key: {key}
disable_ipv6: false
deny_action: DROP
supported_decisions_types:
  - ban
blacklists_ipv4: crowdsec-blacklists
blacklists_ipv6: crowdsec6-blacklists
ipset_type: nethash
nftables:
  ipv4: {{enabled: true, set-only: false, table: crowdsec, chain: crowdsec-chain}}
  ipv6: {{enabled: true, set-only: false, table: crowdsec6, chain: crowdsec6-chain}}
prometheus: {{enabled: false}}
"
    )
}

/// Starts the firewall bouncer behind a door to a node.
#[track_caller]
fn firewall(
    cluster: &TestCluster,
    number: usize,
    mode: &str,
    key: &str,
    path: &str,
    before: &str,
) -> Enclosed {
    let program = program("crowdsec-firewall-bouncer");
    let command = format!("{before} exec {} -c settings.yaml", program.display());
    Enclosed::start(&cluster.nodes[number].http_address(), &command, |home| {
        fs::write(home.join("settings.yaml"), settings(mode, key, path)).unwrap();
    })
}

/// What the kernel drops, of both families, with the seconds until it stops.
fn in_nftables(firewall: &Enclosed) -> Option<Vec<(String, u64)>> {
    let mut found = Vec::new();
    for set in ["ip crowdsec crowdsec-blacklists", "ip6 crowdsec6 crowdsec6-blacklists"] {
        let told = firewall.beside(&format!("PATH=$PATH:/usr/sbin nft -j list set {set}")).stdout;
        let told: Value = serde_json::from_slice(&told).ok()?;
        let set = told["nftables"].as_array()?.iter().find_map(|object| object.get("set"))?.clone();
        for element in set["elem"].as_array().into_iter().flatten() {
            let value = element["elem"]["val"].as_str()?.to_owned();
            found.push((value, element["elem"]["timeout"].as_u64()?));
        }
    }
    Some(found)
}

/// Waits until the firewall holds exactly these.
#[track_caller]
fn wait_firewall(
    firewall: &Enclosed,
    what: &str,
    now: impl Fn(&Enclosed) -> Option<Vec<(String, u64)>>,
    expected: &[&str],
) -> Vec<(String, u64)> {
    let expected: BTreeSet<&str> = expected.iter().copied().collect();
    wait_for(what, SOON, || {
        let found = now(firewall)?;
        let values: BTreeSet<&str> = found.iter().map(|(value, _)| value.as_str()).collect();
        (values == expected && values.len() == found.len()).then_some(found)
    })
}

#[test]
fn debians_firewall_bouncer_keeps_nftables_in_step_through_the_death_of_its_node() {
    let mut cluster = TestCluster::start(3);
    let key = token(&cluster, "firewall");
    let analyst = cluster.analyst(1);
    let first =
        json!([{"ip": "198.51.100.7", "comment": "ssh"}, {"ip": "198.51.101.0/30"}, {"ip": "2001:db8::7"}]);
    cluster.wait_applied(analyst.post("/ip/add", &first).expect(200).index());
    let mut bouncer = firewall(&cluster, 0, "nftables", &key, "/crowdsec/", "");
    let range = ["198.51.101.0", "198.51.101.1", "198.51.101.2", "198.51.101.3"];
    let hold = |what: &str, others: &[&str]| {
        wait_firewall(&bouncer, what, in_nftables, &[&range[..], others].concat())
    };
    hold("all that was listed before it came", &["198.51.100.7", "2001:db8::7"]);

    // Comes, goes, and is extended beyond the timeout that the kernel was given.
    analyst.post("/ip/add", &json!({"ip": "203.0.113.9", "ttl": 3600})).expect(201);
    analyst.post("/ip/delete", &json!({"ip": "198.51.100.7"})).expect(200);
    let held = hold("a new one, and one less", &["203.0.113.9", "2001:db8::7"]);
    let timeout = |held: &[(String, u64)]| held.iter().find(|(value, _)| value == "203.0.113.9").unwrap().1;
    assert_eq!(timeout(&held), 24 * 3600, "not less than a day, so that it may be extended");
    analyst.post("/ip/add", &json!({"ip": "203.0.113.9", "ttl": 180_000})).expect(200);
    wait_for("the kernel has the longer timeout", SOON, || {
        let held = in_nftables(&bouncer)?;
        (held.iter().any(|(value, timeout)| value == "203.0.113.9" && *timeout > 24 * 3600)).then_some(())
    });

    // Its node dies; another one, which has never heard of it, goes on.
    cluster.nodes[0].kill();
    let address = cluster.nodes[1].http_address();
    bouncer.lead_to(&address);
    wait_for("a majority goes on", Duration::from_secs(20), || {
        let gone = analyst.post("/ip/delete", &json!({"ip": "203.0.113.9"}));
        (gone.status == 200 || gone.status == 404).then_some(())
    });
    analyst.post("/ip/add", &json!({"ip": "198.51.100.8"})).expect(201);
    hold("what was changed meanwhile", &["198.51.100.8", "2001:db8::7"]);

    analyst.post("/allow/add", &json!({"ip": "198.51.101.2", "comment": "mail"})).expect(201);
    let allowed = ["198.51.101.0", "198.51.101.1", "198.51.101.3", "198.51.100.8", "2001:db8::7"];
    wait_firewall(&bouncer, "what is allowed is let in", in_nftables, &allowed);
    assert!(bouncer.is_running());
}

/// What an ipset holds.
fn in_ipset(firewall: &Enclosed) -> Option<Vec<(String, u64)>> {
    let saved = firewall.beside("PATH=$PATH:/usr/sbin ipset save").stdout;
    let saved = String::from_utf8(saved).ok()?;
    let added = saved.lines().filter_map(|line| line.strip_prefix("add "));
    let element = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let value = words.next()?.to_owned();
        Some((value, words.nth(1)?.parse().ok()?))
    };
    added.map(element).collect()
}

#[test]
fn debians_firewall_bouncer_takes_networks_into_an_ipset() {
    let cluster = TestCluster::start(1);
    let key = token(&cluster, "firewall");
    let analyst = cluster.analyst(0);
    // So many that the bouncer is answered in gzip.
    let many: Vec<String> = (0..60).map(|host| format!("203.0.113.{host}")).collect();
    let mut listed = vec!["198.51.100.7", "198.51.0.0/17"];
    listed.extend(many.iter().map(String::as_str));
    analyst.post("/ip/add", &listed.iter().map(|ip| json!({"ip": ip})).collect()).expect(200);
    let make = "PATH=$PATH:/usr/sbin; ipset create crowdsec-blacklists hash:net timeout 300 && \
                ipset create crowdsec6-blacklists hash:net family inet6 timeout 300 && ";
    let mut bouncer = firewall(&cluster, 0, "ipset", &key, "/crowdsec/ranges/", make);
    let held = wait_firewall(&bouncer, "networks as they are", in_ipset, &listed);
    assert!(held.iter().all(|(_, timeout)| *timeout > 595 * 3600), "as long as an ipset can: {held:?}");
    analyst.post("/ip/delete", &json!({"ip": "198.51.0.0/17"})).expect(200);
    analyst.post("/ip/add", &json!({"ip": "2001:db8::/32"})).expect(201);
    listed[1] = "2001:db8::/32";
    wait_firewall(&bouncer, "one less, one more", in_ipset, &listed);
    assert!(bouncer.is_running());
}

#[test]
fn a_small_firewall_holds_what_was_reported_last() {
    let cluster = TestCluster::start(1);
    let key = token(&cluster, "firewall");
    let analyst = cluster.analyst(0);
    let add = |ip: &str| analyst.post("/ip/add", &json!({"ip": ip}));
    for ip in ["198.51.100.1", "198.51.100.2", "198.51.100.3"] {
        add(ip).expect(201);
    }
    let make = "PATH=$PATH:/usr/sbin; ipset create crowdsec-blacklists hash:net timeout 300 maxelem 3 && \
                ipset create crowdsec6-blacklists hash:net family inet6 timeout 300 && ";
    let path = "/crowdsec/ranges/max/2/";
    let mut bouncer = firewall(&cluster, 0, "ipset", &key, path, make);
    wait_firewall(&bouncer, "the last two", in_ipset, &["198.51.100.2", "198.51.100.3"]);
    add("198.51.100.1").expect(200);
    wait_firewall(&bouncer, "it was seen again", in_ipset, &["198.51.100.1", "198.51.100.3"]);
    add("198.51.0.0/17").expect(201);
    wait_firewall(&bouncer, "a new one", in_ipset, &["198.51.100.1", "198.51.0.0/17"]);
    analyst.post("/ip/delete", &json!({"ip": "198.51.0.0/17"})).expect(200);
    wait_firewall(&bouncer, "there is room again", in_ipset, &["198.51.100.1", "198.51.100.3"]);
    assert!(bouncer.is_running());
    let none = cluster.nodes[0].anonymous().header_identity("x-api-key", key);
    none.get("/crowdsec/max/0/v1/decisions/stream").expect(400).message();
}

#[test]
fn debians_custom_bouncer_calls_its_program_for_each_ban() {
    let cluster = TestCluster::start(1);
    let key = token(&cluster, "custom");
    let analyst = cluster.analyst(0);
    analyst
        .post("/ip/add", &json!({"ip": "198.51.100.7", "comment": "it's \"bad\"; $(touch x)"}))
        .expect(201);
    let program = program("crowdsec-custom-bouncer");
    let command = format!("exec {} -c settings.yaml", program.display());
    let mut bouncer = Enclosed::start(&cluster.nodes[0].http_address(), &command, |home| {
        let script = home.join("called");
        fs::write(&script, "#!/bin/sh\nprintf '%s\\n' \"$1 $2 $3 $4\" >> calls\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let settings = format!(
            "bin_path: {}\nfeed_via_stdin: false\ntotal_retries: 0\nscenarios_containing: []\norigins: []\n\
             piddir: {}\nupdate_frequency: 1s\ncache_retention_duration: 10s\ndaemonize: false\n\
             log_mode: stdout\nlog_level: info\napi_url: http://127.0.0.1:8080/\napi_key: {key}\n\
             prometheus: {{enabled: false}}\n",
            script.display(),
            home.display()
        );
        fs::write(home.join("settings.yaml"), settings).unwrap();
    });
    let calls = || String::from_utf8(bouncer.beside("cat calls").stdout).unwrap();
    wait_for("it is called for what is listed", SOON, || {
        calls().contains("add 198.51.100.7 2145600 it's \"bad\"; $(touch x)\n").then_some(())
    });
    analyst.post("/ip/delete", &json!({"ip": "198.51.100.7"})).expect(200);
    wait_for("and for what is not any more", SOON, || calls().contains("del 198.51.100.7").then_some(()));
    assert!(bouncer.is_running());
}
