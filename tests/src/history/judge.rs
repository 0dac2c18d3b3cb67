//! Whether a history can be that of a list that keeps its promises.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::history::register::is_linearizable;
use crate::history::{Action, History, Outcome, Request};

/// The findings that are shown; one fault has many.
const SHOWN_MAX: usize = 5;

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which one.
    pub promise: Promise,
    /// The address.
    pub address: String,
    /// What is wrong with it.
    pub reason: String,
    /// Everything that was asked about it.
    pub requests: Vec<Request>,
}

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Adds and linearizable lookups happen one after the other.
    Linearizable,
    /// An acknowledged add is on the list.
    NothingLost,
    /// An add counts once, and nothing is listed that nobody has added.
    CountedOnce,
    /// With `min_index`, nobody sees an older list than before.
    NeverBack,
    /// The same index is the same list, on every node.
    SameAtIndex,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} is broken for {}: {}", self.promise, self.address, self.reason)?;
        self.requests.iter().try_for_each(|request| writeln!(f, "    {request}"))
    }
}

impl History {
    /// All broken promises, given the list at the end (the JSON array of `/ip/all`).
    pub fn findings(&self, list: &Value) -> Vec<Finding> {
        let requests = self.requests();
        let counted = reports_by_address(list);
        let mut by_address: BTreeMap<&str, Vec<&Request>> = BTreeMap::new();
        for request in &requests {
            by_address.entry(&request.address).or_default().push(request);
        }
        let mut findings = Vec::new();
        for address in counted.keys().filter(|address| !by_address.contains_key(address.as_str())) {
            let reason = "it is listed, and nobody has added it".to_owned();
            let promise = Promise::CountedOnce;
            findings.push(Finding { promise, address: address.clone(), reason, requests: Vec::new() });
        }
        for (address, about) in by_address {
            let at_the_end = counted.get(address).copied().unwrap_or(0);
            for (promise, reason) in broken(&about, at_the_end) {
                let requests = about.iter().copied().cloned().collect();
                findings.push(Finding { promise, address: address.to_owned(), reason, requests });
            }
        }
        findings
    }

    /// Fails the story with the first of the findings.
    #[track_caller]
    pub fn judge(&self, list: &Value) {
        let findings = self.findings(list);
        let shown: String = findings.iter().take(SHOWN_MAX).map(Finding::to_string).collect();
        assert!(findings.is_empty(), "{} promises are broken:\n{shown}", findings.len());
    }
}

fn reports_by_address(list: &Value) -> BTreeMap<String, u64> {
    let entries = list.as_array().expect("the list is an array");
    let mut counted = BTreeMap::new();
    for entry in entries {
        let value = entry["value"].as_str().expect("an entry has a value");
        let sighting = entry["sighting"].as_u64().expect("an entry has its sightings");
        *counted.entry(value.to_owned()).or_default() += sighting + 1;
    }
    counted
}

fn broken(about: &[&Request], at_the_end: u64) -> Vec<(Promise, String)> {
    let mut broken = Vec::new();
    if !is_linearizable(about) {
        broken.push((Promise::Linearizable, "no order explains the answers".to_owned()));
    }
    broken.extend(count(about, at_the_end));
    broken.extend(went_back(about));
    broken.extend(differs_at_an_index(about));
    broken
}

/// The list counts what was acknowledged, and at most what may have come.
fn count(about: &[&Request], at_the_end: u64) -> Option<(Promise, String)> {
    let adds = || about.iter().filter(|request| request.action == Action::Add);
    let sure = adds()
        .filter(|add| matches!(add.outcome, Outcome::Listed | Outcome::Sighted | Outcome::Promised))
        .count() as u64;
    let unknown = adds().filter(|add| add.outcome == Outcome::Unknown).count() as u64;
    let reason = format!("{at_the_end} reports at the end; {sure} were acknowledged, {unknown} are unknown");
    match at_the_end {
        few if few < sure => Some((Promise::NothingLost, reason)),
        many if many > sure + unknown => Some((Promise::CountedOnce, reason)),
        _ => None,
    }
}

/// A lookup with `min_index` stands at that index at least, and has all that its session has seen or done by then.
fn went_back(about: &[&Request]) -> Option<(Promise, String)> {
    let mut seen: BTreeMap<usize, u64> = BTreeMap::new();
    // A session asks one thing after the other, so the order of the ends is its own.
    for request in about {
        let known = seen.entry(request.session).or_default();
        match (request.action, request.outcome) {
            (_, Outcome::Listed | Outcome::Sighted) => *known += 1,
            (Action::LookupAt(least), Outcome::Reports(reports)) => {
                if reports < *known || request.index.is_none_or(|index| index < least) {
                    let reason = format!("this session knew of {known} reports: {request}");
                    return Some((Promise::NeverBack, reason));
                }
                *known = reports;
            }
            // What came without an index is not asked for again.
            (_, Outcome::Reports(reports)) if request.index.is_some() => *known = reports.max(*known),
            _ => {}
        }
    }
    None
}

/// In the order of their indexes lookups only ever find more, the same at the same index, and every add that was
/// acknowledged at an index up to theirs.
fn differs_at_an_index(about: &[&Request]) -> Option<(Promise, String)> {
    let mut lookups: Vec<(u64, u64, &Request)> = Vec::new();
    let mut adds: Vec<u64> = Vec::new();
    for request in about {
        match (request.index, request.outcome) {
            (Some(index), Outcome::Reports(reports)) => lookups.push((index, reports, request)),
            (Some(index), Outcome::Listed | Outcome::Sighted) => adds.push(index),
            _ => {}
        }
    }
    lookups.sort_by_key(|(index, reports, _)| (*index, *reports));
    for pair in lookups.windows(2) {
        let ((index, reports, _), (later, more, request)) = (&pair[0], &pair[1]);
        if more < reports || (index == later && more != reports) {
            let reason = format!("{reports} reports at {index}, and {more} at {later}: {request}");
            return Some((Promise::SameAtIndex, reason));
        }
    }
    lookups.iter().find_map(|(index, reports, request)| {
        let least = adds.iter().filter(|add| *add <= index).count() as u64;
        let reason = || format!("{least} adds were acknowledged up to {index}: {request}");
        (*reports < least).then(|| (Promise::SameAtIndex, reason()))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::Promise;
    use crate::history::{Action, History, Outcome, Request};

    const ADDRESS: &str = "198.51.100.1";

    type Row = (usize, Action, Outcome, Option<u64>);

    /// A history of requests one after the other, against the list at the end.
    #[track_caller]
    fn check(rows: &[Row], list: Value, broken: &[Promise]) {
        let history = History::new();
        for (at, &(session, action, outcome, index)) in rows.iter().enumerate() {
            let start = Duration::from_secs(at as u64);
            let end = start + Duration::from_millis(500);
            let address = ADDRESS.to_owned();
            history.record(Request { session, node: session, action, address, start, end, outcome, index });
        }
        let found: Vec<Promise> = history.findings(&list).iter().map(|finding| finding.promise).collect();
        assert_eq!(found, broken, "{rows:?} against {list}");
    }

    fn listed(sighting: u64) -> Value {
        json!([{"value": ADDRESS, "sighting": sighting}])
    }

    #[test]
    fn each_broken_promise_is_found() {
        use Action::{Add, Lookup, LookupAt, LookupNow};
        use Outcome::{Listed, NotDone, Promised, Reports, Sighted, Unknown};
        use Promise::{CountedOnce, Linearizable, NeverBack, NothingLost, SameAtIndex};
        let two = [(0, Add, Listed, Some(5)), (1, Add, Sighted, Some(7))];
        let with = |more: &[Row]| [&two[..], more].concat();
        check(&two, listed(1), &[]);
        // A lost add, a lost entry, a double count, a stranger.
        check(&two, listed(0), &[NothingLost]);
        check(&two, json!([]), &[NothingLost]);
        check(&two, listed(2), &[CountedOnce]);
        check(&[], listed(0), &[CountedOnce]);
        check(&with(&[(0, Add, NotDone, None)]), listed(2), &[CountedOnce]);
        check(&with(&[(0, Add, Unknown, None)]), listed(1), &[]);
        check(&with(&[(0, Add, Unknown, None)]), listed(2), &[]);
        check(&with(&[(0, Add, Unknown, None)]), listed(3), &[CountedOnce]);
        check(&with(&[(0, Add, Promised, None)]), listed(1), &[NothingLost]);
        // A stale read where a linearizable one was asked for; elsewhere it is nothing.
        check(&with(&[(2, LookupNow, Reports(1), None)]), listed(1), &[Linearizable]);
        check(&with(&[(2, Lookup, Reports(1), Some(6))]), listed(1), &[]);
        // A session that goes back: in what it sees, in what it did, in the index.
        let seen = (2, Lookup, Reports(2), Some(7));
        check(&with(&[seen, (2, LookupAt(7), Reports(2), Some(7))]), listed(1), &[]);
        check(&with(&[seen, (2, LookupAt(7), Reports(1), Some(6))]), listed(1), &[NeverBack]);
        check(&with(&[(0, LookupAt(5), Reports(0), Some(5))]), listed(1), &[NeverBack, SameAtIndex]);
        check(&with(&[(2, LookupAt(9), Reports(2), Some(8))]), listed(1), &[NeverBack]);
        // Two lists at one index, one that shrinks, and one that lacks what was acknowledged by then.
        let (one, other) = ((2, Lookup, Reports(1), Some(6)), (3, Lookup, Reports(0), Some(6)));
        check(&with(&[one, other]), listed(1), &[SameAtIndex]);
        check(
            &with(&[(2, Lookup, Reports(2), Some(7)), (3, Lookup, Reports(1), Some(8))]),
            listed(1),
            &[SameAtIndex],
        );
        check(&with(&[(2, Lookup, Reports(1), Some(7))]), listed(1), &[SameAtIndex]);
    }
}
