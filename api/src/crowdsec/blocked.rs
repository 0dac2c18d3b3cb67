//! What a list blocks, as one bouncer sees it: the lines of its export that are asked for, networks written out as
//! addresses for a firewall that takes no networks.

use std::sync::Arc;

use raft::blocklist::{Entry, Kind, List, Network, Observable, Timestamp};

use super::filter::Filter;

/// The most addresses of one network that are written out; a wider network is left out.
const SPREAD_MAX: u32 = 256;

/// A list through the eyes of one bouncer.
#[derive(Clone, Copy)]
pub(super) struct Blocked<'a> {
    pub(super) list: &'a List,
    pub(super) filter: &'a Filter,
    /// Networks stay networks.
    pub(super) ranges: bool,
}

/// One value to block, and the entry that blocks it longest.
pub(super) type Line<'a> = (Network, &'a Arc<Entry>);

impl<'a> Blocked<'a> {
    /// All of it, each value once, and how many networks were too wide to be written out.
    pub(super) fn all(&self) -> (Vec<Line<'a>>, usize) {
        if self.filter.is_nothing() {
            return (Vec::new(), 0);
        }
        let filter = self.filter;
        let mut too_wide = 0;
        let mut lines = Vec::new();
        for line in self.list.exported_where(Kind::Ip, |entry| filter.wants(entry)) {
            let Observable::Ip(network) = line.value else { continue };
            if !filter.wants_line(network) {
                continue;
            }
            too_wide += usize::from(!self.can_take(network));
            lines.extend(self.spread(network).map(|value| (value, line.entry)));
        }
        if !self.ranges {
            lines.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| longest(other).cmp(&longest(one))));
            lines.dedup_by_key(|(value, _)| *value);
        }
        (lines, too_wide)
    }

    /// The entry that blocks exactly this value longest, if any does.
    pub(super) fn holder(&self, value: Network) -> Option<&'a Arc<Entry>> {
        let list = self.list;
        let observable = Observable::Ip(value);
        let own = list.get(&observable).into_iter();
        let around = list.containing(&observable);
        let blocks = |entry: &&'a Arc<Entry>| {
            self.lines_of(entry).any(|line| line == value || (!self.ranges && self.writes_out(line, value)))
        };
        own.chain(around).filter(blocks).max_by_key(|entry| longest(entry))
    }

    /// What this entry is in the export, as far as it is asked for.
    pub(super) fn lines_of(&self, entry: &Entry) -> impl Iterator<Item = Network> {
        let wanted = self.filter.wants(entry);
        let lines = if wanted { self.list.exported_as(&entry.value) } else { Vec::new() };
        let networks = lines.into_iter().filter_map(|line| match line {
            Observable::Ip(network) => Some(network),
            _ => None,
        });
        let filter = self.filter;
        networks.filter(move |network| filter.wants_line(*network))
    }

    /// A network as this bouncer gets it: itself, its addresses, or nothing.
    pub(super) fn spread(&self, network: Network) -> impl Iterator<Item = Network> + use<> {
        let whole = self.ranges || network.is_host();
        let hosts = !whole && self.can_take(network);
        let addresses = hosts.then(|| network.net().subnets(network.net().max_prefix_len()).ok()).flatten();
        whole.then_some(network).into_iter().chain(addresses.into_iter().flatten().map(Network::new))
    }

    fn can_take(&self, network: Network) -> bool {
        let net = network.net();
        let bits = u32::from(net.max_prefix_len() - net.prefix_len());
        self.ranges || 1_u32.checked_shl(bits).is_some_and(|count| count <= SPREAD_MAX)
    }

    fn writes_out(&self, line: Network, value: Network) -> bool {
        value.is_host() && self.can_take(line) && line.net().contains(&value.net())
    }
}

/// When a ban ends; never is last.
pub(super) fn longest(entry: &Entry) -> Timestamp {
    entry.expires().copied().unwrap_or(Timestamp(i64::MAX))
}
