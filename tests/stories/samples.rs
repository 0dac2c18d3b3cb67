//! fail2ban on the sample logs that come with it: its own filters find who is to be banned, and our action reports each.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use stockade_tests::{Reported, Sensor, TestCluster, run, wait_for};

const SAMPLES: &str = "/usr/lib/python3/dist-packages/fail2ban/tests/files/logs";
const FILTERS: [&str; 2] = ["sshd[mode=aggressive]", "apache-auth"];
const WITHIN: Duration = Duration::from_secs(60);

fn log_of(filter: &str) -> &str {
    filter.split('[').next().unwrap_or(filter)
}

/// What fail2ban's own test tool finds in a sample.
#[track_caller]
fn found(sensor: &Sensor, filter: &str) -> BTreeSet<String> {
    let mut command = sensor.command("fail2ban-regex");
    command.args(["-o", "ip", "--usedns", "no"]).arg(Path::new(SAMPLES).join(log_of(filter))).arg(filter);
    run(command, "")
        .output
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

/// What may be listed: an address as it is written today, of the public Internet or of documentation.
fn may_be_listed(text: &str) -> bool {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            !(address.is_private() || address.is_loopback() || address.is_link_local())
        }
        Ok(IpAddr::V6(address)) => !address.is_loopback() && address.segments()[0] & 0xfe00 != 0xfc00,
        Err(_) => false,
    }
}

fn listed(cluster: &TestCluster) -> BTreeSet<String> {
    let list = cluster.analyst(0).get("/ip/all?format=txt").expect(200);
    list.text().lines().map(str::to_owned).filter(|line| !line.is_empty()).collect()
}

#[test]
fn whom_fail2ban_finds_in_its_own_samples_is_listed() {
    let cluster = TestCluster::start(1);
    cluster.register("sensor", "sensor");
    let sensor = Sensor::new(&[cluster.nodes[0].url()], "sensor");
    let at = |name: &str| sensor.path().join(name);
    fs::create_dir(at("action.d")).unwrap();
    fs::copy(Sensor::file("fail2ban/stockade.conf"), at("action.d/stockade.conf")).unwrap();
    symlink("/etc/fail2ban/filter.d", at("filter.d")).unwrap();
    fs::copy("/etc/fail2ban/paths-common.conf", at("paths-common.conf")).unwrap();
    // The samples are of twenty years; each is banned at the first line, for ever.
    let mut jails = format!(
        "[DEFAULT]\nbackend = polling\nusedns = no\nmaxretry = 1\nfindtime = 100y\nbantime = -1\nignoreself = false\n\
         action = stockade[report={}]\n",
        Sensor::file("stockade-report").display()
    );
    for filter in FILTERS {
        let name = log_of(filter);
        fs::write(at(name), "").unwrap();
        jails += &format!("[{name}]\nenabled = true\nfilter = {filter}\nlogpath = {}\n", at(name).display());
    }
    fs::write(at("jail.conf"), jails).unwrap();
    let here = |name: &str| at(name).display().to_string();
    let settings = format!(
        "[Definition]\nloglevel = INFO\nlogtarget = {}\nsyslogsocket = auto\nsocket = {}\npidfile = {}\ndbfile = None\n\
         dbpurgeage = 1d\n",
        here("f.log"),
        here("s.sock"),
        here("s.pid")
    );
    fs::write(at("fail2ban.conf"), settings).unwrap();
    let client = |words: &[&str]| -> Reported {
        let mut command: Command = sensor.command("fail2ban-client");
        command.args(["-c", &here("."), "-s", &here("s.sock"), "-p", &here("s.pid")]).args(words);
        run(command, "")
    };
    client(&["-b", "start"]).expect(0);
    let _ends = Ends(&client);

    let mut expected = BTreeSet::new();
    for filter in FILTERS {
        let found = found(&sensor, filter);
        assert!(found.len() > 5, "{filter}: {found:?}");
        expected.extend(found);
        fs::copy(Path::new(SAMPLES).join(log_of(filter)), at(log_of(filter))).unwrap();
    }
    let (expected, refused): (BTreeSet<String>, BTreeSet<String>) =
        expected.into_iter().partition(|address| may_be_listed(address));
    assert!(expected.len() > 50 && refused.contains("127.0.0.1"), "{expected:?}, {refused:?}");
    wait_for("everybody who was found is listed", WITHIN, || {
        expected.is_subset(&listed(&cluster)).then_some(())
    });
    assert_eq!(listed(&cluster), expected);
    wait_for("nothing waits", WITHIN, || (sensor.waiting() == 0).then_some(()));
    let entry: Value =
        cluster.analyst(0).get("/ip/192.0.2.1?fields=expires,comment,source,time_added").expect(200).json();
    assert!(entry[0]["expires"].is_null(), "a ban without an end: {entry}");
    assert!(entry[0]["comment"].as_str().unwrap().starts_with("fail2ban "), "{entry}");
}

/// Ends fail2ban with the story.
struct Ends<'a>(&'a dyn Fn(&[&str]) -> Reported);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        (self.0)(&["stop"]);
    }
}
