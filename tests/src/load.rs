//! Writers on every node, what they were told, and whether the list agrees with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;

/// How long a writer waits for one answer before it counts it as unknown.
const WRITE_WITHIN: Duration = Duration::from_secs(8);
/// Addresses that every writer adds again and again.
const SHARED_ADDRESSES: u64 = 40;

/// Writers at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Ledger>>,
}

/// What the writers know about each address.
#[derive(Debug, Default)]
pub struct Ledger {
    /// When each acknowledgement came.
    pub acknowledged_at: Vec<Instant>,
    /// Requests that no node of those tried took.
    pub failed: Vec<String>,
    adds: BTreeMap<String, Adds>,
}

/// The adds of one address.
#[derive(Clone, Copy, Debug, Default)]
struct Adds {
    /// Answered 201.
    listed: u64,
    /// Answered 200.
    sighted: u64,
    /// Answered 202: counts in the end. No story takes the disk of a node that was written to.
    accepted: u64,
    /// Answered otherwise, or not at all: may have counted.
    unknown: u64,
}

impl Load {
    /// Starts `count` writers; each walks over the nodes and adds addresses of its own and shared ones.
    pub fn start(urls: &[String], username: &str, password: &str, count: usize) -> Load {
        Load::start_trying(1, urls, username, password, count)
    }

    /// The same with writers that go on to the next node, until they have tried so many, when one does not take a
    /// write.
    pub fn start_trying(tries: usize, urls: &[String], username: &str, password: &str, count: usize) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let writers = (0..count)
            .map(|writer| {
                let stop = stop.clone();
                let clients: Vec<Client> =
                    urls.iter().map(|url| Client::new(url, WRITE_WITHIN).basic(username, password)).collect();
                thread::spawn(move || write(writer, tries, &clients, &stop))
            })
            .collect();
        Load { stop, writers }
    }

    /// Lets every writer finish the request it is in, and joins what they know.
    pub fn stop(self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Ledger::default();
        for writer in self.writers {
            all.join(writer.join().expect("a writer does not panic"));
        }
        all.acknowledged_at.sort();
        all
    }
}

fn write(writer: usize, tries: usize, clients: &[Client], stop: &AtomicBool) -> Ledger {
    let mut ledger = Ledger::default();
    let mut turn: u64 = 0;
    while !stop.load(Ordering::Relaxed) {
        let number = turn / 2;
        let address = if turn.is_multiple_of(2) {
            format!("198.51.100.{}", number % SHARED_ADDRESSES)
        } else {
            format!("45.{}.{}.{}", 100 + writer, number / 256 % 256, number % 256)
        };
        let first = writer + turn as usize;
        let told = (first..first + tries)
            .map(|number| ledger.add(&clients[number % clients.len()], &address))
            .take_while(Result::is_err)
            .filter_map(Result::err);
        let told: Vec<String> = told.collect();
        if told.len() == tries {
            ledger.failed.push(told.join(", then "));
        }
        turn += 1;
    }
    ledger
}

impl Ledger {
    /// Adds an address through a client and notes the answer; gives it as an error when the write was not taken.
    pub fn add(&mut self, client: &Client, address: &str) -> Result<(), String> {
        let sent = client.request("POST", "/ip/add").json(&json!({"ip": address})).try_send();
        let adds = self.adds.entry(address.to_owned()).or_default();
        match sent {
            Ok(answer) if answer.status == 201 => adds.listed += 1,
            Ok(answer) if answer.status == 200 => adds.sighted += 1,
            Ok(answer) if answer.status == 202 => {
                adds.accepted += 1;
                return Ok(());
            }
            other => {
                adds.unknown += 1;
                return Err(match other {
                    Ok(answer) => format!("{answer:?}"),
                    Err(error) => error.to_string(),
                });
            }
        }
        self.acknowledged_at.push(Instant::now());
        Ok(())
    }

    /// How many adds were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged_at.len()
    }

    /// How many adds were answered by an error, or not at all.
    pub fn unknown(&self) -> u64 {
        self.adds.values().map(|adds| adds.unknown).sum()
    }

    /// The first acknowledgement after a moment, counted from it.
    pub fn first_after(&self, moment: Instant) -> Option<Duration> {
        self.acknowledged_at.iter().find(|at| **at > moment).map(|at| *at - moment)
    }

    /// Judges a list (the JSON array of `/ip/all`): every acknowledged add counted exactly once, an unknown
    /// one at most once, and nothing else is listed.
    #[track_caller]
    pub fn judge(&self, list: &Value) {
        let entries = list.as_array().expect("the list is an array");
        let mut counted = BTreeMap::new();
        for entry in entries {
            let value = entry["value"].as_str().expect("an entry has a value");
            let sighting = entry["sighting"].as_u64().expect("an entry has its sightings");
            assert!(counted.insert(value, sighting + 1).is_none(), "{value} is listed twice");
            assert!(self.adds.contains_key(value), "{value} is listed, and nobody added it");
        }
        for (address, adds) in &self.adds {
            let reports = counted.get(address.as_str()).copied().unwrap_or(0);
            let sure = adds.listed + adds.sighted + adds.accepted;
            let possible = sure..=sure + adds.unknown;
            assert!(possible.contains(&reports), "{address} counts {reports} reports, but was told {adds:?}");
            assert!(adds.listed <= 1, "{address} was told to be new {} times", adds.listed);
        }
    }

    fn join(&mut self, other: Ledger) {
        self.acknowledged_at.extend(other.acknowledged_at);
        self.failed.extend(other.failed);
        for (address, adds) in other.adds {
            let sum = self.adds.entry(address).or_default();
            sum.listed += adds.listed;
            sum.sighted += adds.sighted;
            sum.accepted += adds.accepted;
            sum.unknown += adds.unknown;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use serde_json::{Value, json};

    use super::{Adds, Ledger};

    /// What the writers were told of one address, against what the list says.
    #[track_caller]
    fn check(adds: Adds, list: Value, holds: bool) {
        let ledger = Ledger { adds: [("198.51.100.1".to_owned(), adds)].into(), ..Ledger::default() };
        let judged = catch_unwind(|| ledger.judge(&list));
        assert_eq!(judged.is_ok(), holds, "{adds:?} against {list}");
    }

    fn listed(sighting: u64) -> Value {
        json!([{"value": "198.51.100.1", "sighting": sighting}])
    }

    #[test]
    fn a_lost_or_doubled_write_is_found() {
        let told = |listed, sighted, unknown| Adds { listed, sighted, unknown, ..Adds::default() };
        let accepted = |accepted| Adds { accepted, ..Adds::default() };
        check(accepted(2), listed(1), true);
        check(accepted(1), json!([]), false); // What was accepted is lost.
        check(accepted(1), listed(1), false); // What was accepted counts twice.
        check(told(1, 2, 0), listed(2), true);
        check(told(1, 2, 0), listed(1), false); // A sighting is lost.
        check(told(1, 2, 0), listed(3), false); // A sighting counts twice.
        check(told(1, 0, 0), json!([]), false); // The entry is lost.
        check(told(0, 0, 1), json!([]), true); // Nobody knows, and it was not done.
        check(told(0, 0, 1), listed(0), true); // Nobody knows, and it was done.
        check(told(0, 0, 1), listed(1), false); // It was done twice.
        check(told(2, 0, 0), listed(1), false); // Two writers were told that it was new.
        check(told(1, 0, 0), json!([{"value": "198.51.100.2", "sighting": 0}]), false); // Nobody added this.
    }
}
