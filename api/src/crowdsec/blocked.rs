//! What a list blocks, as one bouncer sees it: the lines of its export that are asked for, networks written out as
//! addresses for a firewall that takes no networks.

use std::cmp::Reverse;
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
    /// It takes so many values: those reported last.
    pub(super) max: Option<usize>,
}

/// All that is blocked, as far as a bouncer can take it.
pub(super) struct All<'a> {
    /// Each value once.
    pub(super) lines: Vec<Line<'a>>,
    /// Networks that were too wide to be written out.
    pub(super) too_wide: usize,
    /// What is beyond `max`, the newest of it first; as many as it takes at most, and how many there are.
    pub(super) beyond: Vec<Network>,
    pub(super) beyond_count: usize,
}

/// One value to block, and the entry that blocks it longest.
pub(super) type Line<'a> = (Network, &'a Arc<Entry>);

impl<'a> Blocked<'a> {
    pub(super) fn all(&self) -> All<'a> {
        let mut all = All { lines: Vec::new(), too_wide: 0, beyond: Vec::new(), beyond_count: 0 };
        if self.filter.is_nothing() {
            return all;
        }
        let filter = self.filter;
        for line in self.list.exported_where(Kind::Ip, |entry| filter.wants(entry)) {
            let Observable::Ip(network) = line.value else { continue };
            if !filter.wants_line(network) {
                continue;
            }
            all.too_wide += usize::from(!self.can_take(network));
            all.lines.extend(self.spread(network).map(|value| (value, line.entry)));
        }
        if !self.ranges {
            all.lines
                .sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| longest(other).cmp(&longest(one))));
            all.lines.dedup_by_key(|(value, _)| *value);
        }
        if let Some(max) = self.max.filter(|max| all.lines.len() > *max) {
            // The log tells which of one millisecond is the later.
            let newest = |(value, entry): &Line<'_>| (Reverse((entry.time_updated, entry.index)), *value);
            all.lines.sort_unstable_by_key(newest);
            all.beyond_count = all.lines.len() - max;
            all.beyond = all.lines.drain(max..).map(|(value, _)| value).take(max).collect();
            all.lines.sort_unstable_by_key(|(value, _)| *value);
        }
        all
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
        let networks = lines.into_iter().filter_map(|line| line.network());
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
