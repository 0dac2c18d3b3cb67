//! Which networks of an ordered map lie within another, and which around it, without a look at the rest.

use imbl::OrdMap;
use ipnet::IpNet;

use super::widths::Widths;
use crate::blocklist::network::Network;
use crate::blocklist::observable::Observable;

/// The hosts and networks within a network, itself included. Their order makes them two runs: the networks
/// behind this one, and the hosts from its first address on.
pub(super) fn within<V: Clone>(
    map: &OrdMap<Observable, V>,
    network: Network,
) -> impl Iterator<Item = (&Observable, &V)> {
    let inside = move |value: &Observable, hosts: bool| match value {
        Observable::Ip(other) => other.is_host() == hosts && network.net().contains(&other.net()),
        _ => false,
    };
    let first_host = Network::host(network.net().addr());
    let networks = map.range(Observable::Ip(network)..).take_while(move |(value, _)| inside(value, false));
    let hosts = map.range(Observable::Ip(first_host)..).take_while(move |(value, _)| inside(value, true));
    networks.chain(hosts)
}

/// The networks around a host or network, itself excepted, widest first. The cost is a lookup a prefix length
/// in use, however many networks there are.
pub(super) fn around<'a, V: Clone>(
    map: &'a OrdMap<Observable, V>,
    widths: &'a Widths,
    network: Network,
) -> impl Iterator<Item = (&'a Observable, &'a V)> {
    let net = network.net();
    widths
        .wider_than(net)
        .filter_map(move |length| IpNet::new(net.addr(), length).ok())
        .filter_map(|wider| map.get_key_value(&Observable::Ip(Network::new(wider))))
}
