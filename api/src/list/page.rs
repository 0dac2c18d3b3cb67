//! From a question and a list to rows: a pure function, for whoever hands out a list.

use std::cell::Cell;
use std::cmp::Ordering;

use raft::blocklist::{List, Network, Observable};

use super::cursor::Cursor;
use super::query::Query;
use crate::format::Row;

/// The rows that answer a query.
pub(crate) struct Page<'l> {
    pub(crate) rows: Vec<Row<'l>>,
    /// How many rows come after these, and were cut off by `limit`.
    pub(crate) truncated: usize,
    /// How many networks could not be had in the form that was asked for.
    pub(crate) skipped: usize,
    /// Where to go on; none when nothing was cut off, or the order allows no pages.
    pub(crate) next: Option<Cursor>,
}

impl Query {
    /// The answer. An entry that is listed all along is on exactly one page, whatever happens to others. What the
    /// allow list cuts is paged by piece: all of it is handed out if it is not cut anew between two pages and,
    /// in the order of `time_added`, if no other entry comes to have the value of a piece.
    pub(crate) fn page<'l>(&self, list: &'l List) -> Page<'l> {
        let matching = list
            .exported_where(self.kind, |entry| self.filter.wants(entry))
            .map(|exported| Row { value: exported.value, entry: exported.entry })
            .filter(|row| self.after.as_ref().is_none_or(|after| self.follows(row, after)));
        let limit = self.limit.unwrap_or(usize::MAX);
        let (narrow, skipped) = (&self.narrow, Cell::new(0));
        if self.aggregate || narrow.expands() || narrow.max.is_some() {
            let remade = match self.aggregate {
                true => aggregated(matching),
                false => narrow.expanded(matching, &skipped),
            };
            let kept = remade.into_iter().filter(|row| narrow.keeps(row, &skipped)).skip(narrow.skip);
            let (rows, older) = narrow.newest(kept.collect());
            let (rows, truncated) = take(rows.into_iter(), limit);
            return Page { rows, truncated: truncated + older, skipped: skipped.get(), next: None };
        }
        let matching = matching.filter(|row| narrow.keeps(row, &skipped));
        let (rows, truncated) = if self.order.is_export_order() {
            take(matching.skip(narrow.skip), limit)
        } else {
            let mut rows: Vec<Row<'_>> = matching.collect();
            let truncated = self.order.first(&mut rows, limit.saturating_add(narrow.skip));
            rows.drain(..narrow.skip.min(rows.len()));
            (rows, truncated)
        };
        let next = match rows.last() {
            Some(last) if truncated > 0 && self.order.is_lasting() && narrow.skip == 0 => {
                // Not the index of the picture: the same list has the same cursor on every node.
                let index = list.last_changed(self.kind);
                Some(Cursor::new(self.order, index, self.order.place(last)))
            }
            _ => None,
        };
        Page { rows, truncated, skipped: skipped.get(), next }
    }

    fn follows(&self, row: &Row<'_>, after: &Cursor) -> bool {
        self.order.compare(self.order.place(row), after.place()) == Ordering::Greater
    }
}

/// The same addresses in the fewest rows; the entry of a row says nothing but that there is one.
fn aggregated<'l>(matching: impl Iterator<Item = Row<'l>>) -> Vec<Row<'l>> {
    let mut entry = None;
    let networks = matching.filter_map(|row| {
        entry = Some(row.entry);
        row.value.network()
    });
    let merged = Network::aggregate(networks);
    let row = |network| Some(Row { value: Observable::Ip(network), entry: entry? });
    merged.into_iter().filter_map(row).collect()
}

/// The first rows, and how many more there are.
fn take<'l>(mut matching: impl Iterator<Item = Row<'l>>, limit: usize) -> (Vec<Row<'l>>, usize) {
    let rows = matching.by_ref().take(limit).collect();
    (rows, matching.count())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use raft::blocklist::Kind;

    use super::*;
    use crate::list::filter::Filter;
    use crate::list::samples::{Desk, NOW, sample};
    use crate::parameters::Parameters;

    fn query(text: &str) -> Query {
        let parameters = Parameters::parse(Some(text), &[&Query::WORDS, &Filter::WORDS]).unwrap();
        Query::read(Kind::Ip, &parameters, NOW).unwrap()
    }

    fn values(page: &Page<'_>) -> Vec<String> {
        page.rows.iter().map(|row| row.value.to_string()).collect()
    }

    #[track_caller]
    fn check(list: &List, text: &str, expected: &[&str], truncated: usize, goes_on: bool) {
        let page = query(text).page(list);
        assert_eq!(values(&page), expected, "{text}");
        assert_eq!(page.truncated, truncated, "{text}");
        assert_eq!(page.next.is_some(), goes_on, "{text}");
    }

    #[test]
    fn a_limit_tells_what_it_left_out_and_where_to_go_on() {
        let list = sample();
        let all = ["198.51.100.0/24", "192.0.2.1", "192.0.2.2", "2001:db8::1"];
        check(&list, "", &all, 0, false);
        check(&list, "limit=4", &all, 0, false);
        check(&list, "limit=18446744073709551615", &all, 0, false);
        check(&list, "limit=3", &all[..3], 1, true);
        check(&list, "limit=1&family=4", &all[..1], 2, true);
        check(&list, "limit=1&sort=-value", &all[3..], 3, true);
        check(&list, "limit=1&sort=time_added", &["192.0.2.2"], 3, true);
        // The top ones only.
        check(&list, "limit=1&sort=-sighting", &["192.0.2.2"], 3, false);
        check(&list, "limit=1&sort=-time_updated", &["192.0.2.2"], 3, false);
        // No row, no place to go on from.
        check(&list, "limit=0", &[], 4, false);
        check(&List::default(), "limit=1", &[], 0, false);
    }

    #[test]
    fn what_a_wanted_network_leaves_is_exported_though_an_unwanted_entry_has_the_same_value() {
        let mut desk = Desk::default();
        desk.add(9, "anna", "203.0.113.0/30", "ids-1", &[]);
        desk.add(9, "berta", "203.0.113.2/31", "ids-1", &[]);
        desk.allow("203.0.113.1");
        check(&desk.list, "added_by=anna", &["203.0.113.2/31", "203.0.113.0"], 0, false);
        check(&desk.list, "added_by=berta", &["203.0.113.2/31"], 0, false);
        check(&desk.list, "", &["203.0.113.2/31", "203.0.113.0"], 0, false);
    }

    #[test]
    fn only_what_others_will_ask_for_is_worth_keeping() {
        let list = sample();
        assert!(query("min_sightings=1&sort=-sighting&limit=5").is_worth_keeping());
        assert!(!query("seen_within=24h").is_worth_keeping());
        let mut second = query("limit=1");
        second.after = second.page(&list).next;
        assert!(!second.is_worth_keeping());
        assert_eq!(second.min_index(), Some(list.last_changed(Kind::Ip)));
    }

    /// Numbers that look random and are the same in every run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % end
        }
    }

    /// Hosts and networks that come and go.
    fn passing(numbers: &mut Numbers) -> String {
        let at = numbers.below(64);
        if at < 16 { format!("198.51.100.{}/30", at * 4) } else { format!("198.51.100.{at}") }
    }

    #[test]
    fn pages_neither_repeat_nor_drop_what_is_listed_all_along() {
        for seed in 0..400 {
            let mut numbers = Numbers(seed);
            let order = ["value", "-value", "time_added", "-time_added"][usize::try_from(seed % 4).unwrap()];
            let filter = ["", "&min_sightings=0&family=4", "&tag=kept"][usize::try_from(seed % 3).unwrap()];
            let mut desk = Desk::default();
            // What stays: hosts among those that pass, and a network that is cut into pieces.
            let mut kept: Vec<String> =
                (0..20).map(|_| format!("198.51.100.{}", 64 + numbers.below(64))).collect();
            kept.push("203.0.113.0/24".to_owned());
            for value in &kept {
                desk.add(1000 - i64::try_from(numbers.below(9)).unwrap(), "anna", value, "ids-1", &["kept"]);
                let other = passing(&mut numbers);
                desk.add(1000 - i64::try_from(numbers.below(9)).unwrap(), "anna", &other, "ids-1", &[]);
            }
            desk.allow("203.0.113.7");
            let steady: Vec<String> = values(&query("tag=kept").page(&desk.list));

            let limit = 1 + numbers.below(6);
            let mut ask = query(&format!("sort={order}&limit={limit}{filter}"));
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            let mut pages = 0;
            loop {
                let page = ask.page(&desk.list);
                pages += 1;
                assert!(pages < 1000, "seed {seed}: the pages do not end");
                assert!(page.rows.len() <= usize::try_from(limit).unwrap(), "seed {seed}");
                for value in values(&page) {
                    *seen.entry(value).or_default() += 1;
                }
                let Some(next) = page.next else { break };
                // A client sends the text, to whichever node.
                ask.after = Some(Cursor::read(&next.encode(), Kind::Ip, ask.order).unwrap());
                for _ in 0..numbers.below(5) {
                    let ago = 500 - i64::try_from(numbers.below(1000)).unwrap();
                    match numbers.below(3) {
                        0 => desk.add(ago, "berta", &passing(&mut numbers), "ids-2", &["new"]),
                        1 => desk.delete(&passing(&mut numbers)),
                        _ => {
                            let at = usize::try_from(numbers.below(kept.len() as u64)).unwrap();
                            desk.add(ago, "berta", &kept[at], "ids-2", &["new"]);
                        }
                    }
                }
            }
            assert!(steady.len() > 20, "hosts, and pieces of a network");
            for value in &steady {
                assert_eq!(seen.get(value), Some(&1), "seed {seed}: {value} in the order of {order}");
            }
            if order.ends_with("value") {
                assert!(seen.values().all(|times| *times == 1), "seed {seed}: {seen:?}");
            }
        }
    }
}
