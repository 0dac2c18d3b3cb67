//! How often each value was reported, when there are too many reports to write each of them down.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::client::Client;

/// The first octet of all values: nothing else that a story lists begins with it.
const OCTET: u8 = 45;

/// What was told about each value, by its number.
#[derive(Debug)]
pub struct Tally {
    values: Vec<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// Reports that were acknowledged, or accepted.
    sure: AtomicU32,
    /// Reports that were answered by an error, or not at all: each may have counted.
    unknown: AtomicU32,
}

impl Tally {
    /// So many values, none of them reported yet.
    pub fn new(values: u32) -> Tally {
        Tally { values: (0..values).map(|_| Told::default()).collect() }
    }

    /// How many values there are.
    pub fn len(&self) -> u32 {
        u32::try_from(self.values.len()).expect("it was made of that many")
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value with a number.
    pub fn value(number: u32) -> Ipv4Addr {
        Ipv4Addr::from((u32::from(OCTET) << 24) + number)
    }

    /// Notes the answer to one request that has reported these values once each.
    pub fn note(&self, numbers: Range<u32>, taken: bool) {
        for told in &self.values[numbers.start as usize..numbers.end as usize] {
            let counter = if taken { &told.sure } else { &told.unknown };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Judges what a node has listed: every report that was taken counts exactly once, an unknown one at most once.
    #[track_caller]
    pub fn judge(&self, client: &Client) {
        let list = client.get("/ip/all?fields=value,sighting&format=csv&header=0").expect(200);
        self.judge_list(list.text());
    }

    #[track_caller]
    fn judge_list(&self, list: &str) {
        let mut counted: Vec<Option<u32>> = vec![None; self.values.len()];
        for line in list.lines() {
            let (value, sighting) = line.split_once(',').expect("a line has two columns");
            let Ok(value) = value.parse::<Ipv4Addr>() else { continue };
            if value.octets()[0] != OCTET {
                continue;
            }
            let number = u32::from(value) - u32::from(Tally::value(0));
            let sighting: u32 = sighting.parse().expect("an entry has its sightings");
            let counted = counted.get_mut(number as usize);
            let counted = counted.unwrap_or_else(|| panic!("{value} is listed, and nobody reported it"));
            assert_eq!(counted.replace(sighting + 1), None, "{value} is listed twice");
        }
        for (number, (told, counted)) in (0..).zip(self.values.iter().zip(counted)) {
            let (sure, unknown) = (told.sure.load(Ordering::Relaxed), told.unknown.load(Ordering::Relaxed));
            let (value, reports) = (Tally::value(number), counted.unwrap_or(0));
            assert!(
                (sure..=sure + unknown).contains(&reports),
                "{value} counts {reports} reports, but {sure} were taken and {unknown} are unknown"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::Tally;

    /// Reports of 45.0.0.0, taken and unknown, against what is listed.
    #[track_caller]
    fn check(taken: u32, unknown: u32, list: &'static str, holds: bool) {
        let judged = catch_unwind(|| {
            let tally = Tally::new(2);
            (0..taken).for_each(|_| tally.note(0..1, true));
            (0..unknown).for_each(|_| tally.note(0..1, false));
            tally.judge_list(list);
        });
        assert_eq!(judged.is_ok(), holds, "{taken} taken, {unknown} unknown, against {list}");
    }

    #[test]
    fn a_lost_or_doubled_report_is_found() {
        check(3, 0, "45.0.0.0,2\n60.0.0.1,7\n", true);
        check(3, 0, "45.0.0.0,1\n", false); // A report is lost.
        check(3, 0, "45.0.0.0,3\n", false); // A report counts twice.
        check(1, 0, "60.0.0.1,7\n", false); // The entry is lost.
        check(0, 1, "60.0.0.1,7\n", true); // Nobody knows, and it was not done.
        check(0, 1, "45.0.0.0,0\n", true); // Nobody knows, and it was done.
        check(0, 1, "45.0.0.0,1\n", false); // It was done twice.
        check(1, 0, "45.0.0.0,0\n45.0.0.0,0\n", false); // It is listed twice.
        check(1, 0, "45.0.0.0,0\n45.0.0.1,0\n", false); // Nobody reported this.
        check(1, 0, "45.0.0.0,0\n45.0.0.2,0\n", false); // It is none of the values.
    }
}
