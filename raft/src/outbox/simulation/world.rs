//! Nodes with the real Raft core, and what happens to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::SimRuntime;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::clients::Clients;
use super::disk::{Disk, Log};
use super::machine::{Machine, Order, Stored};
use super::model::is_empty;
use super::node::Run;
use super::wires::{Line, Wires};
use super::{Chance, Defect, NODES, all_are_the_same, directory, every_seed, is_found, open};
use crate::blocklist::List;
use crate::cluster::Address;
use crate::concluding::read_index;
use crate::network::Told;

/// Seeds of an ordinary run.
const SEEDS: u64 = 200;
/// Steps before the faults end.
const STEPS: u64 = 120;
/// Everything is in the list of everybody so long after the faults have ended.
const HEALED_WITHIN: Duration = Duration::from_secs(120);

/// What outlives the runs of a node.
struct Place {
    dir: TempDir,
    disk: Arc<Mutex<Disk>>,
    stored: Arc<Mutex<Stored>>,
    run: Option<Run>,
}

struct World {
    chance: Chance,
    defect: Defect,
    tokio: Arc<Runtime>,
    wires: Wires,
    places: Vec<Place>,
    clients: Arc<Mutex<Clients>>,
    /// What a linearizable read did not find, though it was written before.
    missed: Arc<Mutex<Option<String>>>,
    order: Order,
}

impl World {
    fn new(seed: u64, defect: Defect) -> World {
        let chance = Chance::seeded(seed);
        let place = |_| Place { dir: directory(), disk: Arc::default(), stored: Arc::default(), run: None };
        World {
            wires: Wires::new(chance.clone()),
            chance,
            defect,
            tokio: Arc::new(Builder::new_current_thread().build().unwrap()),
            places: (0..NODES).map(place).collect(),
            clients: Arc::default(),
            missed: Arc::default(),
            order: Order::default(),
        }
    }

    async fn start(&mut self, number: usize) {
        let place = &mut self.places[number];
        if place.run.is_some() {
            return;
        }
        if self.defect == Defect::AcceptsBeforeTheDisk {
            drop(std::fs::remove_file(place.dir.path().join("pending")));
        }
        place.stored.lock().close_gap(place.disk.lock().last());
        let still = place.stored.lock().still.clone();
        let alive = Arc::new(AtomicBool::new(true));
        let machine = Machine {
            number,
            outbox: Arc::new(open(place.dir.path(), number, &still.list)),
            now: Arc::new(Mutex::new(still)),
            stored: place.stored.clone(),
            alive: alive.clone(),
            order: self.order.clone(),
            chance: self.chance.clone(),
            defect: self.defect,
        };
        let lies = self.defect == Defect::AcknowledgesBeforeTheFlush;
        let log = Log::open(&place.disk, self.chance.clone(), lies);
        let id = number as u64 + 1;
        let line = Line { wires: self.wires.clone(), from: id, to: id, alive };
        place.run = Some(Run::start(log, machine, line, self.tokio.clone(), self.defect).await);
    }

    fn kill(&mut self, number: usize) {
        let Some(run) = self.places[number].run.take() else { return };
        self.clients.lock().hear();
        self.clients.lock().lose(number);
        self.wires.go(number as u64 + 1);
        run.kill();
    }

    fn runs(&self) -> impl Iterator<Item = &Run> {
        self.places.iter().filter_map(|place| place.run.as_ref())
    }

    fn any_node(&self) -> usize {
        self.chance.below(NODES as u64) as usize
    }

    async fn step(&mut self) {
        let number = self.any_node();
        let id = number as u64 + 1;
        match self.chance.below(100) {
            0..50 => {
                for _ in 0..self.chance.below(4) + 1 {
                    if let Some(run) = &self.places[number].run {
                        self.clients.lock().ask(&self.chance, number, &run.outbox);
                    }
                }
                (0..NODES).for_each(|number| self.read(number));
            }
            50..60 => {
                let outbox = |node: usize| self.places[node].run.as_ref().map(|run| &*run.outbox);
                self.clients.lock().stop_waiting(&self.chance, &self.tokio, outbox);
            }
            60..70 if self.places[number].run.is_none() => self.start(number).await,
            60..66 => self.kill(number),
            66..70 => {}
            70..73 => {
                (0..NODES).for_each(|number| self.kill(number));
                for number in 0..NODES {
                    self.start(number).await;
                }
            }
            73..80 => self.part(id),
            80..84 => self.wires.spoil(self.chance.below(25), self.chance.percent(30)),
            84..92 => self.wires.heal(),
            92..95 => {
                if let Some(run) = &self.places[number].run {
                    // A core that has just ended takes no orders.
                    drop(run.raft.trigger().snapshot().await);
                }
            }
            95..97 => {
                let to = self.any_node() as u64 + 1;
                if let Some(run) = &self.places[number].run {
                    drop(run.raft.trigger().transfer_leader(to).await);
                }
            }
            _ => SimRuntime::sleep(self.chance.between_ms(1000, 4000)).await,
        }
        self.clients.lock().hear();
        SimRuntime::sleep(self.chance.between_ms(2, 300)).await;
        self.cores_live();
        assert_eq!(*self.missed.lock(), None);
    }

    /// A core ends by a kill alone: no fault makes it give up.
    fn cores_live(&self) {
        for (number, place) in self.places.iter().enumerate() {
            let Some(run) = &place.run else { continue };
            if let Err(error) = &run.raft.metrics().borrow_watched().running_state {
                panic!("the core of node {} has ended: {error}", number + 1);
            }
        }
    }

    /// A node that leads is asked for a linearizable read in a moment.
    fn read(&self, number: usize) {
        let Some(run) = &self.places[number].run else { return };
        let (raft, now, alive) = (run.raft.clone(), run.now.clone(), run.alive.clone());
        let told = match self.defect {
            Defect::ReadsWithoutWhatWasTold => Told::default(),
            _ => run.told.clone(),
        };
        let (clients, missed) = (self.clients.clone(), self.missed.clone());
        let delay = self.chance.between_ms(1, 100);
        SimRuntime::spawn(async move {
            SimRuntime::sleep(delay).await;
            let written = clients.lock().written();
            let Ok(index) = read_index(&raft, &told).await else { return };
            while now.lock().last.is_none_or(|id| id.index < index) {
                SimRuntime::sleep(Duration::from_millis(1)).await;
                if !alive.load(Ordering::Relaxed) {
                    return;
                }
            }
            if let Some(address) = written.missed_by(&now.lock().list) {
                *missed.lock() = Some(format!("a read at index {index} misses a sighting of {address}"));
            }
        });
    }

    /// A node hears nothing, or is heard by nobody, or both, or of one other node only.
    fn part(&self, id: u64) {
        let (deaf, mute) = (self.chance.percent(60), self.chance.percent(60));
        let from_one = self.chance.percent(30).then(|| self.any_node() as u64 + 1);
        for other in
            (1..=NODES as u64).filter(|other| *other != id && from_one.is_none_or(|one| one == *other))
        {
            if deaf {
                self.wires.hold(other, id);
            }
            if mute {
                self.wires.hold(id, other);
            }
        }
    }

    async fn live(&mut self) {
        for number in 0..NODES {
            self.start(number).await;
        }
        let members: BTreeMap<u64, Address> = (1..=NODES as u64).map(|id| (id, Address::default())).collect();
        if let Some(run) = &self.places[0].run {
            run.raft.initialize(members).await.unwrap();
        }
        // A cluster that is not there yet has nothing to lose.
        while self.runs().any(|run| run.index() == 0) {
            SimRuntime::sleep(Duration::from_millis(50)).await;
        }
        for _ in 0..STEPS {
            self.step().await;
        }
        self.heal().await;
    }

    /// The faults end: all nodes run, and everything is handed on and applied.
    async fn heal(&mut self) {
        self.wires.heal();
        for number in 0..NODES {
            self.start(number).await;
        }
        let mut waited = Duration::ZERO;
        loop {
            self.clients.lock().hear();
            let runs: Vec<&Run> = self.runs().collect();
            let level = runs.iter().all(|run| run.index() == runs[0].index());
            if level && runs.iter().all(|run| is_empty(&run.outbox)) {
                return;
            }
            assert!(waited < HEALED_WITHIN, "something is never handed on: {}", self.standing());
            SimRuntime::sleep(Duration::from_millis(50)).await;
            waited += Duration::from_millis(50);
        }
    }

    fn standing(&self) -> String {
        let each = self.runs().map(|run| format!("index {} and {} waiting", run.index(), run.outbox.len()));
        each.collect::<Vec<_>>().join(", ")
    }

    fn judge(&self) {
        let lists: Vec<List> = self.runs().map(|run| run.now.lock().list.clone()).collect();
        all_are_the_same(&lists.iter().collect::<Vec<_>>());
        self.clients.lock().judge(&lists[0]);
    }
}

/// One life of the cluster; what happened, in short.
fn life(seed: u64, defect: Defect) -> String {
    let mut runtime = SimRuntime::with_seed(seed);
    let mut world = World::new(seed, defect);
    runtime.block_on(world.live());
    world.judge();
    let (asked, counted) = world.clients.lock().counts();
    let order = world.order.lock();
    format!("{asked} adds, {counted} acknowledged, {} entries: {:?}", order.len(), order.last_key_value())
}

fn run(seed: u64, defect: Defect) {
    life(seed, defect);
}

#[test]
fn what_is_acknowledged_or_accepted_counts_once_over_the_real_core() {
    every_seed(SEEDS, run);
}

#[test]
fn a_seed_is_the_same_life_again() {
    for seed in [7, 8] {
        // Whatever else happens at the same time.
        let beside = thread::spawn(move || life(seed, Defect::None));
        assert_eq!(life(seed, Defect::None), beside.join().unwrap());
    }
}

#[test]
fn every_defect_is_found_over_the_real_core() {
    let defects = [
        Defect::AcceptsBeforeTheDisk,
        Defect::SkipsTheSequences,
        Defect::AppliesByItsClock,
        Defect::AcknowledgesBeforeTheFlush,
        Defect::LeadsOnAfterAKill,
        Defect::ConcludesBeforeTheFlush,
        Defect::ReadsWithoutWhatWasTold,
    ];
    for defect in defects {
        is_found(defect, 100, run);
    }
}
