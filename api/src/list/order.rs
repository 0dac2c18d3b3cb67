//! The order in which a list is handed out.

use std::cmp::Ordering;

use raft::blocklist::{Entry, Observable};

use crate::error::ApiError;
use crate::format::Row;

/// What rows are ordered by, ties by value; the default is the order of every export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Order {
    by: By,
    reversed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum By {
    #[default]
    Value,
    TimeAdded,
    TimeUpdated,
    Sighting,
}

/// Where a row stands: what it is ordered by (0 when that is the value itself), and its value.
pub(crate) type Place<'a> = (i64, &'a Observable);

impl By {
    const ALL: [By; 4] = [By::Value, By::TimeAdded, By::TimeUpdated, By::Sighting];

    fn name(self) -> &'static str {
        match self {
            By::Value => "value",
            By::TimeAdded => "time_added",
            By::TimeUpdated => "time_updated",
            By::Sighting => "sighting",
        }
    }

    fn rank(self, entry: &Entry) -> i64 {
        match self {
            By::Value => 0,
            By::TimeAdded => entry.time_added.0,
            By::TimeUpdated => entry.time_updated.0,
            By::Sighting => i64::try_from(entry.sighting).unwrap_or(i64::MAX),
        }
    }
}

impl Order {
    /// Reads `sort=`.
    pub(crate) fn read(text: Option<&str>) -> Result<Order, ApiError> {
        let Some(text) = text else { return Ok(Order::default()) };
        Order::parse(text).ok_or_else(|| {
            let allowed = By::ALL.map(By::name).join(", ");
            let message =
                format!("sort `{text}` is not known; allowed: {allowed}, and each with - before it");
            ApiError::BadRequest(message)
        })
    }

    /// The word for `sort=`, read back.
    pub(crate) fn parse(text: &str) -> Option<Order> {
        let (word, reversed) = text.strip_prefix('-').map_or((text, false), |word| (word, true));
        let by = By::ALL.into_iter().find(|by| by.name() == word)?;
        Some(Order { by, reversed })
    }

    /// The word for `sort=`.
    pub(crate) fn word(self) -> String {
        format!("{}{}", if self.reversed { "-" } else { "" }, self.by.name())
    }

    /// Whether this is how the list gives its entries anyway.
    pub(crate) fn is_export_order(self) -> bool {
        self == Order::default()
    }

    /// Whether an entry keeps its place as long as it is listed, so that there can be pages.
    pub(crate) fn is_lasting(self) -> bool {
        matches!(self.by, By::Value | By::TimeAdded)
    }

    pub(crate) fn place<'r>(self, row: &'r Row<'_>) -> Place<'r> {
        (self.by.rank(row.entry), &row.value)
    }

    /// How two places follow each other. Ties are in the order of the values, also when the rest is reversed.
    pub(crate) fn compare(self, a: Place<'_>, b: Place<'_>) -> Ordering {
        let ranks = a.0.cmp(&b.0);
        let values = a.1.cmp(b.1);
        match (self.reversed, self.by) {
            (false, _) => ranks.then(values),
            (true, By::Value) => values.reverse(),
            (true, _) => ranks.reverse().then(values),
        }
    }

    /// Puts the first `limit` rows in order, drops the others, and tells how many those were.
    pub(crate) fn first(self, rows: &mut Vec<Row<'_>>, limit: usize) -> usize {
        let compare = |a: &Row<'_>, b: &Row<'_>| self.compare(self.place(a), self.place(b));
        let total = rows.len();
        if limit < total {
            rows.select_nth_unstable_by(limit, compare);
            rows.truncate(limit);
        }
        rows.sort_unstable_by(compare);
        total - rows.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::samples::sample;

    #[track_caller]
    fn check(word: &str, limit: usize, expected: &[&str]) {
        let order = Order::read(Some(word)).unwrap();
        assert_eq!(order.word(), word);
        let list = sample();
        let mut rows: Vec<Row<'_>> = list.entries(raft::blocklist::Kind::Ip).map(Row::from).collect();
        let dropped = order.first(&mut rows, limit);
        let found: Vec<String> = rows.iter().map(|row| row.value.to_string()).collect();
        assert_eq!(found, expected, "{word}");
        assert_eq!(dropped, 4 - expected.len(), "{word}");
    }

    #[test]
    fn rows_come_in_every_order() {
        check("value", 9, &["198.51.100.0/24", "192.0.2.1", "192.0.2.2", "2001:db8::1"]);
        check("-value", 9, &["2001:db8::1", "192.0.2.2", "192.0.2.1", "198.51.100.0/24"]);
        check("time_added", 9, &["192.0.2.2", "198.51.100.0/24", "192.0.2.1", "2001:db8::1"]);
        check("-time_added", 9, &["192.0.2.1", "2001:db8::1", "198.51.100.0/24", "192.0.2.2"]);
        check("time_updated", 9, &["198.51.100.0/24", "2001:db8::1", "192.0.2.1", "192.0.2.2"]);
        check("-time_updated", 2, &["192.0.2.2", "192.0.2.1"]);
        check("sighting", 9, &["198.51.100.0/24", "2001:db8::1", "192.0.2.1", "192.0.2.2"]);
        check("-sighting", 9, &["192.0.2.2", "192.0.2.1", "198.51.100.0/24", "2001:db8::1"]);
        check("-sighting", 3, &["192.0.2.2", "192.0.2.1", "198.51.100.0/24"]);
        check("-sighting", 0, &[]);
    }

    #[test]
    fn an_unknown_order_is_refused_with_the_words_that_are_known() {
        for word in ["", "-", "comment", "--value", "+value", "Value", "time_added,value"] {
            let error = Order::read(Some(word)).unwrap_err();
            let expected = format!("sort `{word}` is not known; allowed: value, time_added, time_updated");
            assert!(error.message().contains(&expected), "{error:?}");
        }
        assert_eq!(Order::read(None).unwrap(), Order::read(Some("value")).unwrap());
    }
}
