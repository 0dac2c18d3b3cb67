//! A host or a network, with the order of every export.

use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// An address with a prefix and no host bits; a host is a network of full length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Network(IpNet);

impl Network {
    /// The network of full length that holds one address.
    pub fn host(address: IpAddr) -> Network {
        Network(IpNet::from(address))
    }

    /// Wraps a network after clearing its host bits.
    pub fn new(net: IpNet) -> Network {
        Network(net.trunc())
    }

    /// The inner network.
    pub fn net(self) -> IpNet {
        self.0
    }

    /// The fewest networks that hold exactly the same addresses, in export order.
    pub fn aggregate(networks: impl Iterator<Item = Network>) -> Vec<Network> {
        let nets: Vec<IpNet> = networks.map(Network::net).collect();
        let mut merged: Vec<Network> = IpNet::aggregate(&nets).into_iter().map(Network).collect();
        merged.sort_unstable();
        merged
    }

    /// Whether this is one address.
    pub fn is_host(self) -> bool {
        self.0.prefix_len() == self.0.max_prefix_len()
    }
}

/// Networks before hosts, IPv4 before IPv6, numeric, and of equal addresses the wider first.
impl Ord for Network {
    fn cmp(&self, other: &Network) -> Ordering {
        self.is_host().cmp(&other.is_host()).then_with(|| match (self.0, other.0) {
            (IpNet::V4(a), IpNet::V4(b)) => (a.addr(), a.prefix_len()).cmp(&(b.addr(), b.prefix_len())),
            (IpNet::V6(a), IpNet::V6(b)) => (a.addr(), a.prefix_len()).cmp(&(b.addr(), b.prefix_len())),
            (IpNet::V4(_), IpNet::V6(_)) => Ordering::Less,
            (IpNet::V6(_), IpNet::V4(_)) => Ordering::Greater,
        })
    }
}

impl PartialOrd for Network {
    fn partial_cmp(&self, other: &Network) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Hosts without a prefix, networks with one; IPv6 as RFC 5952 has it.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}
