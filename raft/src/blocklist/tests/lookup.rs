//! Order, kinds and containment.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::fixtures::{Desk, actor, ip, report};
use super::parsing::network;
use crate::blocklist::{Entry, Kind, List, Network, Observable, Operation, Record, Role, WholeEntry};

/// A list that holds these, whatever the guards say.
fn listing(values: &[Observable]) -> Desk {
    let mut desk = Desk::default();
    desk.add(1, report("192.0.2.1"));
    let sample = desk.entry("192.0.2.1");
    let mut list = List::default();
    for value in values {
        let entry = WholeEntry { value: value.clone(), ..sample.clone() }.into();
        list.restore(Record::Entry(Arc::new(entry)));
    }
    Desk { list, sent: 0 }
}

fn texts<'a>(entries: impl IntoIterator<Item = &'a Arc<Entry>>) -> Vec<String> {
    entries.into_iter().map(|entry| entry.value.to_string()).collect()
}

#[test]
fn networks_come_before_hosts_and_ipv4_before_ipv6_in_numeric_order() {
    let sorted =
        ["9.0.0.0/8", "10.0.0.0/8", "10.0.0.0/16", "2001:db8::/32", "9.9.9.9", "10.0.0.1", "2001:db8::1"];
    let values: Vec<Observable> = sorted.iter().rev().map(|text| ip(text)).collect();
    assert_eq!(texts(listing(&values).list.entries(Kind::Ip)), sorted);
}

#[test]
fn kinds_do_not_mix() {
    let samples = [
        (Kind::Ip, "192.0.2.1"),
        (Kind::Domain, "bad.example"),
        (Kind::Url, "http://bad.example/"),
        (Kind::Hash, "d41d8cd98f00b204e9800998ecf8427e"),
        (Kind::Email, "joe@bad.example"),
        (Kind::Username, "root"),
    ];
    let values: Vec<_> = samples.iter().map(|(kind, text)| Observable::parse(*kind, text).unwrap()).collect();
    let mut desk = listing(&values);
    for (kind, text) in samples {
        assert_eq!(texts(desk.list.entries(kind)), [text]);
        assert_eq!(desk.list.count(kind), 1);
    }
    desk.run(2, actor("joe", Role::Analyst), Operation::Delete(values[1..2].to_vec()));
    assert_eq!((desk.list.count(Kind::Domain), desk.list.last_changed(Kind::Domain)), (0, 1));
    assert_eq!((desk.list.count(Kind::Url), desk.list.last_changed(Kind::Url)), (1, 0));
}

#[test]
fn the_networks_around_an_address_come_widest_first() {
    let values = ["192.0.0.0/16", "192.0.2.0/24", "192.0.2.1", "192.0.3.0/24", "2001:db8::/32"].map(ip);
    let mut desk = listing(&values);
    assert_eq!(texts(desk.list.containing(&ip("192.0.2.1"))), ["192.0.0.0/16", "192.0.2.0/24"]);
    assert_eq!(texts(desk.list.containing(&ip("192.0.2.0/24"))), ["192.0.0.0/16"], "itself excepted");
    assert_eq!(texts(desk.list.containing(&ip("2001:db8::5"))), ["2001:db8::/32"]);
    assert!(desk.list.containing(&Observable::parse(Kind::Domain, "bad.example").unwrap()).is_empty());
    desk.run(2, actor("joe", Role::Analyst), Operation::Delete(values[..1].to_vec()));
    assert_eq!(texts(desk.list.containing(&ip("192.0.2.1"))), ["192.0.2.0/24"]);
}

#[test]
fn the_address_of_a_dual_stack_socket_is_the_ipv4_address() {
    assert_eq!(Observable::host("::ffff:192.0.2.1".parse().unwrap()), ip("192.0.2.1"));
    assert_eq!(Observable::host("2001:db8::1".parse().unwrap()), ip("2001:db8::1"));
}

proptest! {
    #[test]
    fn containment_is_what_ipnet_says(
        mut networks in vec(network(), 1..60),
        wide in 0..24u8,
        probe in network(),
        gone in 0..10usize,
    ) {
        // Random networks seldom nest: put some around the probe.
        let around = |length| Network::new(ipnet::IpNet::new(probe.net().addr(), length).unwrap());
        networks.extend([around(wide), around(wide / 2), around(32)]);
        let values: Vec<Observable> = networks.iter().copied().map(Observable::Ip).collect();
        let mut desk = listing(&values);
        desk.run(2, actor("joe", Role::Analyst), Operation::Delete(values.iter().take(gone).cloned().collect()));

        let mut expected: Vec<Network> = networks
            .iter()
            .copied()
            .filter(|network| !values[..gone.min(values.len())].contains(&Observable::Ip(*network)))
            .filter(|network| *network != probe && network.net().contains(&probe.net()))
            .collect();
        expected.sort_by_key(|network| network.net().prefix_len());
        expected.dedup();
        let found: Vec<Observable> =
            desk.list.containing(&Observable::Ip(probe)).iter().map(|entry| entry.value.clone()).collect();
        prop_assert_eq!(found, expected.into_iter().map(Observable::Ip).collect::<Vec<_>>());

        let order: Vec<Observable> = desk.list.entries(Kind::Ip).map(|entry| entry.value.clone()).collect();
        prop_assert!(order.is_sorted());
        prop_assert_eq!(order.len(), desk.list.count(Kind::Ip));
    }
}
