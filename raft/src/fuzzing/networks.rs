//! Networks on the list and on the allow list, and what follows from them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{TIME, apply};
use crate::blocklist::{Kind, List, Network, NewAllow, Observable, Operation, Report};

/// More lines say nothing new, and take long.
const LINES_MAX: usize = 48;

/// Lines such as `192.0.2.0/24`: listed, with `-` before it removed, with `!` allowed, with `~` not allowed any more.
/// Exports, lookups and the change feed say of every edge of all these what the plain rules say.
pub fn networks(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (mut list, mut followed) = (List::default(), BTreeSet::new());
    for (index, line) in (1..).zip(text.lines().take(LINES_MAX)) {
        let (sign, rest) = match line.as_bytes().first() {
            Some(sign @ (b'-' | b'!' | b'~')) => (*sign, &line[1..]),
            _ => (b'+', line),
        };
        let values: Vec<Observable> = Observable::parse(Kind::Ip, rest).into_iter().collect();
        let allow = |value| NewAllow { value, comment: "ours".into() };
        let operation = match sign {
            b'-' => Operation::Delete(values),
            b'!' => Operation::AllowAdd(values.into_iter().map(allow).collect()),
            b'~' => Operation::AllowDelete(values),
            _ => Operation::Add(values.into_iter().map(report).collect()),
        };
        apply(&mut list, index, operation);
        follow(&list, index - 1, &mut followed);
    }
    check(&list);
}

fn report(value: Observable) -> Report {
    Report {
        value,
        comment: "".into(),
        source: "ids".into(),
        ttl: None,
        tags: BTreeSet::new(),
        seen: Some(TIME),
    }
}

/// Brings what a follower has up to date, and compares it with an export.
fn follow(list: &List, since: u64, followed: &mut BTreeSet<Observable>) {
    let exported: BTreeSet<Observable> = list.exported(Kind::Ip).map(|line| line.value).collect();
    match list.changes_since(Kind::Ip, since) {
        Ok(feed) => {
            followed.retain(|value| !feed.removed.contains(value));
            followed.extend(feed.added.into_iter().map(|line| line.value));
            assert_eq!(*followed, exported, "by the changes since {since}");
        }
        // The whole list is taken again.
        Err(_) => *followed = exported,
    }
}

fn net(value: &Observable) -> Option<IpNet> {
    value.network().map(Network::net)
}

fn check(list: &List) {
    let listed: Vec<IpNet> = list.entries(Kind::Ip).filter_map(|entry| net(&entry.value)).collect();
    let allowed: Vec<IpNet> = list.allows().filter_map(|allow| net(&allow.value)).collect();
    let lines: Vec<Observable> = list.exported(Kind::Ip).map(|line| line.value).collect();
    assert!(lines.is_sorted_by(|before, after| before < after), "in order, each once: {lines:?}");
    let exported: Vec<IpNet> = lines.iter().filter_map(net).collect();
    for net in &listed {
        let value = Observable::Ip(Network::new(*net));
        let overlaps = allowed.iter().any(|allow| allow.contains(net) || net.contains(allow));
        assert_eq!(list.allowing(&value).is_some(), overlaps, "allowing {value}");
        assert!(list.lists_within(&value), "within {value}");
    }
    for address in listed.iter().chain(&allowed).flat_map(edges) {
        let value = Observable::host(address);
        let host = IpNet::from(address);
        let mut around: Vec<IpNet> =
            listed.iter().copied().filter(|net| net.contains(&address) && *net != host).collect();
        around.sort_by_key(IpNet::prefix_len);
        let found: Vec<IpNet> =
            list.containing(&value).iter().filter_map(|entry| net(&entry.value)).collect();
        assert_eq!(found, around, "around {address}");
        let is_allowed = allowed.iter().any(|net| net.contains(&address));
        let blocked = listed.iter().any(|net| net.contains(&address)) && !is_allowed;
        assert_eq!(exported.iter().any(|net| net.contains(&address)), blocked, "exported: {address}");
        assert_eq!(list.blocking(&value).is_some(), blocked, "blocking {address}");
        assert_eq!(list.allowing(&value).is_some(), is_allowed, "allowing {address}");
    }
}

/// The first and the last address of a network, and their neighbours outside.
fn edges(net: &IpNet) -> Vec<IpAddr> {
    let (first, last) = (net.network(), net.broadcast());
    let moved = |address: IpAddr, by: i8| match address {
        IpAddr::V4(v4) => {
            v4.to_bits().checked_add_signed(by.into()).map(|bits| Ipv4Addr::from_bits(bits).into())
        }
        IpAddr::V6(v6) => {
            v6.to_bits().checked_add_signed(by.into()).map(|bits| Ipv6Addr::from_bits(bits).into())
        }
    };
    // What IPv6 has of IPv4 is never on the list as IPv6.
    let plain = |address: &IpAddr| address.to_canonical() == *address;
    [Some(first), Some(last), moved(first, -1), moved(last, 1)].into_iter().flatten().filter(plain).collect()
}
