//! Readers that others wrote, from the Python package index: a reader of Zeek's logs, a parser of Suricata's rules, and
//! what Cortex gives its responders.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use stockade_tests::{Home, Sensor, TestCluster, run, wait_for, wheel};

const WITHIN: Duration = Duration::from_secs(20);

const COMMENT: &str = "scan \"of\" $(ports)\t\\x41; and\nmore";

fn cluster() -> TestCluster {
    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    for value in ["198.51.100.0/24", "192.0.2.1", "2001:db8:1::/48", "2001:db8::1"] {
        client.post("/ip/add", &json!({"ip": value, "comment": COMMENT})).expect(201);
    }
    cluster
}

/// What a Python script with these packages prints, which is JSON.
#[track_caller]
fn python(home: &Home, packages: &[&str], script: &str) -> Value {
    let wheels: Vec<PathBuf> = packages.iter().map(|package| wheel(package)).collect();
    let path = std::env::join_paths(wheels).unwrap();
    let mut command = Command::new("python3");
    command.args(["-B", "-c", script]).env("PYTHONPATH", path).current_dir(home.path());
    let said = run(command, "").expect(0);
    let last = said.output.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

#[test]
fn zat_reads_the_file_for_zeek() {
    let (cluster, home) = (cluster(), Home::new());
    let client = cluster.analyst(0);
    client.post("/username/add", &json!({"username": "#root"})).expect(201);
    for (file, path) in [
        ("ip", "/ip/all?format=zeek"),
        ("name", "/username/all?format=zeek"),
        ("none", "/ip/all?format=zeek&source=nobody"),
    ] {
        fs::write(home.path().join(file), client.get(path).expect(200).body).unwrap();
    }
    let script = "import json; from zat.zeek_log_reader import ZeekLogReader\n\
                  rows = {f: list(ZeekLogReader(f, strict=True).readrows()) for f in ('ip', 'name', 'none')}\n\
                  print(json.dumps(rows))";
    let rows = python(&home, &["zat==0.4.9"], script);
    let row = |value: &str, kind: &str, words: &str| {
        json!({"indicator": value, "indicator_type": format!("Intel::{kind}"), "meta.source": "blocklist",
               "meta.desc": words})
    };
    let words = "scan of ports x41 and more";
    let expected = json!({
        "ip": [row("198.51.100.0/24", "SUBNET", words), row("2001:db8:1::/48", "SUBNET", words),
               row("192.0.2.1", "ADDR", words), row("2001:db8::1", "ADDR", words)],
        // Zeek itself reads the escape; a name that began with # would be a comment.
        "name": [row("\\x23root", "USER_NAME", "-")],
        "none": [],
    });
    assert_eq!(rows, expected);
}

#[test]
fn suricataparser_reads_the_rules() {
    let (cluster, home) = (cluster(), Home::new());
    let client = cluster.analyst(0);
    let many: String = (0..250).map(|host| format!("203.0.113.{host}\n")).collect();
    client.request("POST", "/ip/add").body("text/plain", many).send().expect(200);
    let version = || {
        let list = client.get("/ip/all?format=nft").expect(200);
        list.text().split("v=").nth(1).unwrap().split(' ').next().unwrap().to_owned()
    };
    // A node that has just begun tells its addresses, which must not be listed: the list has a new version then.
    let (answer, version) = wait_for("the list stands still", WITHIN, || {
        let before = version();
        let answer = client.get("/ip/all?format=suricata-rules&label=shared").expect(200);
        (version() == before).then_some((answer, before))
    });
    assert!(answer.text().lines().all(|line| line.len() < 8_192));
    fs::write(home.path().join("rules"), &answer.body).unwrap();
    let script = "import json; from suricataparser import parse_file\n\
                  rules = parse_file('rules')\n\
                  print(json.dumps([[r.enabled, r.action, r.header, r.msg, r.sid, r.rev] for r in rules]))";
    let rules = python(&home, &["suricataparser==1.0.0"], script);
    let rules = rules.as_array().unwrap();
    let mut addresses = Vec::new();
    for (number, rule) in rules.iter().enumerate() {
        assert_eq!(
            (&rule[0], &rule[1], &rule[3]),
            (&json!(true), &json!("drop"), &json!("shared")),
            "{rule}"
        );
        assert_eq!(rule[4], 9_000_001 + number, "{rule}");
        assert_eq!(rule[5].to_string(), version, "{rule}");
        let header = rule[2].as_str().unwrap();
        let list = header.strip_prefix("ip [").and_then(|rest| rest.strip_suffix("] any <> any any"));
        addresses.extend(list.unwrap_or_else(|| panic!("{header}")).split(',').map(str::to_owned));
    }
    assert_eq!(rules.len(), 3);
    let all = client.get("/ip/all?format=txt").expect(200);
    assert_eq!(addresses, all.text().lines().collect::<Vec<_>>());
}

/// The same job for a responder on cortexutils, which says that it is done with the words of ours.
const RESPONDER: &str = r#"
import json, sys
from cortexutils.responder import Responder
class Block(Responder):
    def run(self):
        self.get_param("data.data", None, "no data")
        ours = json.load(open("ours.json"))
        if not ours["success"]:
            self.error(ours["errorMessage"])
        self.report(ours["full"])
    def operations(self, raw):
        return [self.build_operation("AddTagToArtifact", tag="stockade:blocked")]
try:
    Block("job").run()
except SystemExit:
    pass
print(json.dumps(json.load(open("job/output/output.json"))))
"#;

#[test]
fn cortexutils_reports_what_our_responder_reports() {
    let (cluster, home) = (cluster(), Home::new());
    let made = cluster.analyst(0).post("/user/analyst/tokens", &json!({"name": "cortex"})).expect(201);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let job = |name: &str| home.path().join("job").join(name);
    fs::create_dir_all(job("input")).unwrap();
    for (value, code) in [("203.0.113.40", 0), ("127.0.0.1", 1)] {
        let input = json!({"dataType": "thehive:case_artifact", "tlp": 2, "pap": 2, "parameters": {},
            "data": {"dataType": "ip", "data": value, "tags": [], "case": {"caseId": 7, "title": "Phishing"}},
            "config": {"service": "block", "token": token, "urls": [cluster.nodes[0].url()],
                       "check_tlp": true, "max_tlp": 2}});
        fs::write(job("input/input.json"), input.to_string()).unwrap();
        let mut command = Command::new("python3");
        command.arg("-B").arg(Sensor::file("cortex/stockade.py")).arg("job").current_dir(home.path());
        run(command, "").expect(code);
        fs::rename(job("output/output.json"), home.path().join("ours.json")).unwrap();
        let ours: Value = serde_json::from_slice(&fs::read(home.path().join("ours.json")).unwrap()).unwrap();
        assert_eq!(ours["success"], code == 0, "{ours}");
        let mut theirs = python(&home, &["cortexutils==2.2.1"], RESPONDER);
        // With an error it gives the job back too, its secrets removed; Cortex does not need it.
        theirs.as_object_mut().unwrap().remove("input");
        assert_eq!(theirs, ours);
    }
    cluster.analyst(0).get("/ip/203.0.113.40").expect(200);
}
