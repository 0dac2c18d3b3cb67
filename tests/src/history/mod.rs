//! A recorded history: every request of the writers and readers, when it was under way, and what came of it.

mod judge;
mod register;
mod witnesses;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use judge::{Finding, Promise};
pub use witnesses::Witnesses;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An add.
    Add,
    /// A lookup of what the node has.
    Lookup,
    /// A lookup with `min_index`.
    LookupAt(u64),
    /// A lookup with `consistency=linearizable`.
    LookupNow,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 201: the add has listed the address.
    Listed,
    /// 200: the add has counted one sighting more.
    Sighted,
    /// 202: the add will count, once.
    Promised,
    /// The lookup found so many reports: its sightings and the one that listed it; 0 when it is not listed.
    Reports(u64),
    /// The add may count, at any time, or never.
    Unknown,
    /// The add was not done, or the lookup was not answered.
    NotDone,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asked.
    pub session: usize,
    /// The node that was asked.
    pub node: usize,
    /// What for.
    pub action: Action,
    /// About which address.
    pub address: String,
    /// When, counted from the beginning of the history.
    pub start: Duration,
    /// When the answer was there, or was not waited for any more.
    pub end: Duration,
    /// The answer.
    pub outcome: Outcome,
    /// Its `Stockade-Index`.
    pub index: Option<u64>,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { session, node, action, address, start, end, outcome, index } = self;
        write!(
            f,
            "{start:.3?}..{end:.3?} session {session}, node {node}: {action:?} {address} → {outcome:?}"
        )?;
        index.map_or(Ok(()), |index| write!(f, " at {index}"))
    }
}

/// All requests, in the order of their ends.
#[derive(Clone, Debug)]
pub struct History {
    began: Instant,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl History {
    /// Nothing yet.
    pub fn new() -> History {
        History { began: Instant::now(), requests: Arc::default() }
    }

    /// The time in this history.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Takes a request down.
    pub fn record(&self, request: Request) {
        self.requests.lock().expect("nobody panics with the lock").push(request);
    }

    /// All of them.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("nobody panics with the lock").clone()
    }

    /// How many adds were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.count(|request| {
            matches!(request.outcome, Outcome::Listed | Outcome::Sighted | Outcome::Promised)
        })
    }

    /// How many adds nobody knows the outcome of.
    pub fn unknown(&self) -> usize {
        self.count(|request| request.outcome == Outcome::Unknown)
    }

    /// How many lookups were answered.
    pub fn looked_up(&self) -> usize {
        self.count(|request| matches!(request.outcome, Outcome::Reports(_)))
    }

    /// The longest time without an acknowledged add between two moments.
    pub fn silence(&self, began: Duration, ended: Duration) -> Duration {
        let requests = self.requests();
        let adds = requests.iter().filter(|one| matches!(one.outcome, Outcome::Listed | Outcome::Sighted));
        let mut moments: Vec<Duration> =
            adds.map(|add| add.end).filter(|end| (began..ended).contains(end)).collect();
        moments.extend([began, ended]);
        moments.sort();
        moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    fn count(&self, fits: impl Fn(&Request) -> bool) -> usize {
        self.requests.lock().expect("nobody panics with the lock").iter().filter(|one| fits(one)).count()
    }
}

impl Default for History {
    fn default() -> History {
        History::new()
    }
}
