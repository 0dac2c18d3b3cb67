//! A host or a network, with the order of every export.

use std::cmp::Ordering;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
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

    /// The address, when this is one of IPv4.
    pub fn ipv4_host(self) -> Option<Ipv4Addr> {
        match self.0 {
            IpNet::V4(net) if net.prefix_len() == net.max_prefix_len() => Some(net.addr()),
            _ => None,
        }
    }

    /// Whether this is one address.
    pub fn is_host(self) -> bool {
        self.0.prefix_len() == self.0.max_prefix_len()
    }
}

/// Networks before hosts, IPv4 before IPv6, numeric, and of equal addresses the wider first.
impl Ord for Network {
    fn cmp(&self, other: &Network) -> Ordering {
        // What most comparisons of most lists are.
        if let (IpNet::V4(a), IpNet::V4(b)) = (self.0, other.0)
            && a.prefix_len() == b.prefix_len()
        {
            return a.addr().to_bits().cmp(&b.addr().to_bits());
        }
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
        match self.0 {
            IpNet::V4(net) => write_v4(net, f),
            IpNet::V6(net) if self.is_host() => net.addr().fmt(f),
            IpNet::V6(net) => net.fmt(f),
        }
    }
}

/// Lists are made of these: digits by hand take a fraction of what `write!` does.
fn write_v4(net: Ipv4Net, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0; "255.255.255.255/32".len()];
    let mut length = 0;
    let mut put = |byte: u8| {
        text[length] = byte;
        length += 1;
    };
    let mut number = |number: u8, behind: Option<u8>| {
        if number >= 100 {
            put(b'0' + number / 100);
        }
        if number >= 10 {
            put(b'0' + number / 10 % 10);
        }
        put(b'0' + number % 10);
        behind.into_iter().for_each(&mut put);
    };
    let [a, b, c, d] = net.addr().octets();
    let is_host = net.prefix_len() == net.max_prefix_len();
    for octet in [a, b, c] {
        number(octet, Some(b'.'));
    }
    number(d, (!is_host).then_some(b'/'));
    if !is_host {
        number(net.prefix_len(), None);
    }
    f.write_str(std::str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_shows_as_the_standard_library_has_it() {
        let octets = [0, 1, 9, 10, 11, 99, 100, 101, 199, 200, 249, 255];
        for octet in octets {
            for prefix in [8, 9, 24, 31, 32] {
                let address = Ipv4Addr::from([octet, 255 - octet, octet, octet & 0xfe]);
                let net = Ipv4Net::new(address, prefix).unwrap().trunc();
                let expected = if prefix == 32 { net.addr().to_string() } else { net.to_string() };
                assert_eq!(Network(net.into()).to_string(), expected);
            }
        }
        for text in ["2001:db8::/32", "2001:db8::1"] {
            let net = text.parse().unwrap_or_else(|_| IpNet::from(text.parse::<IpAddr>().unwrap()));
            assert_eq!(Network(net).to_string(), text);
        }
    }
}
