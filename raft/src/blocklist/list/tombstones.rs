//! What left the list, and when: a bounded memory for those who follow the changes.

use imbl::{OrdMap, OrdSet};

use crate::blocklist::network::Network;
use crate::blocklist::observable::Observable;

/// The most removals remembered; whoever is further behind takes the whole list.
pub(super) const TOMBSTONES_MAX: usize = 65_536;

/// Removed observables with the index of their removal, in both orders.
#[derive(Clone, Debug, Default)]
pub(super) struct Tombstones {
    by_value: OrdMap<Observable, u64>,
    by_index: OrdSet<(u64, Observable)>,
}

impl Tombstones {
    pub(super) fn put(&mut self, value: Observable, index: u64) {
        self.remove(&value);
        self.by_index.insert((index, value.clone()));
        self.by_value.insert(value, index);
    }

    pub(super) fn remove(&mut self, value: &Observable) -> bool {
        let Some(index) = self.by_value.remove(value) else { return false };
        self.by_index.remove(&(index, value.clone())).is_some()
    }

    pub(super) fn get(&self, value: &Observable) -> Option<u64> {
        self.by_value.get(value).copied()
    }

    /// The oldest one, once there are too many.
    pub(super) fn surplus(&self) -> Option<(u64, Observable)> {
        if self.by_value.len() > TOMBSTONES_MAX { self.by_index.get_min().cloned() } else { None }
    }

    /// All of them by value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Observable, u64)> {
        self.by_value.iter().map(|(value, index)| (value, *index))
    }

    /// What was removed after this index, in the order of removal.
    pub(super) fn after(&self, index: u64) -> impl Iterator<Item = &Observable> {
        let first = Observable::Ip(Network::new(ipnet::Ipv4Net::default().into()));
        self.by_index.range((index.saturating_add(1), first)..).map(|(_, value)| value)
    }
}

impl PartialEq for Tombstones {
    fn eq(&self, other: &Tombstones) -> bool {
        self.by_value == other.by_value
    }
}
