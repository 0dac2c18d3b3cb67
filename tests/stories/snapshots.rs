//! Snapshots while everybody writes: no node is lost by them, no write waits for them, and one that breaks off in the
//! middle of its way goes on there. `scripts/torture --profile snapshots` does it for minutes, with a million
//! entries.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stockade_tests::{
    Line, Proxy, Tally, TestCluster, arriving, fill, hammer, snapshot_bytes, wait_for, waits,
};

const WITHIN: Duration = Duration::from_secs(60);
/// How long the writers do not pause.
const LASTING: Duration = Duration::from_secs(25);
const CONNECTIONS: usize = 96;
/// Values that they add again and again.
const VALUES: u32 = 20_000;
/// What a debug build on a busy machine takes, too.
const REPORTS_MIN: u64 = 20_000;
/// Of the list that a snapshot is made of while writes are timed.
const LONG: usize = 100_000;
/// Of the list whose snapshot breaks off: several parts of it.
const ENTRIES: usize = 30_000;
/// Log entries that are kept behind it.
const KEPT: u64 = 10;
/// How often it does.
const CUTS: u64 = 3;
/// So much of it is sent at once: a cut costs no more.
const PART_BYTES: u64 = 1 << 20;
/// What a write may wait because of a snapshot.
const COST_MAX: Duration = Duration::from_millis(100);
/// Tries to see it: whatever else runs on the machine makes a write wait, too.
const ROUNDS: usize = 4;

#[test]
fn a_snapshot_and_a_purge_all_the_time_lose_no_node() {
    let flags = ["--snapshot-after", "60", "--log-keep", "20", "--write-timeout", "5"];
    let mut cluster = TestCluster::start_with(3, &flags);
    let tally = Arc::new(Tally::new(VALUES));
    let hammered = hammer(&mut cluster, CONNECTIONS, LASTING, &tally);
    eprintln!("{hammered}");
    assert!(hammered.snapshots > 30, "snapshots were made all the time: {}", hammered.snapshots);
    assert!(hammered.frozen >= 2, "followers fell behind: {}", hammered.frozen);
    assert!(hammered.purges > 30, "logs were cut all the time: {}", hammered.purges);
    assert!(hammered.flooded.reports > REPORTS_MIN, "the load was heavy: {}", hammered.flooded.reports);
    cluster.wait_level();
    cluster.same_digest_everywhere();
    for number in 0..3 {
        tally.judge(&cluster.analyst(number));
    }
}

#[test]
fn no_write_waits_for_a_snapshot_of_a_long_list() {
    let mut cluster = TestCluster::start(3);
    let through = cluster.followers()[0];
    fill(&cluster.analyst(through), LONG);
    cluster.wait_level();
    let mut seen = Vec::new();
    for round in 0..ROUNDS {
        let waits = waits(&cluster, round);
        seen.push(waits);
        if waits.cost() < COST_MAX {
            assert!(waits.writes > 0, "there were writes meanwhile: {waits:?}");
            eprintln!("{waits:?}");
            return;
        }
    }
    panic!("a write waits for a snapshot: {seen:?}");
}

#[test]
fn a_snapshot_whose_line_is_cut_in_the_middle_goes_on_there() {
    let mut cluster = TestCluster::start_with(1, &["--log-keep", &KEPT.to_string()]);
    fill(&cluster.analyst(0), ENTRIES);
    cluster.nodes[0].operator().post("/admin/snapshot", &json!({})).expect(200);
    wait_for("the log is cut behind the snapshot", WITHIN, || {
        let status = cluster.nodes[0].status()?;
        let (purged, covered) = (status["purged_index"].as_u64()?, status["snapshot_index"].as_u64()?);
        (purged > KEPT && purged + KEPT == covered).then_some(())
    });

    // The late node is reached over a narrow wire, so that there is a middle.
    let late = cluster.prepare(&[]);
    let proxy = Proxy::start(&cluster.nodes[late].peers_address());
    let (advertised, first) = (proxy.address(), cluster.nodes[0].url());
    cluster.nodes[late].set_arguments(&["--advertise-peers", &advertised, "--join", &first]);
    let narrow = Line { bytes_per_second: Some(1_000_000), ..Line::default() };
    proxy.set(narrow, Line::default());
    cluster.nodes[late].start();
    let data = cluster.nodes[late].data();
    let mut there = 0;
    for _ in 0..CUTS {
        let more = || arriving(&data).filter(|bytes| *bytes > there);
        there = wait_for("more of the snapshot has arrived", WITHIN, more);
        proxy.cut();
        assert!(cluster.nodes[late].is_running());
        let list = cluster.analyst(0).get("/ip/all?limit=1&fields=value").expect(200);
        assert_eq!(list.header("stockade-truncated"), Some((ENTRIES - 1).to_string().as_str()));
        proxy.heal();
    }
    proxy.set(Line::default(), Line::default());
    cluster.nodes[late].wait_ready();
    cluster.wait_voters(2);
    let status = cluster.nodes[late].status().unwrap();
    assert!(status["snapshot_index"].as_u64() > Some(0), "it got a snapshot: {status}");
    let (passed, length) = (proxy.passed(), snapshot_bytes(&cluster.nodes[0].data()).unwrap());
    eprintln!("a snapshot of {length} bytes, cut {CUTS} times, took {passed} bytes on the wire");
    assert!(length > CUTS * PART_BYTES, "there is a middle: {length}");
    assert!(
        passed < length + CUTS * PART_BYTES,
        "of {length} bytes {passed} were sent: what had arrived, too"
    );
    cluster.same_digest_everywhere();
    let list = cluster.analyst(late).get("/ip/all?limit=1&fields=value").expect(200);
    assert_eq!(list.header("stockade-count"), Some("1"));
    assert_eq!(list.header("stockade-truncated"), Some((ENTRIES - 1).to_string().as_str()));
}
