//! Snapshots of a long list while everybody writes: a list to make them of, writers who do not pause, and how long a
//! write waits meanwhile.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;
use crate::cluster::TestCluster;
use crate::flood::{Flood, Flooded};
use crate::node::Node;
use crate::tally::Tally;
use crate::wait::wait_for;

/// Addresses of one bulk add.
const BULK: usize = 10_000;
/// Writes that are timed before there is a snapshot.
const BEFORE: usize = 400;
/// Between two times that a follower is frozen, so that it falls behind what is left of the log.
const FREEZE_INTERVAL: Duration = Duration::from_secs(6);
const FROZEN: Duration = Duration::from_secs(2);
/// Making or installing a snapshot ends within this.
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(120);

/// What a time of hard writing has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hammered {
    /// What the writers did.
    pub flooded: Flooded,
    /// How long they wrote.
    pub lasting: Duration,
    /// Entries that the log has grown by: many writes share one.
    pub log_entries: u64,
    /// Snapshots that nodes had, each counted once a node.
    pub snapshots: usize,
    /// Times that a node's log was cut behind a snapshot.
    pub purges: usize,
    /// How often a follower was frozen until it had to be brought up.
    pub frozen: usize,
}

/// How long writes took.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// The longest write while there was no snapshot.
    pub before: Duration,
    /// The longest while all nodes made one.
    pub during: Duration,
    /// Writes that were timed meanwhile.
    pub writes: usize,
    /// How long the snapshots took.
    pub snapshots: Duration,
}

impl Hammered {
    /// Joins what a later time has seen.
    pub fn join(&mut self, later: Hammered) {
        self.flooded.join(later.flooded);
        self.lasting += later.lasting;
        self.log_entries += later.log_entries;
        self.snapshots += later.snapshots;
        self.purges += later.purges;
        self.frozen += later.frozen;
    }
}

impl fmt::Display for Hammered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Flooded { requests, reports, unknown, slowest, slowest_of_all } = self.flooded;
        let a_second = |count: u64| count as f64 / self.lasting.as_secs_f64();
        write!(
            f,
            "{requests} writes ({:.0} a second) of {reports} entries ({:.0} a second) in {} entries of the log, \
             {unknown} unknown; {} snapshots, {} purges, a follower brought up {} times; the slowest write \
             {slowest:.1?}, through a frozen node {slowest_of_all:.1?}",
            a_second(requests),
            a_second(reports),
            self.log_entries,
            self.snapshots,
            self.purges,
            self.frozen
        )
    }
}

impl Waits {
    /// What a snapshot has cost the write that waited longest.
    pub fn cost(&self) -> Duration {
        self.during.saturating_sub(self.before)
    }
}

/// Lists so many addresses through a node, in bulk.
#[track_caller]
pub fn fill(client: &Client, entries: usize) {
    for first in (0..entries).step_by(BULK) {
        let lines = (first..entries.min(first + BULK)).map(|number| {
            let [_, a, b, c] = (number as u32).to_be_bytes();
            format!(
                "{{\"ip\":\"{}.{a}.{b}.{c}\",\"comment\":\"report number {number}\"}}\n",
                60 + number / (1 << 24)
            )
        });
        let sent = client.request("POST", "/ip/add").body("application/x-ndjson", lines.collect::<String>());
        let answer = sent.send();
        // On a busy machine some of it may wait for a majority.
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
        let answer = answer.json();
        assert!(answer["refused"].as_array().is_none_or(Vec::is_empty), "{answer}");
    }
}

/// Has everybody write without a pause for a time, over so many connections, while nodes make snapshots as their
/// settings say, and one follower after the other falls so far behind that it needs one. Fails when a node ends.
#[track_caller]
pub fn hammer(
    cluster: &mut TestCluster,
    connections: usize,
    lasting: Duration,
    tally: &Arc<Tally>,
) -> Hammered {
    let addresses: Vec<String> = cluster.nodes.iter().map(|node| node.http_address()).collect();
    let mut seen: Vec<Seen> = cluster.nodes.iter().map(|node| Seen::now(node).unwrap_or_default()).collect();
    let first = seen.iter().map(|seen| seen.last_log).max().unwrap_or(0);
    let flood = Flood::start(&addresses, connections, tally);
    let (began, mut next) = (Instant::now(), FREEZE_INTERVAL);
    let mut hammered = Hammered::default();
    // A follower that was frozen, and where the others' log ended then.
    let mut behind: Option<(usize, u64)> = None;
    wait_for("the time is over", lasting + SNAPSHOT_WITHIN, || {
        assert_eq!(cluster.running().len(), cluster.nodes.len(), "a node is lost");
        for (node, seen) in cluster.nodes.iter().zip(&mut seen) {
            let Some(now) = Seen::now(node) else { continue };
            hammered.snapshots += usize::from(now.snapshot > seen.snapshot);
            hammered.purges += usize::from(now.purged > seen.purged);
            *seen = now;
        }
        if let Some((number, end)) = behind
            && seen[number].applied >= end
        {
            flood.disturb(number);
            behind = None;
        }
        if behind.is_none() && began.elapsed() > next && began.elapsed() + FREEZE_INTERVAL < lasting {
            let followers = cluster.followers();
            let number = followers[hammered.frozen % followers.len()];
            flood.disturb(number);
            cluster.nodes[number].freeze();
            let since = Instant::now();
            wait_for("a follower falls behind", FROZEN * 2, || (since.elapsed() > FROZEN).then_some(()));
            let others = cluster.nodes.iter().enumerate().filter(|(other, _)| *other != number);
            let end = others.filter_map(|(_, node)| Seen::now(node)).map(|seen| seen.last_log).max();
            cluster.nodes[number].thaw();
            behind = Some((number, end.unwrap_or(0)));
            hammered.frozen += 1;
            next = began.elapsed() + FREEZE_INTERVAL;
        }
        (began.elapsed() > lasting).then_some(())
    });
    hammered.flooded = flood.stop();
    hammered.lasting = began.elapsed();
    hammered.log_entries = seen.iter().map(|seen| seen.last_log).max().unwrap_or(0) - first;
    hammered
}

/// Where a node's log and list are.
#[derive(Clone, Copy, Default)]
struct Seen {
    last_log: u64,
    applied: u64,
    snapshot: u64,
    purged: u64,
}

impl Seen {
    fn now(node: &Node) -> Option<Seen> {
        let status = node.status()?;
        let index = |name: &str| status[name].as_u64().unwrap_or(0);
        Some(Seen {
            last_log: index("last_log_index"),
            applied: index("applied_index"),
            snapshot: index("snapshot_index"),
            purged: index("purged_index"),
        })
    }
}

/// How long single writes through each node take while all nodes make a snapshot at once.
#[track_caller]
pub fn waits(cluster: &TestCluster, round: usize) -> Waits {
    let clients: Vec<Client> = (0..cluster.nodes.len()).map(|number| cluster.analyst(number)).collect();
    let write = |number: usize| {
        let body = json!({"domain": format!("w{number}.round{round}.test")});
        let began = Instant::now();
        clients[number % clients.len()].post("/domain/add", &body).expect(201);
        began.elapsed()
    };
    let before = (0..BEFORE).map(write).max().unwrap_or_default();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let numbers = (BEFORE..).take_while(|_| !done.load(Ordering::Relaxed));
            numbers.map(write).fold((Duration::ZERO, 0), |(worst, count), wait| (worst.max(wait), count + 1))
        });
        let began = Instant::now();
        let snapshots: Vec<_> = cluster
            .nodes
            .iter()
            .map(|node| {
                let operator = node.operator_within(SNAPSHOT_WITHIN);
                scope.spawn(move || operator.post("/admin/snapshot", &json!({})).expect(200))
            })
            .collect();
        let made: Vec<_> = snapshots.into_iter().map(|snapshot| snapshot.join()).collect();
        let snapshots = began.elapsed();
        // Also when one failed, or the writer would never end.
        done.store(true, Ordering::Relaxed);
        let (during, writes) = writer.join().expect("every write was taken");
        assert!(made.iter().all(Result::is_ok), "a snapshot was not made");
        Waits { before, during, writes, snapshots }
    })
}

/// How many bytes of a snapshot have arrived at a node, while it arrives.
pub fn arriving(data: &Path) -> Option<u64> {
    snapshot_file(data, "partial")
}

/// The bytes of a node's snapshot.
pub fn snapshot_bytes(data: &Path) -> Option<u64> {
    snapshot_file(data, "snapshot")
}

fn snapshot_file(data: &Path, extension: &str) -> Option<u64> {
    let files = fs::read_dir(data.join("snapshots")).ok()?.filter_map(Result::ok);
    let ours = files.filter(|file| file.path().extension().is_some_and(|found| found == extension));
    ours.filter_map(|file| Some(file.metadata().ok()?.len())).max()
}
