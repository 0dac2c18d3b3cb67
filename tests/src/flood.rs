//! As many writes as the nodes take: many connections that never pause, with requests that were made before.
//!
//! Each answer is counted and none is kept, so that the load itself costs little.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::cluster::{ANALYST, PASSWORD};
use crate::connection::Connection;
use crate::tally::Tally;

/// How long one answer is waited for before it counts as unknown.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Values of a bulk add; each of the others has one.
const BULK: u32 = 20;
/// Every second connection to a node sends bulk adds.
const BULK_EVERY: usize = 2;

/// Writers at work.
pub struct Flood {
    runtime: Runtime,
    writers: JoinSet<Flooded>,
    shared: Arc<Shared>,
}

/// What writers did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flooded {
    /// Requests that were taken.
    pub requests: u64,
    /// Reports in them.
    pub reports: u64,
    /// Requests that were answered otherwise, or not at all.
    pub unknown: u64,
    /// The longest request to a node that was left in peace.
    pub slowest: Duration,
    /// The longest of all: a node that is frozen, or has to be brought up, answers late.
    pub slowest_of_all: Duration,
}

struct Shared {
    stop: AtomicBool,
    tally: Arc<Tally>,
    next: AtomicU32,
    bodies: Vec<Bytes>,
    bulk_bodies: Vec<Bytes>,
    nodes: Vec<Flooding>,
}

/// A node that is written to.
struct Flooding {
    address: String,
    /// Grows whenever the node is disturbed, and when it is no more: odd in between.
    disturbed: AtomicU32,
}

impl Flood {
    /// So many connections, to these nodes (`host:port`) in turn.
    pub fn start(addresses: &[String], connections: usize, tally: &Arc<Tally>) -> Flood {
        let flooding = |address: &String| Flooding { address: address.clone(), disturbed: AtomicU32::new(0) };
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            tally: tally.clone(),
            next: AtomicU32::new(0),
            bodies: (0..tally.len()).map(|number| body(Tally::value(number))).collect(),
            bulk_bodies: (0..tally.len() / BULK).map(bulk_body).collect(),
            nodes: addresses.iter().map(flooding).collect(),
        });
        // One thread: the nodes need what there is besides.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a thread can be started");
        let mut writers = JoinSet::new();
        for number in 0..connections {
            writers.spawn_on(write(shared.clone(), number), runtime.handle());
        }
        Flood { runtime, writers, shared }
    }

    /// Says that a node is about to be frozen, or that it is at work like the others again.
    pub fn disturb(&self, node: usize) {
        self.shared.nodes[node].disturbed.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets every writer finish the request it is in, and joins what they did.
    pub fn stop(mut self) -> Flooded {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut all = Flooded::default();
        while let Some(writer) = self.runtime.block_on(self.writers.join_next()) {
            all.join(writer.expect("a writer does not panic"));
        }
        all
    }
}

impl Flooded {
    /// Adds what others did.
    pub fn join(&mut self, other: Flooded) {
        self.requests += other.requests;
        self.reports += other.reports;
        self.unknown += other.unknown;
        self.slowest = self.slowest.max(other.slowest);
        self.slowest_of_all = self.slowest_of_all.max(other.slowest_of_all);
    }
}

async fn write(shared: Arc<Shared>, writer: usize) -> Flooded {
    let mut flooded = Flooded::default();
    let mut connection = None;
    let node = &shared.nodes[writer % shared.nodes.len()];
    let bulk = (writer / shared.nodes.len()).is_multiple_of(BULK_EVERY);
    let (kind, bodies, each) = match bulk {
        true => ("text/plain", &shared.bulk_bodies, BULK),
        false => ("application/json", &shared.bodies, 1),
    };
    while !shared.stop.load(Ordering::Relaxed) {
        let turn = shared.next.fetch_add(1, Ordering::Relaxed) as usize % bodies.len();
        let disturbed = node.disturbed.load(Ordering::Relaxed);
        let began = Instant::now();
        let sent = timeout(ANSWER_WITHIN, send(&mut connection, &node.address, kind, bodies[turn].clone()));
        let taken = matches!(sent.await, Ok(Some(200..=202)));
        let took = began.elapsed();
        let first = turn as u32 * each;
        shared.tally.note(first..first + each, taken);
        flooded.slowest_of_all = flooded.slowest_of_all.max(took);
        if disturbed.is_multiple_of(2) && node.disturbed.load(Ordering::Relaxed) == disturbed {
            flooded.slowest = flooded.slowest.max(took);
        }
        if taken {
            flooded.requests += 1;
            flooded.reports += u64::from(each);
        } else {
            flooded.unknown += 1;
            // An answer that is late must not be taken for the next one.
            connection = None;
        }
    }
    flooded
}

/// The status of one add, over the connection or a new one; none when it broke.
async fn send(connection: &mut Option<Connection>, address: &str, kind: &str, body: Bytes) -> Option<u16> {
    let open = match connection {
        Some(open) => open,
        None => connection.insert(Connection::open(address, &format!("{ANALYST}:{PASSWORD}")).await.ok()?),
    };
    open.post("/ip/add", kind, body).await.ok()
}

fn body(value: Ipv4Addr) -> Bytes {
    format!(r#"{{"ip":"{value}","comment":"one of a flood"}}"#).into()
}

fn bulk_body(turn: u32) -> Bytes {
    let lines = (turn * BULK..(turn + 1) * BULK).map(|number| format!("{}\n", Tally::value(number)));
    lines.collect::<String>().into()
}
