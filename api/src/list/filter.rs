//! Which entries of the list are asked for: every condition has to hold.

use raft::blocklist::{Entry, Observable, TAG_BYTES_MAX, Timestamp};

use crate::error::ApiError;
use crate::parameters::{Parameters, duration};

/// The conditions on an entry; the default is none. Where one entry is handed out in pieces, they are those of
/// the entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Filter {
    family: Option<Family>,
    min_sightings: u64,
    min_sources: u64,
    /// Not updated before this moment.
    updated_since: Option<Timestamp>,
    /// Any of them.
    tags: Vec<String>,
    source: Option<String>,
    added_by: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Family {
    V4,
    V6,
}

impl Filter {
    /// The parameters that are read here.
    pub(crate) const WORDS: [&str; 7] =
        ["family", "min_sightings", "min_sources", "seen_within", "tag", "source", "added_by"];

    pub(crate) fn read(parameters: &Parameters, now: Timestamp) -> Result<Filter, ApiError> {
        Ok(Filter {
            family: parameters.get("family").map(family).transpose()?,
            min_sightings: parameters.number("min_sightings")?.unwrap_or(0),
            min_sources: parameters.number("min_sources")?.unwrap_or(0),
            updated_since: parameters.get("seen_within").map(|text| since(text, now)).transpose()?,
            tags: parameters.list("tag").map(tag).collect::<Result<_, _>>()?,
            source: name(parameters, "source")?,
            added_by: name(parameters, "added_by")?,
        })
    }

    /// Whether another moment may give another answer about the same list.
    pub(crate) fn follows_the_clock(&self) -> bool {
        self.updated_since.is_some()
    }

    pub(crate) fn wants(&self, entry: &Entry) -> bool {
        self.family.is_none_or(|family| family.holds(&entry.value))
            && (self.min_sightings == 0 || entry.sighting >= self.min_sightings)
            && (self.min_sources == 0 || entry.source_count() as u64 >= self.min_sources)
            && self.updated_since.is_none_or(|moment| entry.time_updated >= moment)
            && (self.tags.is_empty() || self.tags.iter().any(|tag| entry.tags().contains(tag.as_str())))
            && self.source.as_ref().is_none_or(|source| entry.is_reported_by(source))
            && self.added_by.as_ref().is_none_or(|account| *account == **entry.account())
    }
}

impl Family {
    fn holds(self, value: &Observable) -> bool {
        match value {
            Observable::Ip(network) => (self == Family::V6) == network.net().addr().is_ipv6(),
            _ => false,
        }
    }
}

fn family(text: &str) -> Result<Family, ApiError> {
    match text {
        "4" => Ok(Family::V4),
        "6" => Ok(Family::V6),
        other => Err(ApiError::BadRequest(format!("family `{other}` is neither 4 nor 6"))),
    }
}

/// The moment that lies so long ago. None and less is a mistake, and would empty a firewall's table.
fn since(text: &str, now: Timestamp) -> Result<Timestamp, ApiError> {
    let wrong = || ApiError::BadRequest(format!("seen_within `{text}` is not a duration such as 24h or 7d"));
    let seconds = duration(text).filter(|seconds| *seconds > 0.0).ok_or_else(wrong)?;
    // At most ten years of milliseconds: exact in both types.
    Ok(Timestamp(now.0.saturating_sub((seconds * 1000.0).round() as i64)))
}

fn tag(text: &str) -> Result<String, ApiError> {
    if text.is_empty() || text.len() > TAG_BYTES_MAX {
        let message = format!("tag `{text}` is not a tag of 1 to {TAG_BYTES_MAX} bytes");
        return Err(ApiError::BadRequest(message));
    }
    Ok(text.to_owned())
}

/// A condition on a name, which cannot be empty.
fn name(parameters: &Parameters, word: &str) -> Result<Option<String>, ApiError> {
    match parameters.get(word) {
        Some("") => Err(ApiError::BadRequest(format!("{word} `` is not a name"))),
        given => Ok(given.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::samples::{NOW, sample};

    #[track_caller]
    fn check(query: &str, expected: &[&str]) {
        let parameters = Parameters::parse(Some(query), &[&Filter::WORDS]).unwrap();
        let filter = Filter::read(&parameters, NOW).unwrap();
        let list = sample();
        let wanted = list.entries(raft::blocklist::Kind::Ip).filter(|entry| filter.wants(entry));
        let found: Vec<String> = wanted.map(|entry| entry.value.to_string()).collect();
        assert_eq!(found, expected, "{query}");
    }

    #[test]
    fn every_condition_has_to_hold() {
        check("", &["198.51.100.0/24", "192.0.2.1", "192.0.2.2", "2001:db8::1"]);
        check("family=4", &["198.51.100.0/24", "192.0.2.1", "192.0.2.2"]);
        check("family=6", &["2001:db8::1"]);
        check("min_sightings=0", &["198.51.100.0/24", "192.0.2.1", "192.0.2.2", "2001:db8::1"]);
        check("min_sightings=1", &["192.0.2.1", "192.0.2.2"]);
        check("min_sightings=2", &["192.0.2.2"]);
        check("min_sightings=18446744073709551615", &[]);
        check("min_sources=2", &["192.0.2.1"]);
        check("min_sources=3", &[]);
        check("seen_within=10s", &["192.0.2.2"]);
        check("seen_within=9999ms", &[]);
        check("seen_within=50s", &["192.0.2.1", "192.0.2.2"]);
        check("seen_within=10w", &["198.51.100.0/24", "192.0.2.1", "192.0.2.2", "2001:db8::1"]);
        check("tag=scan", &["192.0.2.1", "2001:db8::1"]);
        check("tag=ssh", &["192.0.2.1", "192.0.2.2"]);
        check("tag=scan,ssh", &["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
        check("tag=scan&tag=ssh", &["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
        check("tag=Scan", &[]);
        check("source=ids-2", &["192.0.2.1", "2001:db8::1"]);
        check("source=ids", &[]);
        check("added_by=berta", &["2001:db8::1"]);
        check("added_by=nobody", &[]);
        check("tag=ssh&source=ids-1&min_sightings=2&family=4&added_by=anna&seen_within=1h", &["192.0.2.2"]);
        check("tag=ssh&family=6", &[]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_value() {
        let rows = [
            ("family=5", "family `5` is neither 4 nor 6"),
            ("min_sightings=many", "min_sightings `many` is not a whole number"),
            ("min_sightings=-1", "min_sightings `-1` is not a whole number"),
            ("min_sources=1.5", "min_sources `1.5` is not a whole number"),
            ("min_sources=", "min_sources `` is not a whole number"),
            ("seen_within=a day", "seen_within `a day` is not a duration such as 24h"),
            ("seen_within=-1h", "seen_within `-1h` is not a duration"),
            ("seen_within=0", "seen_within `0` is not a duration"),
            ("tag=", "tag `` is not a tag of 1 to 64 bytes"),
            ("tag=a,,b", "tag `` is not a tag"),
            ("source=", "source `` is not a name"),
            ("added_by=", "added_by `` is not a name"),
        ];
        for (query, expected) in rows {
            let parameters = Parameters::parse(Some(query), &[&Filter::WORDS]).unwrap();
            let error = Filter::read(&parameters, NOW).unwrap_err();
            assert!(matches!(error, ApiError::BadRequest(_)), "{query}: {error:?}");
            assert!(error.message().contains(expected), "{query}: {error:?}");
        }
    }
}
