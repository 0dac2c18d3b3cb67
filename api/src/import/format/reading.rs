//! What a feed says, as values of the list.

use std::collections::BTreeMap;
use std::sync::Arc;

use raft::blocklist::Observable;

use super::{Format, Wanted};
use crate::list::report::comment;

/// Lines that are no values of which the reason is kept.
const MALFORMED_SHOWN_MAX: usize = 10;

/// A line that holds no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Which one.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// The values of one feed.
#[derive(Debug, Default)]
pub struct Reading {
    /// Each value once, with its last comment.
    pub values: BTreeMap<Observable, Arc<str>>,
    /// The first lines that hold none.
    pub malformed: Vec<Malformed>,
    /// How many there are.
    pub malformed_total: usize,
}

impl Format {
    /// Reads a feed. An `Err` when it is none: it names nothing, or more of it is wrong than right, as an error page in
    /// its place or another format is.
    pub fn read(&self, text: &str, wanted: Wanted<'_>) -> Result<Reading, String> {
        let mut reading = Reading::default();
        for named in self.named(text, wanted)? {
            match Observable::parse(wanted.kind, &named.value) {
                Ok(value) => drop(reading.values.insert(value, comment(&named.comment))),
                Err(malformed) => reading.note(named.line, malformed.to_string()),
            }
        }
        let (good, bad) = (reading.values.len(), reading.malformed_total);
        if good == 0 {
            return Err(format!("it names no {} that is valid", wanted.kind.noun()));
        }
        if bad > good {
            return Err(format!(
                "it does not look like the format `{}`: {good} lines are right, {bad} are not",
                self.name
            ));
        }
        Ok(reading)
    }
}

impl Reading {
    fn note(&mut self, line: usize, reason: String) {
        self.malformed_total += 1;
        if self.malformed.len() < MALFORMED_SHOWN_MAX {
            self.malformed.push(Malformed { line, reason });
        }
    }
}
