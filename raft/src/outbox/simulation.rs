//! Three nodes with their outboxes, their lists and their files, on a log that loses its leaders: what was
//! acknowledged or accepted counts once, whatever is lost, sent again, killed and started. Every step comes from
//! the seed, so a failing seed is the same failure again: `STOCKADE_SEED=n cargo test -p stockade-raft simulation`.
//! `STOCKADE_SEEDS=n` runs so many of them.
//!
//! The outboxes, the files, the lists and what they apply are the real ones. The agreement is a model of what Raft
//! promises: one order, and of what a lost leader had not committed some is lost and some is not.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::state::Answer;
use super::{Limits, Outbox};
use crate::blocklist::{
    Actor, Batch, Command, Kind, Line, List, Observable, Once, Operation, Origin, Outcome, Report, Role,
    Timestamp,
};
use crate::cluster::Submitted;
use crate::codec::{self, Content};
use crate::store::{PendingFile, StateDigest, next_incarnation};

/// Seeds of an ordinary run.
const SEEDS: u64 = 1500;
/// Steps before the faults end.
const STEPS: u64 = 250;
/// Few addresses, so that adds meet.
const ADDRESSES: u64 = 6;
/// The nodes.
const NODES: usize = 3;

/// What a node may do wrong, so that the judge is seen to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    /// It accepts reports before they are on disk.
    AcceptsBeforeTheDisk,
    /// It applies what it has applied before.
    SkipsTheSequences,
    /// One node applies by its own clock.
    AppliesByItsClock,
}

/// A small generator with its whole state in one number (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// A request of a client, as the client sees it.
struct Asked {
    address: u64,
    /// Requests with the same name count once.
    name: Option<u64>,
    node: usize,
    ticket: u64,
    answer: Option<oneshot::Receiver<Answer>>,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Nothing yet.
    Nothing,
    /// It counts.
    Counts,
    /// It does not: it was taken back.
    TakenBack,
    /// It may count.
    Unknown,
}

struct Node {
    dir: TempDir,
    outbox: Option<Outbox>,
    list: List,
    applied: usize,
    /// What sled would hold, and how far it is: an earlier state.
    stored: (List, usize),
}

struct World {
    chance: Chance,
    defect: Defect,
    runtime: Runtime,
    nodes: Vec<Node>,
    /// What is committed.
    log: Vec<Bytes>,
    /// What the present leader has and has not committed.
    tail: Vec<Bytes>,
    asked: Vec<Asked>,
    names: u64,
}

fn limits() -> Limits {
    Limits { bytes_max: 1 << 20, age_max: Duration::MAX, accept_after: Duration::from_secs(1 << 40) }
}

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

fn observable(address: u64) -> Observable {
    Observable::parse(Kind::Ip, &format!("192.0.2.{address}")).unwrap()
}

impl World {
    fn new(seed: u64, defect: Defect) -> World {
        let memory = Path::new("/dev/shm");
        let nodes = (0..NODES).map(|node| {
            let dir = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
            let outbox = Some(open(dir.path(), node, &List::default()));
            Node { dir, outbox, list: List::default(), applied: 0, stored: (List::default(), 0) }
        });
        World {
            chance: Chance(seed),
            defect,
            runtime: Builder::new_current_thread().build().unwrap(),
            nodes: nodes.collect(),
            log: Vec::new(),
            tail: Vec::new(),
            asked: Vec::new(),
            names: 0,
        }
    }

    fn step(&mut self) {
        let node = self.chance.below(NODES as u64) as usize;
        match self.chance.below(100) {
            0..25 => self.ask(node),
            25..50 => self.forward(node),
            50..60 => self.commit(),
            60..80 => self.apply(node),
            80..86 => self.lose_leader(),
            86..93 => self.stop_waiting(),
            93..96 => self.store(node),
            _ => self.kill_or_start(node),
        }
        self.hear();
    }

    /// A client adds an address; some give their request a name, and some repeat one.
    fn ask(&mut self, node: usize) {
        let Some(outbox) = &self.nodes[node].outbox else { return };
        let repeated =
            self.asked.iter().filter_map(|asked| Some((asked.name?, asked.address))).collect::<Vec<_>>();
        let (name, address) = match self.chance.below(4) {
            0 if !repeated.is_empty() => {
                let (name, address) = repeated[self.chance.below(repeated.len() as u64) as usize];
                (Some(name), address)
            }
            1 => {
                self.names += 1;
                (Some(self.names), self.chance.below(ADDRESSES))
            }
            _ => (None, self.chance.below(ADDRESSES)),
        };
        let empty: Arc<str> = "".into();
        let report = Report {
            value: observable(address),
            comment: empty.clone(),
            source: empty.clone(),
            ttl: None,
            tags: [].into(),
            seen: None,
        };
        let operation = Operation::Add(vec![report]);
        let once =
            name.map(|name| Once { key: [name as u8; 16], part: (name >> 8) as u32, request: [0; 16] });
        let actor = Actor { account: "anna".into(), role: Role::Sensor, address: empty };
        let command = Command { once, ..Command::new(Timestamp(0), actor, operation) };
        let (ticket, answer) = outbox.enqueue(vec![command]).unwrap().remove(0);
        self.asked.push(Asked { address, name, node, ticket, answer: Some(answer), told: Told::Nothing });
    }

    /// A batch goes to the leader, or is lost on the way.
    fn forward(&mut self, node: usize) {
        let Some(outbox) = &self.nodes[node].outbox else { return };
        self.runtime.block_on(outbox.prepare()).unwrap();
        let Some(batch) = outbox.next_batch().unwrap() else { return };
        match self.chance.below(5) {
            0 => {}
            1 => self.tail.extend([batch.0.clone(), batch.0]),
            _ => self.tail.push(batch.0),
        }
        if self.chance.below(6) == 0 {
            outbox.reset_session();
        }
    }

    fn commit(&mut self) {
        let count = self.chance.below(self.tail.len() as u64 + 1) as usize;
        self.log.extend(self.tail.drain(..count));
    }

    fn apply(&mut self, node: usize) {
        let count = self.chance.below(4) as usize + 1;
        for _ in 0..count {
            self.apply_one(node);
        }
    }

    fn apply_one(&mut self, node: usize) {
        let Node { outbox: Some(outbox), list, applied, .. } = &mut self.nodes[node] else { return };
        let Some(bytes) = self.log.get(*applied) else { return };
        *applied += 1;
        let mut batch: Batch = codec::decode(Content::Batch, bytes).unwrap();
        let Batch { origin, first_sequence, .. } = batch;
        match self.defect {
            Defect::SkipsTheSequences => {
                batch.origin.node += 1000 * *applied as u64;
                batch.first_sequence = 1;
            }
            Defect::AppliesByItsClock if node == 1 => {
                batch.commands.iter_mut().for_each(|command| command.time = Timestamp(*applied as i64));
            }
            _ => {}
        }
        let done = list.apply(*applied as u64, &batch);
        if !outbox.is_of(origin) {
            return;
        }
        match done.rejected {
            true => outbox.reset_session(),
            false => outbox.applied(*applied as u64, first_sequence, done.outcomes),
        }
    }

    /// Some of what the leader had survives with the next one; everybody begins a new session.
    fn lose_leader(&mut self) {
        let survives = self.chance.below(self.tail.len() as u64 + 1) as usize;
        self.tail.truncate(survives);
        self.commit();
        for outbox in self.nodes.iter().filter_map(|node| node.outbox.as_ref()) {
            outbox.reset_session();
        }
    }

    /// A client's patience ends: its report is accepted, or taken back, or nobody knows.
    fn stop_waiting(&mut self) {
        let waiting: Vec<usize> =
            (0..self.asked.len()).filter(|at| self.asked[*at].told == Told::Nothing).collect();
        if waiting.is_empty() {
            return;
        }
        let at = waiting[self.chance.below(waiting.len() as u64) as usize];
        let (node, ticket) = (self.asked[at].node, self.asked[at].ticket);
        let Some(outbox) = &self.nodes[node].outbox else { return };
        if self.chance.below(3) == 0 {
            let taken = outbox.state.lock().take_back(&[ticket]) == 1;
            self.asked[at].told = if taken { Told::TakenBack } else { Told::Unknown };
            self.asked[at].answer = None;
        } else {
            outbox.accept_soon(&[ticket]);
            self.runtime.block_on(outbox.keep()).unwrap();
        }
    }

    /// sled comes up behind.
    fn store(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.stored = (node.list.clone(), node.applied);
    }

    /// A kill loses all that is not on disk; a start goes on from there.
    fn kill_or_start(&mut self, node: usize) {
        if self.nodes[node].outbox.take().is_some() {
            let asked =
                self.asked.iter_mut().filter(|asked| asked.node == node && asked.told == Told::Nothing);
            asked.for_each(|asked| asked.told = Told::Unknown);
            return;
        }
        self.start(node);
    }

    fn start(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        if self.defect == Defect::AcceptsBeforeTheDisk {
            drop(std::fs::remove_file(node.dir.path().join("pending")));
        }
        (node.list, node.applied) = node.stored.clone();
        node.outbox = Some(open(node.dir.path(), number, &node.list));
    }

    /// Clients read what they were told.
    fn hear(&mut self) {
        for asked in &mut self.asked {
            let Some(answer) = &mut asked.answer else { continue };
            let told = match answer.try_recv() {
                Ok(Ok(Submitted::Accepted(_))) => Told::Counts,
                Ok(Ok(Submitted::Written(written))) => match first(&written.outcome) {
                    Some(Line::Added | Line::Sighted) => Told::Counts,
                    other => panic!("{other:?}"),
                },
                Ok(Err(_)) => Told::Unknown,
                Err(oneshot::error::TryRecvError::Closed) => Told::Unknown,
                Err(oneshot::error::TryRecvError::Empty) => continue,
            };
            // What was accepted before a kill stays accepted.
            if asked.told == Told::Nothing || told == Told::Counts {
                asked.told = told;
            }
            asked.answer = None;
        }
    }

    /// The faults end: all nodes run, everything is handed on and applied.
    fn heal(&mut self) {
        for node in 0..NODES {
            if self.nodes[node].outbox.is_none() {
                self.start(node);
            }
        }
        for round in 0.. {
            assert!(round < 100, "something is never handed on");
            for node in 0..NODES {
                let Some(outbox) = &self.nodes[node].outbox else { continue };
                outbox.reset_session();
                self.runtime.block_on(outbox.prepare()).unwrap();
                while let Some(batch) = outbox.next_batch().unwrap() {
                    self.tail.push(batch.0);
                }
            }
            self.log.append(&mut self.tail);
            for node in 0..NODES {
                while self.nodes[node].applied < self.log.len() {
                    self.apply_one(node);
                }
            }
            self.hear();
            let outboxes = self.nodes.iter().filter_map(|node| node.outbox.as_ref());
            if outboxes.clone().all(|outbox| outbox.len() == 0 && outbox.state.lock().kept.is_none()) {
                return;
            }
        }
    }

    fn judge(&self) {
        for node in &self.nodes[1..] {
            assert!(node.list == self.nodes[0].list, "two nodes hold different lists");
        }
        let digest = |list: &List| {
            let records: BTreeMap<_, _> = list.records().map(|record| (record.key(), Some(record))).collect();
            let mut digest = StateDigest::default();
            digest.follow(&List::default(), records).unwrap();
            digest
        };
        assert_eq!(digest(&self.nodes[0].list), digest(&self.nodes[2].list));
        for address in 0..ADDRESSES {
            let (mut sure, mut perhaps) = (0, 0);
            let mut named: BTreeMap<u64, BTreeSet<bool>> = BTreeMap::new();
            for asked in self.asked.iter().filter(|asked| asked.address == address) {
                let counts = match asked.told {
                    Told::Counts => true,
                    Told::Unknown => false,
                    Told::TakenBack => continue,
                    Told::Nothing => panic!("somebody is never answered"),
                };
                match asked.name {
                    Some(name) => drop(named.entry(name).or_default().insert(counts)),
                    None if counts => sure += 1,
                    None => perhaps += 1,
                }
            }
            let is_sure = |told: &&BTreeSet<bool>| told.contains(&true);
            let sure = sure + named.values().filter(is_sure).count() as u64;
            let perhaps = perhaps + named.len() as u64 - named.values().filter(is_sure).count() as u64;
            let entry = self.nodes[0].list.get(&observable(address));
            let counted = entry.map_or(0, |entry| entry.sighting + 1);
            assert!(
                (sure..=sure + perhaps).contains(&counted),
                "address {address} was counted {counted} times, and {sure} to {} is right",
                sure + perhaps
            );
        }
    }
}

/// The one line of an outcome.
fn first(outcome: &Outcome) -> Option<&Line> {
    match outcome {
        Outcome::Lines(lines) => lines.first(),
        Outcome::Repeated(outcome) => first(outcome),
        _ => None,
    }
}

fn run(seed: u64, defect: Defect) {
    let mut world = World::new(seed, defect);
    for _ in 0..STEPS {
        world.step();
    }
    world.heal();
    world.judge();
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn what_is_acknowledged_or_accepted_counts_once_under_every_seed() {
    let seeds = match number("STOCKADE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STOCKADE_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        if let Err(failure) = catch_unwind(|| run(seed, Defect::None)) {
            eprintln!("STOCKADE_SEED={seed} repeats this");
            resume_unwind(failure);
        }
    }
}

#[test]
fn every_defect_is_found() {
    for defect in [Defect::AcceptsBeforeTheDisk, Defect::SkipsTheSequences, Defect::AppliesByItsClock] {
        let found = (0..100).find(|seed| catch_unwind(|| run(*seed, defect)).is_err());
        assert!(found.is_some(), "{defect:?} is not found by a hundred seeds");
        eprintln!("{defect:?}: found by seed {found:?}");
    }
}
