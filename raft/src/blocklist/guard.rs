//! What must never be listed, whoever asks: special addresses and networks that are too wide
//! (contract section 7). Matched both ways, because a wide network that only contains them does the same harm.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::account::Role;
use super::network::Network;
use super::settings::ClusterSettings;

/// Never listed (the special-purpose registries of IANA), with the word for it. Documentation ranges are left
/// out: tests and demos use them.
const NEVER_V4: [(Ipv4Net, &str); 8] = [
    (v4([0, 0, 0, 0], 8), "unspecified"),
    (v4([127, 0, 0, 0], 8), "loopback"),
    (v4([169, 254, 0, 0], 16), "link-local"),
    (v4([192, 0, 0, 0], 24), "reserved"),
    (v4([192, 88, 99, 0], 24), "reserved"),
    (v4([198, 18, 0, 0], 15), "reserved"),
    (v4([224, 0, 0, 0], 4), "multicast"),
    (v4([240, 0, 0, 0], 4), "reserved"),
];
const NEVER_V6: [(Ipv6Net, &str); 12] = [
    (v6([0, 0, 0, 0], 128), "unspecified"),
    (v6([0, 0, 0, 1], 128), "loopback"),
    (v6([0, 0, 0, 0], 96), "reserved"),
    (v6([0x100, 0, 0, 0], 64), "reserved"),
    (v6([0x2001, 2, 0, 0], 48), "reserved"),
    (v6([0x2001, 0x10, 0, 0], 28), "reserved"),
    (v6([0x2001, 0x20, 0, 0], 28), "reserved"),
    (v6([0x5f00, 0, 0, 0], 16), "reserved"),
    (v6([0xfe80, 0, 0, 0], 10), "link-local"),
    (v6([0xfec0, 0, 0, 0], 10), "reserved"),
    (v6([0xff00, 0, 0, 0], 8), "multicast"),
    // IPv4-mapped: a host or network in it is folded to IPv4, so this is only ever contained.
    (Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96), "reserved"),
];
/// Listed only where the cluster says so (RFC 1918, RFC 6598, RFC 4193).
const PRIVATE_V4: [Ipv4Net; 4] =
    [v4([10, 0, 0, 0], 8), v4([100, 64, 0, 0], 10), v4([172, 16, 0, 0], 12), v4([192, 168, 0, 0], 16)];
const PRIVATE_V6: [Ipv6Net; 1] = [v6([0xfc00, 0, 0, 0], 7)];

/// Ranges whose addresses carry an IPv4 address, and the bit it begins at: NAT64 (RFC 6052, RFC 8215), 6to4
/// (RFC 3056) and Teredo (RFC 4380, which stores it inverted).
const CARRIERS: [(Ipv6Net, u8); 4] = [
    (v6([0x64, 0xff9b, 0, 0], 96), 96),
    (v6([0x64, 0xff9b, 1, 0], 48), 96),
    (v6([0x2002, 0, 0, 0], 16), 16),
    (TEREDO, 96),
];
const TEREDO: Ipv6Net = v6([0x2001, 0, 0, 0], 32);

/// Why this network must not be listed, if so: the end of the sentence that begins with it.
pub(super) fn objection(network: Network, role: Role, settings: &ClusterSettings) -> Option<String> {
    let net = network.net();
    let widest = match (net, role) {
        (IpNet::V4(_), Role::Sensor) => settings.sensor_widest_v4.max(settings.widest_v4),
        (IpNet::V6(_), Role::Sensor) => settings.sensor_widest_v6.max(settings.widest_v6),
        (IpNet::V4(_), _) => settings.widest_v4,
        (IpNet::V6(_), _) => settings.widest_v6,
    };
    if net.prefix_len() < widest {
        return Some(format!("is too wide: the role `{role}` lists networks up to /{widest}"));
    }
    if let Some(word) = special(net, settings.allow_private) {
        return Some(format!("is never listed: it holds {word} addresses"));
    }
    let carried = carried(net)?;
    special(carried, settings.allow_private)
        .map(|word| format!("is never listed: it carries `{}`, {word}", Network::new(carried)))
}

/// Whether one of `never` holds this network, or a part of it.
pub(super) fn is_special(network: Network, settings: &ClusterSettings) -> bool {
    special(network.net(), settings.allow_private).is_some()
}

/// The ranges that no export may hold, whatever was listed before.
pub(super) fn never(settings: &ClusterSettings) -> impl Iterator<Item = Network> {
    let always_v4 = NEVER_V4.into_iter().map(|(range, _)| IpNet::V4(range));
    let always_v6 = NEVER_V6.into_iter().map(|(range, _)| IpNet::V6(range));
    let private_v4 = PRIVATE_V4.into_iter().map(IpNet::V4);
    let private_v6 = PRIVATE_V6.into_iter().map(IpNet::V6);
    let allow_private = settings.allow_private;
    let private = private_v4.chain(private_v6).filter(move |_| !allow_private);
    always_v4.chain(always_v6).chain(private).map(Network::new)
}

/// What kind of special addresses a network holds, if any.
fn special(net: IpNet, allow_private: bool) -> Option<&'static str> {
    let (never, private) = match net {
        IpNet::V4(net) => {
            let never = NEVER_V4.iter().find(|(range, _)| meet(*range, net));
            let private = PRIVATE_V4.iter().any(|range| meet(*range, net));
            (never.map(|(_, word)| *word), private)
        }
        IpNet::V6(net) => {
            let never = NEVER_V6.iter().find(|(range, _)| range.contains(&net) || net.contains(range));
            let private = PRIVATE_V6.iter().any(|range| range.contains(&net) || net.contains(range));
            (never.map(|(_, word)| *word), private)
        }
    };
    never.or_else(|| (private && !allow_private).then_some("private"))
}

/// Whether one of them holds the other. Every report is asked this of every range.
fn meet(one: Ipv4Net, other: Ipv4Net) -> bool {
    let shorter = one.prefix_len().min(other.prefix_len());
    (one.addr().to_bits() ^ other.addr().to_bits()).leading_zeros() >= u32::from(shorter)
}

/// The IPv4 addresses that the IPv6 addresses of a network carry.
fn carried(net: IpNet) -> Option<IpNet> {
    let IpNet::V6(net) = net else { return None };
    let (range, offset) =
        CARRIERS.into_iter().find(|(range, _)| range.contains(&net) || net.contains(range))?;
    if !range.contains(&net) {
        return Some(IpNet::V4(Ipv4Net::default()));
    }
    let length = net.prefix_len().saturating_sub(offset).min(32);
    let inverted = if range == TEREDO { u32::MAX } else { 0 };
    let octets = net.addr().octets();
    let first = usize::from(offset / 8);
    let bits = octets[first..first + 4].iter().fold(0, |bits: u32, octet| (bits << 8) | u32::from(*octet));
    let address = IpAddr::V4(Ipv4Addr::from(bits ^ inverted));
    IpNet::new(address, length).ok().map(|net| net.trunc())
}

const fn v4(octets: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]), length)
}

/// A range by its first three groups and its last one.
const fn v6(groups: [u16; 4], length: u8) -> Ipv6Net {
    let [first, second, third, last] = groups;
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, last), length)
}
