//! What clients asked for, what they were told, and whether the list agrees with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::Chance;
use crate::blocklist::{
    Actor, Command, Kind, Line, List, Observable, Once, Operation, Outcome, Report, Role, Timestamp,
};
use crate::cluster::Submitted;
use crate::outbox::Outbox;
use crate::outbox::state::Answer;

/// Few addresses, so that adds meet.
const ADDRESSES: u64 = 6;

/// A request of a client, as the client sees it.
struct Asked {
    address: u64,
    /// Requests with the same name count once.
    name: Option<u64>,
    node: usize,
    ticket: u64,
    answer: Option<oneshot::Receiver<Answer>>,
    told: Told,
    /// It was answered when it was in the list.
    written: bool,
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

/// Everybody who adds addresses.
#[derive(Default)]
pub(super) struct Clients {
    asked: Vec<Asked>,
    names: u64,
}

fn observable(address: u64) -> Observable {
    Observable::parse(Kind::Ip, &format!("192.0.2.{address}")).unwrap()
}

impl Clients {
    /// A client adds an address; some give their request a name, and some repeat one.
    pub(super) fn ask(&mut self, chance: &Chance, node: usize, outbox: &Outbox) {
        let repeated =
            self.asked.iter().filter_map(|asked| Some((asked.name?, asked.address))).collect::<Vec<_>>();
        let (name, address) = match chance.below(4) {
            0 if !repeated.is_empty() => {
                let (name, address) = repeated[chance.below(repeated.len() as u64) as usize];
                (Some(name), address)
            }
            1 => {
                self.names += 1;
                (Some(self.names), chance.below(ADDRESSES))
            }
            _ => (None, chance.below(ADDRESSES)),
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
        self.asked.push(Asked {
            address,
            name,
            node,
            ticket,
            answer: Some(answer),
            told: Told::Nothing,
            written: false,
        });
    }

    /// A client's patience ends: its report is accepted, or taken back, or nobody knows.
    pub(super) fn stop_waiting<'a>(
        &mut self,
        chance: &Chance,
        runtime: &Runtime,
        outbox: impl Fn(usize) -> Option<&'a Outbox>,
    ) {
        let waiting: Vec<usize> =
            (0..self.asked.len()).filter(|at| self.asked[*at].told == Told::Nothing).collect();
        if waiting.is_empty() {
            return;
        }
        let asked = &mut self.asked[waiting[chance.below(waiting.len() as u64) as usize]];
        let Some(outbox) = outbox(asked.node) else { return };
        if chance.below(3) == 0 {
            let taken = outbox.state.lock().take_back(&[asked.ticket]) == 1;
            asked.told = if taken { Told::TakenBack } else { Told::Unknown };
            asked.answer = None;
        } else {
            assert!(outbox.accept_soon(&[asked.ticket]));
            runtime.block_on(outbox.keep()).unwrap();
        }
    }

    /// A node is gone, and with it the connections of those who wait for it.
    pub(super) fn lose(&mut self, node: usize) {
        let waiting = |asked: &&mut Asked| asked.node == node && asked.told == Told::Nothing;
        self.asked.iter_mut().filter(waiting).for_each(|asked| asked.told = Told::Unknown);
    }

    /// Clients read what they were told.
    pub(super) fn hear(&mut self) {
        for asked in &mut self.asked {
            let Some(answer) = &mut asked.answer else { continue };
            let told = match answer.try_recv() {
                Ok(Ok(Submitted::Accepted(_))) => Told::Counts,
                Ok(Ok(Submitted::Written(written))) => match first(&written.outcome) {
                    Some(Line::Added | Line::Sighted) => {
                        asked.written = true;
                        Told::Counts
                    }
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

    /// What was answered when it was in the list, up to now.
    pub(super) fn written(&mut self) -> Written {
        self.hear();
        let mut written = Written::default();
        for (number, asked) in self.asked.iter().enumerate().filter(|(_, asked)| asked.written) {
            let request = asked.name.ok_or(number);
            written.0.entry(asked.address).or_default().insert(request);
        }
        written
    }

    /// How many requests there were, and how many were told to count.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.asked.len(), self.asked.iter().filter(|asked| asked.told == Told::Counts).count())
    }

    /// What was told to count counts once, what was taken back does not, and the rest once at most.
    pub(super) fn judge(&self, list: &List) {
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
            let entry = list.get(&observable(address));
            let counted = entry.map_or(0, |entry| entry.sighting + 1);
            assert!(
                (sure..=sure + perhaps).contains(&counted),
                "address {address} was counted {counted} times, and {sure} to {} is right",
                sure + perhaps
            );
        }
    }
}

/// Requests of each address; those with the same name are one.
#[derive(Default)]
pub(super) struct Written(BTreeMap<u64, BTreeSet<Result<u64, usize>>>);

impl Written {
    /// An address of which a list has counted fewer.
    pub(super) fn missed_by(&self, list: &List) -> Option<Observable> {
        let counted = |address: &Observable| list.get(address).map_or(0, |entry| entry.sighting + 1);
        let short = |(address, requests): (&u64, &BTreeSet<_>)| {
            let address = observable(*address);
            (counted(&address) < requests.len() as u64).then_some(address)
        };
        self.0.iter().find_map(short)
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
