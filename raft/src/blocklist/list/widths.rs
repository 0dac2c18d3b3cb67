//! How many networks of each prefix length are listed, so that a lookup probes only lengths in use.

use imbl::OrdMap;
use ipnet::IpNet;

/// Counts by family (IPv6 or not) and prefix length; hosts are not counted. Derived, never stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Widths(OrdMap<(bool, u8), usize>);

impl Widths {
    /// Counts one more network.
    pub(super) fn add(&mut self, net: IpNet) {
        if net.prefix_len() < net.max_prefix_len() {
            *self.0.entry(key(net)).or_insert(0) += 1;
        }
    }

    /// Counts one network less.
    pub(super) fn remove(&mut self, net: IpNet) {
        let left = self.0.get(&key(net)).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            self.0.remove(&key(net));
        } else {
            self.0.insert(key(net), left);
        }
    }

    /// The prefix lengths in use that are shorter than this network's, shortest first.
    pub(super) fn wider_than(&self, net: IpNet) -> impl Iterator<Item = u8> + '_ {
        let (family, length) = key(net);
        self.0.range((family, 0)..(family, length)).map(|((_, length), _)| *length)
    }
}

fn key(net: IpNet) -> (bool, u8) {
    (net.addr().is_ipv6(), net.prefix_len())
}
