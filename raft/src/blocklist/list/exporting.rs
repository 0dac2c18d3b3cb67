//! What the list looks like to those who block by it: without what must not be blocked. What is left out stays
//! stored, and comes back when nothing speaks against it any more.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use ipnet::IpNet;

use super::nesting::{around, within};
use super::{List, bounds};
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
    pub fn exported_where<W: Fn(&Entry) -> bool>(
        &self,
        kind: Kind,
        wanted: W,
    ) -> impl Iterator<Item = Exported<'_>> + use<'_, W> {
        self.exporting(kind, wanted).between(None, None)
    }

    /// The same for whoever wants it a part at a time: what is left out is worked out once.
    pub fn exporting<W: Fn(&Entry) -> bool>(&self, kind: Kind, wanted: W) -> Exporting<'_, W> {
        let (hidden, pieces) = match kind {
            Kind::Ip => self.cuts(&wanted),
            _ => Default::default(),
        };
        let pieces = pieces.into_iter().map(|(value, entry)| (value, entry.value.clone()));
        let cuts = Cuts { hidden: Arc::new(hidden), pieces: Arc::new(pieces.collect()) };
        self.exporting_with(kind, wanted, cuts)
    }

    /// The same with what was left out of an earlier list by the same `wanted`: `lines_touched_since` tells
    /// whether that still holds.
    pub fn exporting_with<W: Fn(&Entry) -> bool>(
        &self,
        kind: Kind,
        wanted: W,
        cuts: Cuts,
    ) -> Exporting<'_, W> {
        Exporting { list: self, kind, wanted: Arc::new(wanted), cuts }
    }

    /// What a listed observable is in an export: itself, nothing, or what is left of it.
    pub fn exported_as(&self, value: &Observable) -> Vec<Observable> {
        let Observable::Ip(network) = value else {
            return if self.allowing(value).is_none() { vec![value.clone()] } else { Vec::new() };
        };
        let net = network.net();
        if self.is_whole(*network) {
            return vec![value.clone()];
        }
        let overlaps = |hole: &IpNet| hole.contains(&net) || net.contains(hole);
        let mut holes: Vec<IpNet> = self.fixed_holes().map(Network::net).filter(overlaps).collect();
        let around = around(&self.allows, &self.allow_widths, *network);
        holes.extend(around.filter_map(|(value, _)| value.network()).map(Network::net));
        let within = within(&self.allows, *network);
        holes.extend(within.filter_map(|(value, _)| value.network()).map(Network::net));
        let mut left = Vec::new();
        subtract(net, &holes, &mut left);
        left.into_iter().map(|net| Observable::Ip(Network::new(net))).collect()
    }

    /// Whether nothing is cut out of a listed network: so it is with nearly all.
    fn is_whole(&self, network: Network) -> bool {
        let mut nodes = self.node_addresses.values().flatten();
        !guard::is_special(network, &self.settings)
            && !nodes.any(|node| network.net().contains(node))
            && (self.allows.is_empty()
                || (around(&self.allows, &self.allow_widths, network).next().is_none()
                    && within(&self.allows, network).next().is_none()))
    }

    /// The entries that an export leaves out or cuts, and the pieces that are left of the wanted ones.
    pub(super) fn cuts(
        &self,
        wanted: impl Fn(&Entry) -> bool,
    ) -> (BTreeSet<Observable>, BTreeMap<Observable, &Arc<Entry>>) {
        let allowed = self.allows.iter().filter_map(|(value, _)| value.network());
        let mut hidden = BTreeSet::new();
        let mut cut = BTreeMap::new();
        for hole in self.fixed_holes().chain(allowed) {
            hidden.extend(within(&self.entries, hole).map(|(value, _)| value.into_owned()));
            cut.extend(around(&self.entries, &self.widths, hole));
        }
        let mut pieces = BTreeMap::new();
        for (value, entry) in cut {
            if wanted(entry) && !hidden.contains(&value) {
                pieces.extend(self.exported_as(&value).into_iter().map(|piece| (piece, entry)));
            }
            hidden.insert(value);
        }
        (hidden, pieces)
    }

    /// What may never be exported, allow list aside: it was listed before a rule was made.
    fn fixed_holes(&self) -> impl Iterator<Item = Network> {
        let nodes = self.node_addresses.values().flatten().copied().map(Network::host);
        guard::never(&self.settings).chain(nodes)
    }
}

/// What an export leaves out, and the pieces that are left of what it cuts, each with the value of its entry.
#[derive(Clone, Debug, Default)]
pub struct Cuts {
    hidden: Arc<BTreeSet<Observable>>,
    pieces: Arc<BTreeMap<Observable, Observable>>,
}

/// The export of the wanted entries of a kind.
pub struct Exporting<'a, W> {
    list: &'a List,
    kind: Kind,
    wanted: Arc<W>,
    /// What is left out of it.
    pub cuts: Cuts,
}

impl<'a, W: Fn(&Entry) -> bool> Exporting<'a, W> {
    /// Its lines from the first of these values on, and before the second, in export order.
    pub fn between(
        &self,
        from: Option<&Observable>,
        to: Option<&Observable>,
    ) -> impl Iterator<Item = Exported<'a>> + use<'a, W> {
        let list = self.list;
        let (first, last) = bounds(self.kind);
        let from = from.map_or(first, |value| Bound::Included(value.clone()));
        let to = to.map_or(last, |value| Bound::Excluded(value.clone()));
        let pieces = self.cuts.pieces.range((from.clone(), to.clone()));
        let exported = |(piece, whole): (&Observable, &Observable)| {
            Some(Exported { value: piece.clone(), entry: list.get(whole)? })
        };
        let pieces: Vec<Exported<'a>> = pieces.filter_map(exported).collect();
        let by_name = self.kind != Kind::Ip && !list.allows.is_empty();
        let (wanted, hidden) = (self.wanted.clone(), self.cuts.hidden.clone());
        let whole = list
            .entries
            .range(from, to)
            .filter(move |(_, entry)| wanted(entry))
            // The key and not the entry's own value: entries lie all over the memory, and a list of values alone is
            // written without a look at them.
            .filter(move |(value, _)| hidden.is_empty() || !hidden.contains(&**value))
            .filter(move |(value, _)| !by_name || list.allowing(value).is_none())
            .map(|(value, entry)| Exported { value: value.into_owned(), entry });
        merge(whole, pieces.into_iter())
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
