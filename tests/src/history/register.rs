//! Whether the adds and the linearizable lookups of one address can have happened one after the other, each at some
//! moment while it was under way: the check of Wing and Gong, with Lowe's memory of what was tried.

use std::collections::BTreeSet;

use crate::history::{Action, Outcome, Request};

/// The most requests about one address: each is a bit.
pub(crate) const REQUESTS_MAX: usize = 64;

/// An order that explains every answer exists. The address is a counter: not listed, then one report more with
/// every add. An unknown add counts at any moment after its start, or never; a promised one counts some time.
pub(crate) fn is_linearizable(requests: &[&Request]) -> bool {
    let requests: Vec<&Request> = requests.iter().copied().filter(|request| is_judged(request)).collect();
    assert!(requests.len() <= REQUESTS_MAX, "{} requests about one address are too many", requests.len());
    let needed = bits(&requests, |request| request.outcome != Outcome::Unknown);
    let adds = bits(&requests, |request| request.action == Action::Add);
    let mut tried = BTreeSet::new();
    let mut open = vec![0_u64];
    while let Some(done) = open.pop() {
        if done & needed == needed {
            return true;
        }
        let reports = u64::from((done & adds).count_ones());
        // Nothing can come after the end of a request that has still to come.
        let left = |at: &usize| done & (1 << at) == 0;
        let first_end = (0..requests.len())
            .filter(left)
            .filter(|&at| has_ended(requests[at]))
            .map(|at| requests[at].end)
            .min();
        for at in (0..requests.len()).filter(left) {
            let may_come = first_end.is_none_or(|end| requests[at].start <= end);
            let next = done | (1 << at);
            if may_come && fits(requests[at], reports) && tried.insert(next) {
                open.push(next);
            }
        }
    }
    false
}

fn is_judged(request: &Request) -> bool {
    let kind = matches!(request.action, Action::Add | Action::LookupNow);
    kind && request.outcome != Outcome::NotDone
}

/// The answer says that it has happened.
fn has_ended(request: &Request) -> bool {
    !matches!(request.outcome, Outcome::Unknown | Outcome::Promised)
}

/// The answer is right when so many adds came before.
fn fits(request: &Request, reports: u64) -> bool {
    match request.outcome {
        Outcome::Listed => reports == 0,
        Outcome::Sighted => reports > 0,
        Outcome::Reports(seen) => seen == reports,
        Outcome::Promised | Outcome::Unknown => true,
        Outcome::NotDone => false,
    }
}

fn bits(requests: &[&Request], fits: impl Fn(&Request) -> bool) -> u64 {
    requests.iter().enumerate().filter(|(_, one)| fits(one)).fold(0, |bits, (at, _)| bits | (1 << at))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::is_linearizable;
    use crate::history::{Action, Outcome, Request};

    /// Requests about one address: start, end, what it was.
    #[track_caller]
    fn check(rows: &[(u64, u64, Outcome)], holds: bool, why: &str) {
        let requests: Vec<Request> = rows
            .iter()
            .map(|&(start, end, outcome)| Request {
                session: 0,
                node: 0,
                action: match outcome {
                    Outcome::Reports(_) => Action::LookupNow,
                    _ => Action::Add,
                },
                address: "198.51.100.1".into(),
                start: Duration::from_millis(start),
                end: Duration::from_millis(end),
                outcome,
                index: None,
            })
            .collect();
        assert_eq!(is_linearizable(&requests.iter().collect::<Vec<_>>()), holds, "{why}: {rows:?}");
    }

    #[test]
    fn an_order_is_found_where_there_is_one_and_nowhere_else() {
        use Outcome::{Listed, NotDone, Promised, Reports, Sighted, Unknown};
        check(&[], true, "nothing happened");
        check(&[(0, 1, Listed), (2, 3, Sighted), (4, 5, Reports(2))], true, "one after the other");
        check(&[(0, 9, Sighted), (1, 8, Listed)], true, "together, in the other order");
        check(&[(0, 1, Listed), (2, 3, Reports(0))], false, "a stale read");
        check(&[(0, 9, Listed), (2, 3, Reports(0))], true, "a read beside the add may miss it");
        check(&[(0, 9, Listed), (2, 3, Reports(1)), (4, 5, Reports(0))], false, "seen, and then not");
        check(&[(0, 1, Listed), (2, 3, Listed)], false, "two are told to be the first");
        check(&[(0, 1, Sighted)], false, "nobody was the first");
        check(&[(0, 1, Unknown), (9, 10, Sighted)], true, "the unknown one was the first");
        check(&[(0, 1, Unknown), (9, 10, Listed), (11, 12, Reports(2))], true, "it came late");
        check(&[(0, 1, Unknown), (9, 10, Listed), (11, 12, Reports(1))], true, "it never came");
        check(&[(0, 1, Unknown), (2, 3, Reports(2))], false, "it came twice");
        check(&[(5, 6, Unknown), (2, 3, Reports(1))], false, "it came before it was sent");
        check(&[(0, 1, NotDone), (2, 3, Reports(1))], false, "it was not done, they said");
        check(&[(0, 1, Promised), (2, 3, Reports(0)), (4, 5, Reports(1))], true, "it came later");
        check(&[(0, 1, Listed), (2, 3, Sighted), (2, 4, Reports(3))], false, "a double count");
    }

    #[test]
    fn many_unknown_requests_are_judged_in_time() {
        let mut rows: Vec<(u64, u64, Outcome)> = (0..12).map(|at| (at, at + 1, Outcome::Unknown)).collect();
        rows.push((20, 21, Outcome::Reports(13)));
        check(&rows, false, "one more than were sent");
        rows.push((20, 21, Outcome::Sighted));
        check(&rows, true, "and here is that one");
    }
}
