//! The files of `deploy/sensors`, run as they are: by dash, by the real programs, and with the exact words that OSSEC
//! and Wazuh send.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use stockade_tests::{PASSWORD, Sensor, TestCluster, run, wait_for};

const WITHIN: Duration = Duration::from_secs(20);

fn urls(cluster: &TestCluster) -> Vec<String> {
    cluster.nodes.iter().map(stockade_tests::Node::url).collect()
}

/// A cluster, and a sensor that knows all its nodes.
fn scene(nodes: usize) -> (TestCluster, Sensor) {
    let cluster = TestCluster::start(nodes);
    cluster.register("sensor", "sensor");
    let sensor = Sensor::new(&urls(&cluster), "sensor");
    (cluster, sensor)
}

/// The entry of an address, or null.
fn entry(cluster: &TestCluster, node: usize, value: &str) -> Value {
    let path = format!("/ip/{value}?fields=value,comment,source,sighting,expires");
    let answer = cluster.analyst(node).get(&path);
    if answer.status == 404 { Value::Null } else { answer.expect(200).json()[0].clone() }
}

#[track_caller]
fn wait_listed(cluster: &TestCluster, value: &str) -> Value {
    wait_for(&format!("{value} is listed"), WITHIN, || {
        Some(entry(cluster, 0, value)).filter(|entry| !entry.is_null())
    })
}

#[track_caller]
fn wait_gone(cluster: &TestCluster, value: &str) {
    wait_for(&format!("{value} is withdrawn"), WITHIN, || entry(cluster, 0, value).is_null().then_some(()));
}

#[test]
fn a_report_is_sent_once_and_withdrawn() {
    let (cluster, sensor) = scene(1);
    let hostile = "5 \"failures\"\n\\ of $(reboot) `x` \u{e9}";
    let add = |id: &str| {
        let words =
            ["-s", "web01", "-c", hostile, "-t", "600", "-S", "1795499882.5", "-i", id, "add", "203.0.113.9"];
        sensor.report(&words).expect(0)
    };
    add("event 1");
    let seen = entry(&cluster, 0, "203.0.113.9");
    assert_eq!(seen["source"], "web01");
    assert_eq!(seen["comment"], "5 \"failures\" \\ of $(reboot) `x` ??");
    assert_eq!(seen["sighting"], 0);
    assert!(seen["expires"].is_string(), "{seen}");

    // The same event is counted once, another one once more; a key that was used for something else says so.
    add("event 1");
    assert_eq!(entry(&cluster, 0, "203.0.113.9")["sighting"], 0);
    add("event 2");
    assert_eq!(entry(&cluster, 0, "203.0.113.9")["sighting"], 1);
    sensor.report(&["-i", "event 1", "-c", "told otherwise", "add", "203.0.113.9"]).expect(0);
    assert_eq!(entry(&cluster, 0, "203.0.113.9")["sighting"], 1);

    sensor.report(&["delete", "203.0.113.9"]).expect(0);
    assert!(entry(&cluster, 0, "203.0.113.9").is_null());
    sensor.report(&["delete", "203.0.113.9"]).expect(0);
    sensor.report(&["-k", "domain", "-c", "phishing", "add", "evil.example"]).expect(0);
    cluster.analyst(0).get("/domain/evil.example").expect(200);
    assert_eq!(sensor.waiting(), 0);
}

#[test]
fn what_is_refused_is_said_and_not_kept() {
    let (cluster, sensor) = scene(1);
    for wrong in ["127.0.0.1", "203.0.113.256", "-x", "\"", "198.51.0.0/16"] {
        let said = sensor.report(&["--", "add", wrong]).expect(1);
        assert!(said.errors.contains("refused"), "{wrong}: {said:?}");
    }
    assert_eq!(sensor.waiting(), 0);
    for words in [&["add"][..], &["frobnicate", "203.0.113.9"], &["-k", "fruit", "add", "apple"], &[]] {
        sensor.report(words).expect(2);
    }

    // The settings hold a password.
    fs::set_permissions(sensor.config(), Permissions::from_mode(0o640)).unwrap();
    let said = sensor.report(&["add", "203.0.113.9"]).expect(2);
    assert!(said.errors.contains("chmod 600"), "{said:?}");
    fs::set_permissions(sensor.config(), Permissions::from_mode(0o600)).unwrap();

    // A wrong password can be put right: the report waits for that.
    sensor.configure(&urls(&cluster), "nobody", "");
    let said = sensor.report(&["add", "203.0.113.9"]).expect(0);
    assert!(said.errors.contains("401"), "{said:?}");
    assert_eq!(sensor.waiting(), 1);
    sensor.configure(&urls(&cluster), "sensor", "");
    sensor.report(&["flush"]).expect(0);
    wait_listed(&cluster, "203.0.113.9");
}

#[test]
fn the_process_list_shows_no_password() {
    let (cluster, sensor) = scene(1);
    // A curl that writes down its words, as `ps` would show them.
    let folder = sensor.path().join("bin");
    fs::create_dir(&folder).unwrap();
    let curl = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" >> '{}/words'\nexec /usr/bin/curl \"$@\"\n",
        folder.display()
    );
    fs::write(folder.join("curl"), curl).unwrap();
    fs::set_permissions(folder.join("curl"), Permissions::from_mode(0o755)).unwrap();
    let mut command = sensor.command("dash");
    command.arg(Sensor::file("stockade-report")).args(["add", "203.0.113.9"]);
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    run(command, "").expect(0);
    wait_listed(&cluster, "203.0.113.9");
    let words = fs::read_to_string(folder.join("words")).unwrap();
    assert!(words.contains("/ip/add") && !words.contains(PASSWORD), "{words}");
}

#[test]
fn reports_outlive_nodes_that_are_down() {
    let (mut cluster, sensor) = scene(3);
    let lost = cluster.followers()[0];
    cluster.nodes[lost].kill();
    let mut order = urls(&cluster);
    order.swap(0, lost);
    sensor.configure(&order, "sensor", "");
    sensor.report(&["add", "203.0.113.1"]).expect(0);
    assert_eq!(sensor.waiting(), 0);

    // Nobody answers: everything waits, in its order.
    for number in cluster.running() {
        cluster.nodes[number].kill();
    }
    sensor.configure(&order, "sensor", "ROUNDS=1");
    for words in [
        &["-i", "e1", "-c", "kept", "add", "203.0.113.2"][..],
        &["add", "203.0.113.3"],
        &["delete", "203.0.113.3"],
        &["-i", "e1", "-c", "kept", "add", "203.0.113.2"],
    ] {
        let said = sensor.report(words).expect(0);
        assert!(said.errors.contains("kept"), "{said:?}");
    }
    assert_eq!(sensor.waiting(), 4);

    // They are back: the next report takes the others along.
    for node in &mut cluster.nodes {
        node.start();
    }
    for node in &mut cluster.nodes {
        node.wait_ready();
    }
    sensor.report(&["add", "203.0.113.4"]).expect(0);
    wait_for("the spool is empty", WITHIN, || {
        sensor.report(&["flush"]).expect(0);
        (sensor.waiting() == 0).then_some(())
    });
    for (value, sighting) in [("203.0.113.1", 0), ("203.0.113.2", 0), ("203.0.113.4", 0)] {
        assert_eq!(wait_listed(&cluster, value)["sighting"], sighting, "{value}");
    }
    wait_gone(&cluster, "203.0.113.3");
    cluster.same_list_everywhere();
}

#[test]
fn without_a_majority_a_report_is_taken_and_a_withdrawal_waits() {
    let mut cluster = TestCluster::start_with(3, &["--write-timeout", "2", "--accept-after", "1"]);
    cluster.register("sensor", "sensor");
    let left = cluster.followers()[0];
    let sensor = Sensor::new(&[cluster.nodes[left].url()], "sensor");
    sensor.configure(&[cluster.nodes[left].url()], "sensor", "ROUNDS=1");
    sensor.report(&["add", "203.0.113.20"]).expect(0);
    for number in (0..3).filter(|number| *number != left) {
        cluster.nodes[number].kill();
    }
    // Accepted (202) is sent. What has to wait holds up nothing but what is said of the same value.
    let said = sensor.report(&["delete", "203.0.113.20"]).expect(0);
    assert!(said.errors.contains("503"), "{said:?}");
    sensor.report(&["add", "203.0.113.21"]).expect(0);
    sensor.report(&["add", "203.0.113.20"]).expect(0);
    assert_eq!(sensor.waiting(), 2);
    assert_eq!(entry(&cluster, left, "203.0.113.21")["sighting"], 0);

    for number in (0..3).filter(|number| *number != left) {
        cluster.nodes[number].start_ready();
    }
    wait_for("the spool is empty", WITHIN, || {
        sensor.report(&["flush"]).expect(0);
        (sensor.waiting() == 0).then_some(())
    });
    // Withdrawn, and reported again: in that order it is new.
    assert_eq!(wait_listed(&cluster, "203.0.113.20")["sighting"], 0);
    wait_listed(&cluster, "203.0.113.21");
}

#[test]
fn the_spool_is_bounded_and_many_may_report_at_once() {
    let (cluster, sensor) = scene(1);
    sensor.configure(&["http://127.0.0.1:9".into()], "sensor", "SPOOL_MAX=3\nROUNDS=1");
    for host in 1..=5 {
        sensor.report(&["add", &format!("203.0.113.{host}")]).expect(0);
    }
    assert_eq!(sensor.waiting(), 3);
    // A lock whose holder is gone is none.
    std::os::unix::fs::symlink("999999999", sensor.spool().join("lock")).unwrap();

    sensor.configure(&urls(&cluster), "sensor", "");
    let running: Vec<Child> = (1..=20)
        .map(|host| {
            let mut command = sensor.command("dash");
            command.arg(Sensor::file("stockade-report")).args(["add", &format!("198.51.100.{host}")]);
            command.stdin(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in running {
        assert!(child.wait().unwrap().success());
    }
    sensor.report(&["flush"]).expect(0);
    assert_eq!(sensor.waiting(), 0);
    let list = cluster.analyst(0).get("/ip/all?fields=value,sighting&format=csv&header=0").expect(200);
    assert_eq!(list.text().lines().filter(|line| line.ends_with(",0")).count(), 23, "{}", list.text());
    cluster.analyst(0).get("/ip/203.0.113.2").expect(404);
}

#[test]
fn ossec_adds_and_deletes() {
    let (cluster, sensor) = scene(1);
    let script = |words: &[&str]| {
        let mut command = sensor.command("dash");
        command.arg(Sensor::file("ossec/stockade.sh")).args(words);
        run(command, "")
    };
    let words = ["-", "203.0.113.71", "1625292673.1234", "100402", "(web01) 10.0.0.9->/var/log/auth.log"];
    let add = [&["add"][..], &words].concat();
    script(&add).expect(0);
    script(&add).expect(0);
    let seen = entry(&cluster, 0, "203.0.113.71");
    assert_eq!(seen["sighting"], 0, "an alert counts once");
    assert!(seen["comment"].as_str().unwrap().starts_with("OSSEC rule 100402 on (web01)"), "{seen}");
    assert!(seen["source"].as_str().unwrap().starts_with("ossec/"), "{seen}");
    script(&[&["delete"][..], &words].concat()).expect(0);
    assert!(entry(&cluster, 0, "203.0.113.71").is_null());
    // An alert without an address, and a word that is none of OSSEC's.
    script(&["add", "-", "-", "1625292673.1235", "5712"]).expect(0);
    script(&["status"]).expect(1);
}

/// Runs Wazuh's script as execd does: a line, the answer to its question, and the pipe stays open.
fn wazuh(sensor: &Sensor, event: &Value, verdict: Option<&str>) -> Option<Value> {
    let mut command = sensor.command("python3");
    command.arg("-B").arg(Sensor::file("wazuh/stockade.py"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{event}").unwrap();
    let mut asked = None;
    if let Some(verdict) = verdict {
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        asked = Some(serde_json::from_str(&line).unwrap());
        let origin = json!({"name": "node01", "module": "wazuh-execd"});
        writeln!(input, "{}", json!({"version": 1, "origin": origin, "command": verdict, "parameters": {}}))
            .unwrap();
    }
    assert!(child.wait().unwrap().success());
    asked
}

#[test]
fn wazuh_4_asks_whether_to_go_on_and_wazuh_5_does_not() {
    let (cluster, sensor) = scene(1);
    let event = |command: &str, id: &str| {
        json!({"version": 1, "origin": {"name": "worker01", "module": "wazuh-execd"}, "command": command,
            "parameters": {"extra_args": [], "program": "active-response/bin/stockade.py", "alert": {
                "timestamp": "2026-11-24T05:00:00.000+0000", "id": id, "rule": {"id": "5763", "level": 10},
                "agent": {"id": "003", "name": "web01"}, "data": {"srcip": "203.0.113.71", "srcuser": "root"}}}})
    };
    let asked = wazuh(&sensor, &event("add", "1.1"), Some("continue")).unwrap();
    assert_eq!(asked["command"], "check_keys");
    assert_eq!(asked["origin"], json!({"name": "stockade.py", "module": "active-response"}));
    assert_eq!(asked["parameters"]["keys"], json!(["203.0.113.71"]));
    assert_eq!(entry(&cluster, 0, "203.0.113.71")["comment"], "Wazuh rule 5763 on web01");
    wazuh(&sensor, &event("add", "1.2"), Some("abort"));
    assert_eq!(entry(&cluster, 0, "203.0.113.71")["sighting"], 0);
    wazuh(&sensor, &event("delete", "1.1"), None);
    assert!(entry(&cluster, 0, "203.0.113.71").is_null());

    let event = |command: &str| {
        json!({"wazuh": {"active_response": {"name": "stockade", "executable": "stockade.py", "location": "local",
                "agent_id": "003", "type": "stateful", "stateful_timeout": 600}, "agent": {"name": "web02"}},
            "source": {"ip": "203.0.113.72"}, "user": {"name": "root"}, "command": command})
    };
    wazuh(&sensor, &event("enable"), None);
    assert_eq!(entry(&cluster, 0, "203.0.113.72")["comment"], "Wazuh on web02");
    wazuh(&sensor, &event("disable"), None);
    assert!(entry(&cluster, 0, "203.0.113.72").is_null());
}

/// Ends a program of a story with it.
struct Ends<'a>(&'a mut dyn FnMut());

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn fail2ban_bans_and_unbans() {
    let (cluster, sensor) = scene(1);
    let at = |name: &str| sensor.path().join(name);
    for folder in ["action.d", "filter.d"] {
        fs::create_dir(at(folder)).unwrap();
    }
    fs::copy(Sensor::file("fail2ban/stockade.conf"), at("action.d/stockade.conf")).unwrap();
    fs::write(at("filter.d/story.conf"), "[Definition]\nfailregex = fail from <HOST>$\n").unwrap();
    fs::write(at("auth.log"), "").unwrap();
    let jail = format!(
        "[story]\nenabled = true\nbackend = polling\nfilter = story\nlogpath = {}\nmaxretry = 2\nbantime = 600\n\
         usedns = no\naction = stockade[report={}]\n",
        at("auth.log").display(),
        Sensor::file("stockade-report").display()
    );
    fs::write(at("jail.conf"), jail).unwrap();
    let here = |name: &str| at(name).display().to_string();
    let definition = format!(
        "[Definition]\nloglevel = INFO\nlogtarget = {}\nsyslogsocket = auto\nsocket = {}\npidfile = {}\n\
         dbfile = {}\ndbpurgeage = 1d\n",
        here("f.log"),
        here("s.sock"),
        here("s.pid"),
        here("f.sqlite3")
    );
    fs::write(at("fail2ban.conf"), definition).unwrap();
    let client = |words: &[&str]| {
        let mut command = sensor.command("fail2ban-client");
        command.args(["-c", &here("."), "-s", &here("s.sock"), "-p", &here("s.pid")]).args(words);
        run(command, "")
    };
    client(&["-b", "start"]).expect(0);
    let mut stop = || drop(client(&["stop"]));
    let _ends = Ends(&mut stop);

    // By its own filter, on lines of a log; then by hand, IPv6 too.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let lines = format!("{now} fail from 203.0.113.80\n{now} fail from 203.0.113.80\n");
    fs::write(at("auth.log"), lines).unwrap();
    let seen = wait_listed(&cluster, "203.0.113.80");
    assert_eq!(seen["comment"], "fail2ban story, 2 failures");
    assert!(seen["source"].as_str().unwrap().starts_with("fail2ban/"), "{seen}");
    assert!(seen["expires"].is_string(), "{seen}");
    client(&["set", "story", "banip", "2001:db8::80", "203.0.113.81"]).expect(0);
    wait_listed(&cluster, "2001:db8::80");
    wait_listed(&cluster, "203.0.113.81");
    client(&["set", "story", "unbanip", "203.0.113.81"]).expect(0);
    wait_gone(&cluster, "203.0.113.81");

    // A restart takes nothing back, and reports nothing twice.
    client(&["stop"]).expect(0);
    wait_for("fail2ban has ended", WITHIN, || (!at("s.sock").exists()).then_some(()));
    client(&["-b", "start"]).expect(0);
    wait_for("fail2ban has its bans again", WITHIN, || {
        client(&["status", "story"]).output.contains("203.0.113.80").then_some(())
    });
    assert_eq!(entry(&cluster, 0, "203.0.113.80")["sighting"], 0);
    assert_eq!(entry(&cluster, 0, "2001:db8::80")["sighting"], 0);
}

#[test]
fn sshguard_blocks_and_releases() {
    let (cluster, sensor) = scene(1);
    let backend = Sensor::file("sshguard/stockade-sshguard");
    let mut command = sensor.command("dash");
    command.arg(&backend).env("STOCKADE_NEXT", "/bin/cat");
    let lines = "flushonexit\nblock 203.0.113.90 4 32\nblock 198.51.100.0 4 24\nblock 2001:db8::90 6 128\n\
                 block 203.0.113.91 4 32\nrelease 203.0.113.91 4 32\nflush\n";
    let said = run(command, lines).expect(0);
    assert_eq!(
        said.output.lines().nth(1),
        Some("block 203.0.113.90 4 32"),
        "the firewall here gets all of it"
    );
    let list = cluster.analyst(0).get("/ip/all?format=txt").expect(200);
    assert_eq!(list.text(), "198.51.100.0/24\n203.0.113.90\n2001:db8::90\n");

    // The real parser and blocker: lines of a log in, one block out.
    let pieces = Path::new("/usr/libexec/sshguard");
    let script = format!(
        "'{0}/sshg-parser' | '{0}/sshg-blocker' -a 30 -p 120 -s 1800 -n 32 -N 128 | dash '{1}'",
        pieces.display(),
        backend.display()
    );
    let mut command = sensor.command("sh");
    command.args(["-c", &script]);
    let line =
        "Nov 24 05:00:00 web01 sshd[1234]: Failed password for root from 203.0.113.99 port 4711 ssh2\n";
    let said = run(command, &line.repeat(5));
    wait_listed(&cluster, "203.0.113.99");
    assert_eq!(entry(&cluster, 0, "203.0.113.99")["comment"], "sshguard", "{said:?}");
}

/// A program of a story that ends with it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn rsyslog_reports_failed_logins() {
    let (cluster, sensor) = scene(1);
    let at = |name: &str| sensor.path().join(name).display().to_string();
    let rules = fs::read_to_string(Sensor::file("rsyslog/stockade.conf")).unwrap();
    let rules = rules.replace(
        "/usr/local/libexec/stockade-rsyslog",
        &Sensor::file("rsyslog/stockade-rsyslog").display().to_string(),
    );
    let conf = format!(
        "global(workDirectory=\"{}\")\nmodule(load=\"imfile\" mode=\"polling\" pollingInterval=\"1\")\n\
         input(type=\"imfile\" File=\"{}\" Tag=\"sshd\")\n{rules}",
        at("."),
        at("auth.log")
    );
    fs::write(at("r.conf"), conf).unwrap();
    let line = |host: u8| format!("Failed password for root from 203.0.113.{host} port 4711 ssh2\n");
    fs::write(
        at("auth.log"),
        line(60) + "Accepted password for root from 203.0.113.62 port 4711 ssh2\n" + &line(61),
    )
    .unwrap();
    let mut command: Command = sensor.command("rsyslogd");
    command.args(["-n", "-f", &at("r.conf"), "-i", &at("r.pid")]);
    let _running = Running(command.stdin(Stdio::null()).spawn().unwrap());
    wait_listed(&cluster, "203.0.113.61");
    assert!(wait_listed(&cluster, "203.0.113.60")["source"].as_str().unwrap().starts_with("syslog/"));
    assert!(entry(&cluster, 0, "203.0.113.62").is_null());
}

#[test]
fn cortex_blocks_unblocks_and_says_why_not() {
    let (cluster, sensor) = scene(1);
    let made = cluster.analyst(0).post("/user/analyst/tokens", &json!({"name": "cortex"})).expect(201);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let respond = |service: &str, kind: &str, data: &str, code: i32| {
        let job = json!({"dataType": "thehive:case_artifact", "tlp": 2, "pap": 2, "parameters": {},
            "data": {"dataType": kind, "data": data, "tlp": 2, "pap": 2, "tags": ["c2"],
                "case": {"caseId": 7, "title": "Phishing \"x\""}},
            "config": {"service": service, "token": token, "urls": ["http://127.0.0.1:9", cluster.nodes[0].url()]}});
        let mut command = sensor.command("python3");
        command.arg("-B").arg(Sensor::file("cortex/stockade.py"));
        let told: Value = serde_json::from_str(&run(command, &job.to_string()).expect(code).output).unwrap();
        told
    };
    let told = respond("block", "ip", "203.0.113.40", 0);
    assert_eq!(
        told["operations"][0],
        json!({"type": "AddTagToArtifact", "tag": "stockade:blocked"}),
        "{told}"
    );
    let seen = entry(&cluster, 0, "203.0.113.40");
    assert_eq!(
        (&seen["comment"], &seen["source"]),
        (&json!("TheHive case 7 Phishing \"x\""), &json!("thehive"))
    );
    respond("block", "fqdn", "evil.example", 0);
    cluster.analyst(0).get("/domain/evil.example").expect(200);
    respond("unblock", "ip", "203.0.113.40", 0);
    assert!(entry(&cluster, 0, "203.0.113.40").is_null());
    let told = respond("block", "ip", "127.0.0.1", 1);
    assert!(told["errorMessage"].as_str().unwrap().contains("127.0.0.1"), "{told}");
    respond("block", "filename", "x.exe", 1);
}

#[test]
fn the_hooks_that_come_with_it_read_what_their_programs_send() {
    let (cluster, _sensor) = scene(1);
    let client = cluster.client(0, "sensor");
    let crowdsec = json!([{"machine_id": "web01", "scenario": "crowdsecurity/ssh-bf", "source": {"ip": "203.0.113.30",
        "scope": "Ip", "value": "203.0.113.30"}, "decisions": [
            {"duration": "3h59m59.5s", "origin": "crowdsec", "scope": "Ip", "type": "ban", "value": "203.0.113.30"},
            {"duration": "4h", "origin": "crowdsec", "scope": "Country", "type": "ban", "value": "XX"}]}]);
    let thehive = json!({"action": "create", "objectType": "Observable", "organisation": {"name": "soc"},
        "object": {"dataType": "ip", "data": "203.0.113.31", "ioc": true, "message": null}});
    for (name, event, value) in [("crowdsec", crowdsec, "203.0.113.30"), ("thehive", thehive, "203.0.113.31")]
    {
        let mapping = fs::read(Sensor::file(&format!("{name}/hook.json"))).unwrap();
        let put = cluster.nodes[0].operator().request("PUT", &format!("/admin/hooks/{name}"));
        put.body("application/json", mapping).send().expect(200);
        let told = client.post(&format!("/hook/{name}"), &event).expect(200).json();
        assert_eq!((&told["added"], &told["refused_total"]), (&json!(1), &json!(0)), "{name}: {told}");
        let source = entry(&cluster, 0, value)["source"].as_str().unwrap().to_owned();
        assert!(source.starts_with(&format!("{name}/")), "{source}");
    }
    assert!(entry(&cluster, 0, "203.0.113.30")["expires"].is_string());
}

#[test]
fn suricata_reports_the_far_end() {
    let (cluster, sensor) = scene(1);
    let at = |name: &str| sensor.path().join(name).display().to_string();
    let alert = |from: &str, to: &str, signature: u64, severity: u64| {
        json!({"timestamp": "2026-11-24T05:00:00.000000+0000", "flow_id": 77, "event_type": "alert", "src_ip": from,
            "dest_ip": to, "src_port": 4711, "dest_port": 22, "proto": "TCP", "flow": {}, "direction": "to_server",
            "alert": {"action": "allowed", "gid": 1, "signature_id": signature, "rev": 1, "category": "x",
                "signature": "ET SCAN \"quoted\"", "severity": severity}})
    };
    let ours = "192.0.2.7";
    let events = [
        alert("203.0.113.50", ours, 2_001, 2),
        alert("203.0.113.50", ours, 2_001, 2),
        alert(ours, "203.0.113.51", 2_002, 1),
        alert(ours, "192.0.2.8", 2_003, 1),
        alert("203.0.113.52", ours, 2_004, 3),
        json!({"event_type": "flow", "src_ip": "203.0.113.53", "dest_ip": ours}),
        json!(["garbage"]),
    ];
    let text: String = events.iter().map(|event| format!("{event}\n")).collect();
    fs::write(at("eve.json"), format!("{text}no json\n{}", events[0])).unwrap();
    let follow = || {
        let mut command = sensor.command("python3");
        command.arg("-B").arg(Sensor::file("suricata/stockade-suricata"));
        command.args(["--home", "192.0.2.0/24", "--once", "--state", &at("state"), &at("eve.json")]);
        run(command, "").expect(0);
    };
    follow();
    let list =
        cluster.analyst(0).get("/ip/all?fields=value,sighting,comment&format=csv&header=0").expect(200);
    assert_eq!(
        list.text(),
        "203.0.113.50,0,\"Suricata 2001: ET SCAN \"\"quoted\"\"\"\n\
         203.0.113.51,0,\"Suricata 2002: ET SCAN \"\"quoted\"\"\"\n"
    );
    // What was read is not read again; what comes later is.
    let more = alert("203.0.113.54", ours, 2_005, 1);
    fs::OpenOptions::new()
        .append(true)
        .open(at("eve.json"))
        .unwrap()
        .write_all(format!("\n{more}\n").as_bytes())
        .unwrap();
    follow();
    wait_listed(&cluster, "203.0.113.54");
    assert_eq!(entry(&cluster, 0, "203.0.113.51")["sighting"], 0);
}
