//! Three nodes on a log that loses its leaders: a model of what Raft promises.

use bytes::Bytes;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::clients::Clients;
use super::{Chance, Defect, NODES, all_are_the_same, directory, every_seed, is_found, open};
use crate::blocklist::{Batch, List, Timestamp};
use crate::codec::{self, Content};
use crate::outbox::Outbox;

/// Seeds of an ordinary run.
const SEEDS: u64 = 1500;
/// Steps before the faults end.
const STEPS: u64 = 250;

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
    clients: Clients,
}

impl World {
    fn new(seed: u64, defect: Defect) -> World {
        let nodes = (0..NODES).map(|node| {
            let dir = directory();
            let outbox = Some(open(dir.path(), node, &List::default()));
            Node { dir, outbox, list: List::default(), applied: 0, stored: (List::default(), 0) }
        });
        World {
            chance: Chance::seeded(seed),
            defect,
            runtime: Builder::new_current_thread().build().unwrap(),
            nodes: nodes.collect(),
            log: Vec::new(),
            tail: Vec::new(),
            clients: Clients::default(),
        }
    }

    fn step(&mut self) {
        let node = self.chance.below(NODES as u64) as usize;
        match self.chance.below(100) {
            0..25 => {
                if let Some(outbox) = &self.nodes[node].outbox {
                    self.clients.ask(&self.chance, node, outbox);
                }
            }
            25..50 => self.forward(node),
            50..60 => self.commit(),
            60..80 => self.apply(node),
            80..86 => self.lose_leader(),
            86..93 => {
                let outbox = |node: usize| self.nodes[node].outbox.as_ref();
                self.clients.stop_waiting(&self.chance, &self.runtime, outbox);
            }
            93..96 => self.store(node),
            _ => self.kill_or_start(node),
        }
        self.clients.hear();
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
        let (origin, first_sequence) = (batch.origin, batch.first_sequence);
        self.defect.spoil(&mut batch, node, *applied as u64);
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

    /// sled comes up behind.
    fn store(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.stored = (node.list.clone(), node.applied);
    }

    /// A kill loses all that is not on disk; a start goes on from there.
    fn kill_or_start(&mut self, node: usize) {
        match self.nodes[node].outbox.take() {
            Some(_) => self.clients.lose(node),
            None => self.start(node),
        }
    }

    fn start(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        if self.defect == Defect::AcceptsBeforeTheDisk {
            drop(std::fs::remove_file(node.dir.path().join("pending")));
        }
        (node.list, node.applied) = node.stored.clone();
        node.outbox = Some(open(node.dir.path(), number, &node.list));
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
            self.clients.hear();
            if self.nodes.iter().filter_map(|node| node.outbox.as_ref()).all(is_empty) {
                return;
            }
        }
    }
}

/// Nothing waits in it, also not on disk.
pub(super) fn is_empty(outbox: &Outbox) -> bool {
    outbox.len() == 0 && outbox.state.lock().kept.is_none()
}

impl Defect {
    /// What a node that applies wrongly makes of a batch.
    pub(super) fn spoil(self, batch: &mut Batch, node: usize, index: u64) {
        match self {
            Defect::SkipsTheSequences => {
                batch.origin.node += 1000 * index;
                batch.first_sequence = 1;
            }
            Defect::AppliesByItsClock if node == 1 => {
                batch.commands.iter_mut().for_each(|command| command.time = Timestamp(index as i64));
            }
            _ => {}
        }
    }
}

fn run(seed: u64, defect: Defect) {
    let mut world = World::new(seed, defect);
    for _ in 0..STEPS {
        world.step();
    }
    world.heal();
    let lists: Vec<&List> = world.nodes.iter().map(|node| &node.list).collect();
    all_are_the_same(&lists);
    world.clients.judge(lists[0]);
}

#[test]
fn what_is_acknowledged_or_accepted_counts_once_under_every_seed() {
    every_seed(SEEDS, run);
}

#[test]
fn every_defect_is_found() {
    for defect in [Defect::AcceptsBeforeTheDisk, Defect::SkipsTheSequences, Defect::AppliesByItsClock] {
        is_found(defect, 100, run);
    }
}
