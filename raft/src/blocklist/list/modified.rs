//! When a list last changed, for clients that know a list by its date. A date has seconds, and a list may change twice
//! in one: a date is told only while it can be that of one content alone. It comes with the commands and is part of
//! the state, so that every node tells the same, also after a start.

use serde::{Deserialize, Serialize};

use crate::blocklist::timestamp::Timestamp;

/// The version of the commands from which on the state has it.
pub(super) const DATED_FROM: u32 = 2;

/// The second of the last change to the lists of a kind. Stored: its fields keep their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modified {
    second: i64,
    /// No earlier change was in that second.
    alone: bool,
}

impl Modified {
    /// The change after `before`, which never goes back. `further` says that the same log entry has made one already,
    /// which nobody sees by itself.
    pub(in crate::blocklist) fn next(before: Option<Modified>, time: Timestamp, further: bool) -> Modified {
        let second = time.0.div_euclid(1000);
        match before {
            // What was before may have been in the same second.
            None => Modified { second, alone: false },
            Some(before) if second > before.second => Modified { second, alone: !further || before.alone },
            Some(before) if further => before,
            Some(before) => before.undated(),
        }
    }

    /// The same second, which stands for more than one content now.
    pub(super) fn undated(self) -> Modified {
        Modified { alone: false, ..self }
    }

    /// The date, in whole seconds, where it stands for one content.
    pub(super) fn date(self) -> Option<Timestamp> {
        self.alone.then_some(Timestamp(self.second.saturating_mul(1000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds of each change, and whether it is a further one of its log entry.
    type Changes = &'static [(i64, bool)];

    #[test]
    fn a_date_stands_for_one_content() {
        let rows: [(Changes, Option<i64>); 9] = [
            (&[], None),
            // Whatever was before may have been in the same second.
            (&[(1_500, false)], None),
            (&[(1_500, false), (2_100, false)], Some(2_000)),
            (&[(1_500, false), (2_100, false), (2_900, false)], None),
            (&[(1_500, false), (2_100, false), (2_900, false), (3_000, false)], Some(3_000)),
            // A clock that is behind moves nothing back.
            (&[(1_500, false), (2_100, false), (1_000, false)], None),
            // One entry of the log is one change.
            (&[(1_500, false), (2_100, false), (2_200, true), (3_300, true)], Some(3_000)),
            (&[(1_500, false), (1_600, false), (3_300, true)], None),
            (&[(1_500, false), (3_300, true)], None),
        ];
        for (changes, date) in rows {
            let next = |before, (time, further): &_| Some(Modified::next(before, Timestamp(*time), *further));
            let modified = changes.iter().fold(None, next);
            assert_eq!(modified.and_then(Modified::date).map(|date| date.0), date, "{changes:?}");
        }
    }
}
