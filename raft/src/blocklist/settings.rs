//! What an admin may decide for the whole cluster. Part of the replicated state: every node judges alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::timestamp::Timestamp;

/// The settings of the cluster; `Default` is what holds until an admin decides otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSettings {
    /// Private, carrier-grade NAT and unique local addresses may be listed.
    pub allow_private: bool,
    /// The shortest prefix of an IPv4 network.
    pub widest_v4: u8,
    /// The shortest prefix of an IPv6 network.
    pub widest_v6: u8,
    /// The shortest prefix of an IPv4 network that a sensor may add.
    pub sensor_widest_v4: u8,
    /// The shortest prefix of an IPv6 network that a sensor may add.
    pub sensor_widest_v6: u8,
    /// Seconds until an entry leaves the list when its report does not say, by kind; a kind that is not here
    /// stays for ever.
    pub default_ttl: BTreeMap<Kind, i64>,
    /// The most entries that stand on the list by one sensor; further ones of it are refused.
    pub sensor_entries_max: Option<u64>,
    /// How much of the list one account that is no admin may change; `None` is as much as it can.
    pub growth_brake: Option<GrowthBrake>,
    /// Seconds of silence after which a spare learner takes the place of a dead voter; `None` is never.
    pub replace_dead_after_seconds: Option<u64>,
}

/// The least `replace_dead_after_seconds`: an election must not look like a death.
pub const REPLACE_DEAD_AFTER_SECONDS_MIN: u64 = 5;

/// Entries that an account may always list or remove in one window, so that a small list can grow at all.
pub const GROWTH_FREE_ENTRIES: u64 = 1000;

/// A limit on what one account lists and removes within a window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrowthBrake {
    /// Entries listed or removed in one window, in hundredths of those listed when it began.
    pub share_percent: u32,
    /// The length of a window.
    pub window_seconds: i64,
}

/// The current window of the growth brake for one account. Part of the replicated state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growth {
    /// When it began.
    pub since: Timestamp,
    /// The entries listed then.
    pub entries: u64,
    /// What the account has listed and removed since.
    pub changed: u64,
}

impl Default for ClusterSettings {
    fn default() -> ClusterSettings {
        ClusterSettings {
            allow_private: false,
            widest_v4: 16,
            widest_v6: 32,
            sensor_widest_v4: 24,
            sensor_widest_v6: 48,
            default_ttl: BTreeMap::new(),
            sensor_entries_max: None,
            growth_brake: None,
            replace_dead_after_seconds: None,
        }
    }
}
