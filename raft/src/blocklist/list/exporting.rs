//! What the list looks like to those who block by it: without what must not be blocked. What is left out stays
//! stored, and comes back when nothing speaks against it any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;

use super::List;
use super::nesting::{around, within};
use crate::blocklist::entry::Entry;
use crate::blocklist::guard;
use crate::blocklist::kind::Kind;
use crate::blocklist::network::Network;
use crate::blocklist::observable::Observable;

/// One line of an export.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported<'a> {
    /// What to block: the entry's observable, or a network within it that is left when others are cut out.
    pub value: Observable,
    /// The entry it comes from.
    pub entry: &'a Arc<Entry>,
}

impl List {
    /// What an export of a kind holds, in export order, each value once. The cost beyond `entries` is that of
    /// what is left out, not that of the list.
    pub fn exported(&self, kind: Kind) -> impl Iterator<Item = Exported<'_>> {
        self.exported_where(kind, |_| true)
    }

    /// The same of the wanted entries alone. It is not the same as choosing among the lines of all: a piece that
    /// is left of a wanted network may be an unwanted entry as well, and is exported.
    pub fn exported_where(
        &self,
        kind: Kind,
        wanted: impl Fn(&Entry) -> bool,
    ) -> impl Iterator<Item = Exported<'_>> {
        let (hidden, pieces) = match kind {
            Kind::Ip => self.cuts(&wanted),
            _ => Default::default(),
        };
        let by_name = kind != Kind::Ip && !self.allows.is_empty();
        let whole = self
            .entries(kind)
            .filter(move |entry| wanted(entry))
            .filter(move |entry| !hidden.contains(&entry.value))
            .filter(move |entry| !by_name || self.allowing(&entry.value).is_none())
            .map(|entry| Exported { value: entry.value.clone(), entry });
        let pieces = pieces.into_iter().map(|(value, entry)| Exported { value, entry });
        merge(whole, pieces)
    }

    /// What a listed observable is in an export: itself, nothing, or what is left of it.
    pub fn exported_as(&self, value: &Observable) -> Vec<Observable> {
        let Observable::Ip(network) = value else {
            return if self.allowing(value).is_none() { vec![value.clone()] } else { Vec::new() };
        };
        let net = network.net();
        let overlaps = |hole: &IpNet| hole.contains(&net) || net.contains(hole);
        let allowed =
            around(&self.allows, &self.allow_widths, *network).chain(within(&self.allows, *network));
        let allowed = allowed.filter_map(|(value, _)| match value {
            Observable::Ip(network) => Some(network.net()),
            _ => None,
        });
        let holes: Vec<IpNet> =
            self.fixed_holes().map(Network::net).filter(overlaps).chain(allowed).collect();
        let mut left = Vec::new();
        subtract(net, &holes, &mut left);
        left.into_iter().map(|net| Observable::Ip(Network::new(net))).collect()
    }

    /// The entries that an export leaves out or cuts, and the pieces that are left of the wanted ones.
    pub(super) fn cuts(
        &self,
        wanted: impl Fn(&Entry) -> bool,
    ) -> (BTreeSet<Observable>, BTreeMap<Observable, &Arc<Entry>>) {
        let allowed = self.allows.keys().filter_map(|value| match value {
            Observable::Ip(network) => Some(*network),
            _ => None,
        });
        let mut hidden = BTreeSet::new();
        let mut cut = BTreeMap::new();
        for hole in self.fixed_holes().chain(allowed) {
            hidden.extend(within(&self.entries, hole).map(|(value, _)| value.clone()));
            cut.extend(around(&self.entries, &self.widths, hole));
        }
        let mut pieces = BTreeMap::new();
        for (value, entry) in cut {
            if hidden.insert(value.clone()) && wanted(entry) {
                pieces.extend(self.exported_as(value).into_iter().map(|piece| (piece, entry)));
            }
        }
        (hidden, pieces)
    }

    /// What may never be exported, allow list aside: it was listed before a rule was made.
    fn fixed_holes(&self) -> impl Iterator<Item = Network> {
        let nodes = self.node_addresses.values().flatten().copied().map(Network::host);
        guard::never(&self.settings).chain(nodes)
    }
}

/// What is left of a network when holes are cut out, in the fewest networks.
fn subtract(net: IpNet, holes: &[IpNet], left: &mut Vec<IpNet>) {
    if holes.iter().any(|hole| hole.contains(&net)) {
        return;
    }
    let inside: Vec<IpNet> = holes.iter().copied().filter(|hole| net.contains(hole)).collect();
    if inside.is_empty() {
        left.push(net);
        return;
    }
    for half in net.subnets(net.prefix_len().saturating_add(1)).into_iter().flatten() {
        subtract(half, &inside, left);
    }
}

/// Two runs in export order as one; a value of both is taken from the first.
fn merge<'a>(
    whole: impl Iterator<Item = Exported<'a>>,
    pieces: impl Iterator<Item = Exported<'a>>,
) -> impl Iterator<Item = Exported<'a>> {
    let mut whole = whole.peekable();
    let mut pieces = pieces.peekable();
    std::iter::from_fn(move || match (whole.peek(), pieces.peek()) {
        (Some(first), Some(second)) if first.value > second.value => pieces.next(),
        (Some(first), Some(second)) => {
            if first.value == second.value {
                pieces.next();
            }
            whole.next()
        }
        (Some(_), None) => whole.next(),
        (None, _) => pieces.next(),
    })
}
