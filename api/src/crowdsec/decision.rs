//! One decision as bouncers read it. All six fields are there in both arrays: some bouncers crash without.

use std::borrow::Cow;
use std::fmt;

use raft::blocklist::{Entry, Network, Timestamp};
use serde::{Serialize, Serializer};

/// What `origins=` can ask for.
pub(super) const ORIGIN: &str = "stockade";
/// The only sort of decision there is here.
pub(super) const TYPE: &str = "ban";
/// A ban is announced for this long at least and ended by `deleted`, so that one that is extended now and then never
/// meets the timeout in a kernel. When all nodes are gone, it ends by itself.
pub(super) const FLOOR_SECONDS: i64 = 24 * 3600;
/// The longest timeout that ipset takes, in whole hours; also announced for what never ends.
const CEILING_SECONDS: i64 = 596 * 3600;
/// The longest scenario.
const SCENARIO_CHARS_MAX: usize = 200;

#[derive(Serialize)]
pub(super) struct Decision<'a> {
    id: u64,
    origin: &'static str,
    r#type: &'static str,
    scope: &'static str,
    #[serde(serialize_with = "as_text")]
    value: Network,
    #[serde(serialize_with = "as_text")]
    duration: Seconds,
    scenario: Cow<'a, str>,
}

impl<'a> Decision<'a> {
    /// A ban that holds now. The id is the index that last touched its entry: the same on every node.
    pub(super) fn of(value: Network, entry: &'a Entry, now: Timestamp) -> Decision<'a> {
        let duration = Seconds(announced(entry.expires().copied(), now));
        Decision { duration, scenario: scenario(entry), ..Decision::ended(value, entry.index) }
    }

    /// One that does not hold any more.
    pub(super) fn ended(value: Network, id: u64) -> Decision<'a> {
        Decision {
            // Some bouncers keep ids in 64 signed bits.
            id: id.min(i64::MAX as u64),
            origin: ORIGIN,
            r#type: TYPE,
            scope: scope(value),
            value,
            duration: Seconds(-1),
            scenario: ORIGIN.into(),
        }
    }
}

/// The word for an address or a network.
pub(super) fn scope(value: Network) -> &'static str {
    if value.is_host() { "Ip" } else { "Range" }
}

/// Why it is listed, on one line; never empty.
pub(super) fn scenario(entry: &Entry) -> Cow<'_, str> {
    let comment = entry.comment.trim();
    let plain = !comment.is_empty() && comment.len() <= SCENARIO_CHARS_MAX;
    if plain && !comment.chars().any(char::is_control) {
        return comment.into();
    }
    let one_line = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = comment.chars().map(one_line).take(SCENARIO_CHARS_MAX).collect();
    if text.trim().is_empty() { ORIGIN.into() } else { text.into() }
}

/// For how many seconds a ban is announced.
pub(super) fn announced(expires: Option<Timestamp>, now: Timestamp) -> i64 {
    let left = expires.map_or(CEILING_SECONDS, |expires| expires.0.saturating_sub(now.0) / 1000);
    left.clamp(FLOOR_SECONDS, CEILING_SECONDS)
}

/// A duration as Go writes it in whole seconds, and always down to the seconds: the bouncer for nginx reads `4h`
/// as four seconds.
#[derive(Clone, Copy)]
pub(super) struct Seconds(pub(super) i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let all = self.0.unsigned_abs();
        let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
        match (hours, minutes) {
            (0, 0) => write!(f, "{sign}{seconds}s"),
            (0, _) => write!(f, "{sign}{minutes}m{seconds}s"),
            _ => write!(f, "{sign}{hours}h{minutes}m{seconds}s"),
        }
    }
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
