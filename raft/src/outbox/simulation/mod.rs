//! Nodes with their outboxes and their lists under faults that a seed decides: what was acknowledged or accepted
//! counts once, whatever is lost, sent again, killed and started, and a linearizable read misses nothing that was answered
//! before. A failing seed is the same failure again:
//! `STOCKADE_SEED=n cargo nextest run -p stockade-raft simulation`; `STOCKADE_SEEDS=n` runs so many of them.
//!
//! There are two. Of both the outboxes, the files of accepted reports, the lists and what they apply are the real ones.
//!
//! - `world` runs the real Raft core, as nodes configure it, on openraft's simulated runtime: one thread and a clock
//!   that jumps, so that minutes of elections pass in a moment. Disks, wires and the forwarder are in memory: our log
//!   and our peers' connections need threads and sockets, which that runtime has none of. Disks lose what was not
//!   flushed, wires delay, overtake, lose and part, nodes are killed and come back behind.
//! - `model` has a model of what Raft promises in place of the core: one order, and of what a lost leader had not
//!   committed some is lost and some is not. It is faster, and finds what needs an unlikely order of steps.

mod clients;
mod disk;
mod machine;
mod model;
mod node;
mod wires;
mod world;

use std::any::Any;
use std::ops::Range;
use std::panic::{RefUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tempfile::TempDir;

use super::{Limits, Outbox};
use crate::blocklist::{List, Origin};
use crate::store::{PendingFile, StateDigest, encode_record, next_incarnation};

/// The nodes.
const NODES: usize = 3;

/// What a node may do wrong, so that the judges are seen to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    /// It accepts reports before they are on disk.
    AcceptsBeforeTheDisk,
    /// It applies what it has applied before.
    SkipsTheSequences,
    /// One node applies by its own clock.
    AppliesByItsClock,
    /// Its log says that it is flushed when it is not.
    AcknowledgesBeforeTheFlush,
    /// A leader that was killed leads on in the same term.
    LeadsOnAfterAKill,
    /// A follower concludes what is on the leader's disk and not yet on its own.
    ConcludesBeforeTheFlush,
    /// A leader takes what it knows to be committed for all that was answered.
    ReadsWithoutWhatWasTold,
}

/// A small generator with its whole state in one number (SplitMix64).
#[derive(Clone)]
struct Chance(Arc<Mutex<u64>>);

impl Chance {
    fn seeded(seed: u64) -> Chance {
        Chance(Arc::new(Mutex::new(seed)))
    }

    fn next(&self) -> u64 {
        let mut state = self.0.lock();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn percent(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn between_ms(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least))
    }
}

/// No limit is met, and nothing depends on the clock of the machine.
fn limits() -> Limits {
    Limits { bytes_max: 1 << 20, age_max: Duration::MAX, accept_after: Duration::from_secs(1 << 40) }
}

fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap()
}

/// The outbox of a node as it starts with this list.
fn open(dir: &Path, node: usize, list: &List) -> Outbox {
    let (file, kept) = PendingFile::open(dir).unwrap();
    let incarnation = match kept.first() {
        Some(first) => first.incarnation,
        None => next_incarnation(dir).unwrap(),
    };
    let outbox = Outbox::new(Origin { node: node as u64 + 1, incarnation }, limits(), file, kept);
    outbox.overtaken(list);
    outbox
}

/// All nodes hold the same list, and say so.
fn all_are_the_same(lists: &[&List]) {
    let digest = |list: &List| {
        let mut digest = StateDigest::default();
        list.records().for_each(|record| digest.put(&encode_record(&record).unwrap()));
        digest
    };
    for list in &lists[1..] {
        assert!(*list == lists[0], "two nodes hold different lists");
    }
    assert_eq!(digest(lists[0]), digest(lists[lists.len() - 1]));
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The first of these seeds that was seen to fail, and how it failed; on all cores, for a seed is one thread.
fn failing(
    seeds: Range<u64>,
    defect: Defect,
    run: impl Fn(u64, Defect) + RefUnwindSafe + Sync,
) -> Option<(u64, Box<dyn Any + Send>)> {
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(None));
    let work = || {
        while failed.lock().is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            if let Err(failure) = catch_unwind(|| run(seed, defect)) {
                failed.lock().get_or_insert((seed, failure));
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    failed.into_inner()
}

/// Runs the seed that was asked for, or many of them.
fn every_seed(many: u64, run: impl Fn(u64, Defect) + RefUnwindSafe + Sync) {
    let seeds = match number("STOCKADE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STOCKADE_SEEDS").unwrap_or(many),
    };
    let (began, count) = (Instant::now(), seeds.end - seeds.start);
    if let Some((seed, failure)) = failing(seeds, Defect::None, run) {
        eprintln!("STOCKADE_SEED={seed} repeats this");
        resume_unwind(failure);
    }
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    eprintln!("{count} seeds in {:.1?}, {:.0} a minute", began.elapsed(), count as f64 / minutes);
}

/// Runs seeds until one finds the defect.
#[track_caller]
fn is_found(defect: Defect, within: u64, run: impl Fn(u64, Defect) + RefUnwindSafe + Sync) {
    let began = Instant::now();
    let found = failing(0..within, defect, run).map(|(seed, _)| seed);
    assert!(found.is_some(), "{defect:?} is not found by {within} seeds");
    eprintln!("{defect:?}: found by seed {found:?} in {:.1?}", began.elapsed());
}
