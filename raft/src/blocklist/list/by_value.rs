//! A map by observables, in export order, whose clones share what they have in common.
//!
//! Most of most lists are IPv4 hosts. They have a map of their own: its keys have four bytes, an observable has 24, so
//! that a search reads half as much and a change copies half as much.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::ops::Bound;

use imbl::OrdMap;

use crate::blocklist::network::Network;
use crate::blocklist::observable::Observable;

/// What is known of each observable.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::blocklist) struct ByValue<V> {
    /// IPv4 hosts, by their number.
    hosts: OrdMap<u32, V>,
    /// Everything else.
    others: OrdMap<Observable, V>,
}

impl<V> Default for ByValue<V> {
    fn default() -> Self {
        ByValue { hosts: OrdMap::new(), others: OrdMap::new() }
    }
}

impl<V: Clone> ByValue<V> {
    pub(in crate::blocklist) fn get(&self, value: &Observable) -> Option<&V> {
        match number(value) {
            Some(number) => self.hosts.get(&number),
            None => self.others.get(value),
        }
    }

    pub(in crate::blocklist) fn get_mut(&mut self, value: &Observable) -> Option<&mut V> {
        match number(value) {
            Some(number) => self.hosts.get_mut(&number),
            None => self.others.get_mut(value),
        }
    }

    /// Gives what was there before.
    pub(in crate::blocklist) fn insert(&mut self, value: Observable, known: V) -> Option<V> {
        match number(&value) {
            Some(number) => self.hosts.insert(number, known),
            None => self.others.insert(value, known),
        }
    }

    pub(in crate::blocklist) fn remove(&mut self, value: &Observable) -> Option<V> {
        match number(value) {
            Some(number) => self.hosts.remove(&number),
            None => self.others.remove(value),
        }
    }

    pub(in crate::blocklist) fn len(&self) -> usize {
        self.hosts.len() + self.others.len()
    }

    pub(in crate::blocklist) fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.others.is_empty()
    }

    /// All of it, in export order.
    pub(in crate::blocklist) fn iter(&self) -> impl Iterator<Item = (Cow<'_, Observable>, &V)> {
        self.range(Bound::Unbounded, Bound::Unbounded)
    }

    pub(in crate::blocklist) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, known)| known)
    }

    /// What lies between two bounds, in export order; nothing where the first is behind the second.
    pub(in crate::blocklist) fn range(
        &self,
        from: Bound<Observable>,
        to: Bound<Observable>,
    ) -> impl Iterator<Item = (Cow<'_, Observable>, &V)> + use<'_, V> {
        let (first, last) = (host(0), host(u32::MAX));
        let begins_before = |value: &Observable| bound(&from).is_none_or(|from| from < value);
        let ends_behind = |value: &Observable| bound(&to).is_none_or(|to| to > value);
        let before = begins_before(&first).then(|| {
            let to = if ends_behind(&first) { Bound::Excluded(first.clone()) } else { to.clone() };
            self.others.range((from.clone(), to))
        });
        let behind = ends_behind(&last).then(|| {
            let from = if begins_before(&last) { Bound::Excluded(last.clone()) } else { from.clone() };
            self.others.range((from, to.clone()))
        });
        let hosts_from = match begins_before(&first) {
            true => Bound::Unbounded,
            false => numbered(&from).unwrap_or(Bound::Excluded(u32::MAX)),
        };
        let hosts_to = match ends_behind(&last) {
            true => Bound::Unbounded,
            false => numbered(&to).unwrap_or(Bound::Excluded(0)),
        };
        let hosts = self.hosts.range::<_, u32>((hosts_from, hosts_to));
        let hosts = hosts.map(|(number, known)| (Cow::Owned(host(*number)), known));
        let [before, behind] = [before, behind]
            .map(|part| part.into_iter().flatten().map(|(value, known)| (Cow::Borrowed(value), known)));
        before.chain(hosts).chain(behind)
    }
}

/// The number of an IPv4 host; none for anything else.
fn number(value: &Observable) -> Option<u32> {
    value.network()?.ipv4_host().map(u32::from)
}

fn host(number: u32) -> Observable {
    Observable::Ip(Network::host(Ipv4Addr::from(number).into()))
}

fn bound(bound: &Bound<Observable>) -> Option<&Observable> {
    match bound {
        Bound::Included(value) | Bound::Excluded(value) => Some(value),
        Bound::Unbounded => None,
    }
}

/// A bound at an IPv4 host.
fn numbered(bound: &Bound<Observable>) -> Option<Bound<u32>> {
    match bound {
        Bound::Included(value) => number(value).map(Bound::Included),
        Bound::Excluded(value) => number(value).map(Bound::Excluded),
        Bound::Unbounded => None,
    }
}
