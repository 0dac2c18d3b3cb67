//! The files for programs: by the real ones, and with the exact words that OSSEC and Wazuh send.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use stockade_tests::{Running, Sensor, run, wait_for};

use super::{WITHIN, entry, scene, wait_gone, wait_listed};

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
    let _running = Running::start(command.stdin(Stdio::null()));
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
