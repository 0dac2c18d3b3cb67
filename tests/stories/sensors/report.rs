//! `stockade-report`, which the others report with, by dash: what is sent, kept for later, and refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use stockade_tests::{PASSWORD, Sensor, TestCluster, run, wait_for};

use super::{WITHIN, entry, scene, urls, wait_gone, wait_listed};

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
