//! Which networks of an ordered map lie within another, and which around it, without a look at the rest.

use std::borrow::Cow;
use std::ops::Bound;

use ipnet::IpNet;

use super::by_value::ByValue;
use super::widths::Widths;
use crate::blocklist::network::Network;
use crate::blocklist::observable::Observable;

/// The hosts and networks within a network, itself included. Their order makes them two runs: the networks
/// behind this one, and the hosts from its first address on.
pub(super) fn within<V: Clone>(
    map: &ByValue<V>,
    network: Network,
) -> impl Iterator<Item = (Cow<'_, Observable>, &V)> {
    let inside = move |value: &Observable, hosts: bool| match value {
        Observable::Ip(other) => other.is_host() == hosts && network.net().contains(&other.net()),
        _ => false,
    };
    let first_host = Network::host(network.net().addr());
    let from = |network| map.range(Bound::Included(Observable::Ip(network)), Bound::Unbounded);
    let networks = from(network).take_while(move |(value, _)| inside(value, false));
    let hosts = from(first_host).take_while(move |(value, _)| inside(value, true));
    networks.chain(hosts)
}

/// The networks around a host or network, itself excepted, widest first. The cost is a lookup a prefix length
/// in use, however many networks there are.
pub(super) fn around<'a, V: Clone>(
    map: &'a ByValue<V>,
    widths: &'a Widths,
    network: Network,
) -> impl Iterator<Item = (Observable, &'a V)> {
    let net = network.net();
    widths
        .wider_than(net)
        .filter_map(move |length| IpNet::new(net.addr(), length).ok())
        .map(|wider| Observable::Ip(Network::new(wider)))
        .filter_map(|wider| map.get(&wider).map(|known| (wider, known)))
}
