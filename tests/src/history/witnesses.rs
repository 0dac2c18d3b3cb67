//! Writers and readers on every node who take down what they ask and what they are told.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockWriteGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::chance::Chance;
use crate::client::{Answer, Client};
use crate::history::{Action, History, Outcome, Request};
use crate::wait::pause;

/// How long one answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// Requests about one address; then it rests. The judge tries their orders.
const REQUESTS_PER_ADDRESS: u64 = 12;
/// Addresses in use at the same time: few, so that sessions meet at them.
const ADDRESSES_AT_ONCE: u64 = 3;
/// A session that is answered faster waits: a history is judged by what happens in it, not by its length.
const REQUEST_INTERVAL: Duration = Duration::from_millis(15);
/// How long a node may take to answer the first write after a fault, and how often it is asked.
const TRY_WITHIN: Duration = Duration::from_secs(1);
const TRY_INTERVAL: Duration = Duration::from_millis(50);
const TRIES_PER_ADDRESS: u64 = 20;
/// Enough for half a minute of tries.
const ADDRESSES_PER_PROBE: u64 = 32;

/// Sessions at work.
pub struct Witnesses {
    history: History,
    stop: Arc<AtomicBool>,
    /// Held for reading while a request is under way.
    at_work: Arc<RwLock<()>>,
    sessions: Vec<JoinHandle<()>>,
    urls: Vec<String>,
    username: String,
    password: String,
    probes: AtomicU64,
}

/// One that asks.
struct Session {
    number: usize,
    history: History,
    at_work: Arc<RwLock<()>>,
    /// The highest index it was told.
    index: u64,
}

impl Witnesses {
    /// Starts `count` sessions: every other one stays at a node, so that a node in trouble does not hold up all of
    /// them, and the rest ask any node.
    pub fn start(urls: &[String], username: &str, password: &str, count: usize, seed: u64) -> Witnesses {
        let history = History::new();
        let (stop, turn) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let at_work: Arc<RwLock<()>> = Arc::default();
        let mut seeds = Chance::seeded(seed);
        let sessions = (0..count)
            .map(|number| {
                let (stop, turn) = (stop.clone(), turn.clone());
                let chance = Chance::seeded(seeds.number());
                let clients: Vec<Client> = urls
                    .iter()
                    .map(|url| Client::new(url, ANSWER_WITHIN).basic(username, password))
                    .collect();
                let session =
                    Session { number, history: history.clone(), at_work: at_work.clone(), index: 0 };
                thread::spawn(move || session.work(&clients, chance, &turn, &stop))
            })
            .collect();
        let (username, password) = (username.to_owned(), password.to_owned());
        Witnesses {
            history,
            stop,
            at_work,
            sessions,
            urls: urls.to_vec(),
            username,
            password,
            probes: AtomicU64::new(0),
        }
    }

    /// What they have taken down so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Waits until no request is under way; none begins before the guard is gone.
    pub fn rest(&self) -> RwLockWriteGuard<'_, ()> {
        self.at_work.write().expect("nobody panics with the lock")
    }

    /// Adds an address on every node, each until it is acknowledged, and gives the time that the slowest took.
    /// A node that has not done it within the limit has used it up.
    pub fn recovery(&self, limit: Duration) -> Duration {
        let began = Instant::now();
        thread::scope(|scope| {
            for (node, url) in self.urls.iter().enumerate() {
                let probe = self.probes.fetch_add(1, Ordering::Relaxed);
                let client = Client::new(url, TRY_WITHIN).basic(&self.username, &self.password);
                // A number that no session has.
                let number = self.sessions.len() + probe as usize;
                let (history, at_work) = (self.history.clone(), self.at_work.clone());
                let mut session = Session { number, history, at_work, index: 0 };
                scope.spawn(move || {
                    let mut tries = 0;
                    while began.elapsed() < limit {
                        let number = probe * ADDRESSES_PER_PROBE + tries / TRIES_PER_ADDRESS;
                        let address =
                            format!("46.{}.{}.{}", number / 65_536, number / 256 % 256, number % 256);
                        if session.add(node, &client, &address) {
                            return;
                        }
                        tries += 1;
                        pause(TRY_INTERVAL);
                    }
                });
            }
        });
        began.elapsed()
    }

    /// Lets every session finish what it is at.
    #[track_caller]
    pub fn stop(self) -> History {
        self.stop.store(true, Ordering::Relaxed);
        for session in self.sessions {
            session.join().expect("a session does not panic");
        }
        self.history
    }
}

impl Session {
    fn work(mut self, clients: &[Client], mut chance: Chance, turn: &AtomicU64, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            let address = address(turn.fetch_add(1, Ordering::Relaxed));
            let node = match self.number.is_multiple_of(2) {
                true => self.number / 2 % clients.len(),
                false => chance.below(clients.len() as u64) as usize,
            };
            match chance.below(100) {
                0..45 => drop(self.add(node, &clients[node], &address)),
                45..65 => self.look_up(node, &clients[node], &address, Action::LookupNow),
                65..90 => self.look_up(node, &clients[node], &address, Action::LookupAt(self.index)),
                _ => self.look_up(node, &clients[node], &address, Action::Lookup),
            }
            pause(REQUEST_INTERVAL.saturating_sub(began.elapsed()));
        }
    }

    /// Whether it was acknowledged.
    fn add(&mut self, node: usize, client: &Client, address: &str) -> bool {
        let at_work = self.at_work.clone();
        let _at_work = at_work.read().expect("nobody panics with the lock");
        let start = self.history.now();
        let sent = client.request("POST", "/ip/add").json(&json!({"ip": address})).try_send();
        let outcome = match &sent {
            Ok(answer) => told(answer),
            // Nobody was there to act on it.
            Err(ureq::Error::Io(error)) if error.kind() == ErrorKind::ConnectionRefused => Outcome::NotDone,
            Err(ureq::Error::ConnectionFailed) => Outcome::NotDone,
            Err(_) => Outcome::Unknown,
        };
        let index = sent.ok().as_ref().and_then(index).filter(|_| outcome != Outcome::NotDone);
        self.take_down(node, Action::Add, address, start, outcome, index);
        matches!(outcome, Outcome::Listed | Outcome::Sighted)
    }

    fn look_up(&mut self, node: usize, client: &Client, address: &str, action: Action) {
        let freshness = match action {
            Action::LookupNow => "&consistency=linearizable".to_owned(),
            Action::LookupAt(index) => format!("&min_index={index}&pending=exclude"),
            _ => "&pending=exclude".to_owned(),
        };
        let at_work = self.at_work.clone();
        let _at_work = at_work.read().expect("nobody panics with the lock");
        let start = self.history.now();
        let answer = client.try_get(&format!("/ip/{address}?fields=sighting{freshness}"));
        let reports = answer.as_ref().and_then(reports);
        let outcome = reports.map_or(Outcome::NotDone, Outcome::Reports);
        let index = reports.and(answer.as_ref().and_then(index));
        self.take_down(node, action, address, start, outcome, index);
    }

    fn take_down(
        &mut self,
        node: usize,
        action: Action,
        address: &str,
        start: Duration,
        outcome: Outcome,
        index: Option<u64>,
    ) {
        self.index = self.index.max(index.unwrap_or(0));
        let (session, end, address) = (self.number, self.history.now(), address.to_owned());
        self.history.record(Request { session, node, action, address, start, end, outcome, index });
    }
}

/// The address of a turn: some at the same time, each so many times.
fn address(turn: u64) -> String {
    let block = ADDRESSES_AT_ONCE * REQUESTS_PER_ADDRESS;
    let number = turn / block * ADDRESSES_AT_ONCE + turn % ADDRESSES_AT_ONCE;
    format!("45.{}.{}.{}", 100 + number / 65_536, number / 256 % 256, number % 256)
}

fn told(answer: &Answer) -> Outcome {
    match answer.status {
        201 => Outcome::Listed,
        200 => Outcome::Sighted,
        202 => Outcome::Promised,
        // The message says when it was taken back.
        503 if String::from_utf8_lossy(&answer.body).contains("nothing was done") => Outcome::NotDone,
        400..500 => Outcome::NotDone,
        _ => Outcome::Unknown,
    }
}

fn reports(answer: &Answer) -> Option<u64> {
    match answer.status {
        200 => answer.json()[0]["sighting"].as_u64().map(|sighting| sighting + 1),
        404 => Some(0),
        _ => None,
    }
}

fn index(answer: &Answer) -> Option<u64> {
    answer.header("stockade-index")?.parse().ok()
}
