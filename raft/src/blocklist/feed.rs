//! Feeds: named profiles of what a firewall fetches, so that it holds one short URL.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::is_name;
use super::kind::Kind;
use super::timestamp::Timestamp;

/// The most feeds of a cluster.
pub const FEEDS_MAX: usize = 1000;
/// The longest query or description of a feed, in bytes.
pub const FEED_TEXT_BYTES_MAX: usize = 2048;
/// Entries by which a list may always grow, whatever share that is, before a feed of it freezes.
pub const FREEZE_FREE_ENTRIES: u64 = 1000;
/// How long growth and loss are held against the same count.
pub const FREEZE_WINDOW_SECONDS: i64 = 3600;
/// What the digests of a feed are called by: no feed is.
pub const DIGEST_SUFFIXES: [&str; 2] = [".md5", ".sha256"];

/// What a feed shows, as an admin said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The list it shows.
    pub kind: Kind,
    /// The query parameters with which that list is asked for; the HTTP API understands them.
    pub query: Arc<str>,
    /// The word of the format.
    pub format: Arc<str>,
    /// What it is for.
    pub description: Arc<str>,
    /// It freezes when its list grows by more than this share; `None` never freezes.
    pub freeze_percent: Option<u32>,
}

/// A feed. Part of the replicated state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFeed {
    /// Its name, unique.
    pub name: Arc<str>,
    /// What it shows.
    pub profile: Profile,
    /// The account that made or changed it last; empty for the registration token.
    pub account: Arc<str>,
    /// When that was.
    pub changed: Timestamp,
    /// What growth and loss are measured against.
    pub published: Published,
    /// It shows its last good content.
    pub frozen: Option<Frozen>,
}

/// A count of entries that was published, from which a feed may go only so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The log index.
    pub index: u64,
    /// When that was.
    pub time: Timestamp,
    /// The entries of the kind.
    pub count: u64,
}

/// Since when and why a feed is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// The log index of the command that went too far; what was before it is the last good content.
    pub index: u64,
    /// When that was.
    pub time: Timestamp,
    /// The entries of the kind before it: those that are shown.
    pub kept: u64,
    /// The entries of the kind after it.
    pub found: u64,
}

impl Profile {
    /// Whether both show the same, and freeze alike.
    pub(super) fn shows_like(&self, other: &Profile) -> bool {
        (self.kind, &self.query, &self.format, self.freeze_percent)
            == (other.kind, &other.query, &other.format, other.freeze_percent)
    }
}

impl NamedFeed {
    /// The share from which on it would freeze now, if it would.
    pub(super) fn brake(&self) -> Option<u32> {
        self.profile.freeze_percent.filter(|_| self.frozen.is_none())
    }
}

impl Published {
    /// Whether so many entries are too many more, or too few.
    pub(super) fn is_left_by(&self, count: u64, percent: u32) -> bool {
        let share = self.count.saturating_mul(u64::from(percent)) / 100;
        count > self.count.saturating_add(share.max(FREEZE_FREE_ENTRIES)) || count < self.count.div_ceil(2)
    }
}

/// Whether a feed may have this name: that of an account, and not one by which its digests are fetched.
pub(super) fn is_feed_name(text: &str) -> bool {
    is_name(text) && !DIGEST_SUFFIXES.iter().any(|suffix| text.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_more_or_fewer_than_half_is_too_far() {
        let rows = [
            (0, 10, 0, false),
            (0, 10, 1000, false),
            (0, 10, 1001, true),
            (100, 10, 1100, false),
            (100, 10, 1101, true),
            (100_000, 10, 110_000, false),
            (100_000, 10, 110_001, true),
            (100_000, 0, 101_000, false),
            (100_000, 0, 101_001, true),
            (10, 10, 5, false),
            (10, 10, 4, true),
            (11, 10, 6, false),
            (11, 10, 5, true),
            (1, 10, 1, false),
            (1, 10, 0, true),
            (u64::MAX, u32::MAX, u64::MAX, false),
        ];
        for (published, percent, count, expected) in rows {
            let published = Published { index: 1, time: Timestamp(0), count: published };
            assert_eq!(published.is_left_by(count, percent), expected, "{published:?} {percent} {count}");
        }
    }

    #[test]
    fn no_feed_is_called_like_a_digest() {
        let rows = [
            ("office", true),
            ("fw-1.txt", true),
            ("a.md5", false),
            ("a.sha256", false),
            ("a/b", false),
            ("", false),
        ];
        for (name, expected) in rows {
            assert_eq!(is_feed_name(name), expected, "{name}");
        }
    }
}
