//! What must never be listed, and the settings that move the border.

use proptest::prelude::{prop_assert, proptest};

use super::fixtures::{Desk, actor, ip, report};
use super::parsing::network;
use crate::blocklist::{
    ClusterSettings, GROWTH_FREE_ENTRIES, GrowthBrake, Line, Observable, Operation, Outcome, Record, Refusal,
    Report, Role, guard,
};

/// The end of the sentence with which this role's add is refused; nothing when it is listed.
#[track_caller]
fn check(desk: &mut Desk, role: Role, value: &str, words: Option<&str>) {
    let line = desk.line(1, actor("somebody", role), Operation::Add(vec![report(value)]));
    match (&line, words) {
        (Line::Added | Line::Sighted, None) => {}
        (Line::Refused(Refusal::Guarded(sentence)), Some(words)) => {
            assert!(sentence.starts_with(&format!("address `{}` ", ip(value))), "{sentence}");
            assert!(sentence.contains(words), "{sentence}");
            assert!(desk.list.get(&ip(value)).is_none());
        }
        _ => panic!("{value} as {role}: {line:?}"),
    }
}

#[test]
fn special_addresses_are_never_listed() {
    let mut desk = Desk::default();
    for (value, word) in [
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"), // "this network", RFC 791
        ("127.0.0.1", "loopback"),
        ("127.8.0.0/24", "loopback"), // a part of it
        ("169.254.1.1", "link-local"),
        ("192.0.0.8", "reserved"),
        ("192.88.99.1", "reserved"), // the 6to4 relay anycast
        ("198.18.0.1", "reserved"),  // benchmarks
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),  // broadcast
        ("192.0.0.0/16", "reserved"),     // wide enough to be listed, and contains 192.0.0.0/24
        ("::ffff:127.0.0.1", "loopback"), // IPv4 in IPv6 clothes
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::127.0.0.1", "reserved"), // IPv4-compatible, deprecated
        ("100::1", "reserved"),      // discard-only
        ("2001:2::1", "reserved"),   // benchmarks
        ("2001:20::1", "reserved"),  // ORCHIDv2
        ("5f00::1", "reserved"),     // segment routing
        ("fe80::1", "link-local"),
        ("fec0::1", "reserved"), // site-local, deprecated
        ("ff02::1", "multicast"),
        ("64:ff9b::127.0.0.1", "carries `127.0.0.1`, loopback"), // NAT64
        ("64:ff9b::10.0.0.1", "carries `10.0.0.1`, private"),
        ("64:ff9b:1::127.0.0.1", "carries `127.0.0.1`, loopback"), // NAT64 of one's own network
        ("64:ff9b::/96", "carries `0.0.0.0/0`"),                   // all of NAT64
        ("2002:7f00:1::1", "carries `127.0.0.1`, loopback"),       // 6to4
        ("2002:c0a8:100::/40", "carries `192.168.1.0/24`, private"),
        ("2001::80ff:fffe", "carries `127.0.0.1`, loopback"), // Teredo stores it inverted
        ("2001::/64", "carries `0.0.0.0/0`"),                 // a whole Teredo server
    ] {
        check(&mut desk, Role::Admin, value, Some(word));
    }
    for value in [
        "192.0.2.1", // documentation: tests and demos use it
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001:db8::1",
        "3fff::1",
        "1.1.1.1",
        "126.255.255.255", // right before loopback
        "128.0.0.0",       // right after it
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::/32",
        "64:ff9b::192.0.2.1", // NAT64 of an address that may be listed
        "2002:c000:201::1",   // 6to4 of one
        "2001::3fff:fdfe",    // Teredo of one
    ] {
        check(&mut desk, Role::Admin, value, None);
    }
}

#[test]
fn private_addresses_are_listed_only_where_the_cluster_says_so() {
    let inside = ["10.0.0.1", "100.64.0.1", "172.16.0.0/16", "192.168.1.1", "fd00::1", "2002:a00:1::1"];
    let mut desk = Desk::default();
    for value in inside {
        check(&mut desk, Role::Admin, value, Some("private"));
    }
    for value in ["172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.0"] {
        check(&mut desk, Role::Admin, value, None); // right beside it
    }
    put(&mut desk, ClusterSettings { allow_private: true, ..ClusterSettings::default() });
    for value in inside {
        check(&mut desk, Role::Admin, value, None);
    }
    check(&mut desk, Role::Admin, "127.0.0.1", Some("loopback"));
}

#[test]
fn wide_networks_are_refused_and_a_sensor_has_less_room() {
    let mut desk = Desk::default();
    for (role, value, words) in [
        (Role::Analyst, "45.0.0.0/8", Some("the role `analyst` lists networks up to /16")),
        (Role::Analyst, "0.0.0.0/0", Some("too wide")),
        (Role::Analyst, "::/0", Some("too wide")),
        (Role::Analyst, "45.146.0.0/15", Some("too wide")),
        (Role::Analyst, "45.146.0.0/16", None),
        (Role::Analyst, "2001:d00::/24", Some("up to /32")),
        (Role::Analyst, "2001:d00::/32", None),
        (Role::Sensor, "45.147.0.0/23", Some("the role `sensor` lists networks up to /24")),
        (Role::Sensor, "45.147.0.0/24", None),
        (Role::Sensor, "2a00::/47", Some("up to /48")),
        (Role::Sensor, "2a00::/48", None),
    ] {
        check(&mut desk, role, value, words);
    }
    put(&mut desk, ClusterSettings { widest_v4: 8, ..ClusterSettings::default() });
    check(&mut desk, Role::Analyst, "45.0.0.0/8", None);
    check(&mut desk, Role::Sensor, "46.0.0.0/8", Some("up to /24"));
    put(&mut desk, ClusterSettings { widest_v4: 30, ..ClusterSettings::default() });
    check(&mut desk, Role::Sensor, "47.0.0.0/24", Some("up to /30"));
}

#[test]
fn the_nodes_of_the_cluster_are_never_listed() {
    let mut desk = Desk::default();
    check(&mut desk, Role::Admin, "203.0.113.7", None);
    let addresses = ["203.0.113.7".parse().unwrap(), "::ffff:203.0.113.8".parse().unwrap()];
    let nodes = |addresses: &[std::net::IpAddr]| Operation::PutNodeAddresses {
        node: 2,
        addresses: addresses.iter().copied().collect(),
    };
    assert_eq!(desk.run(1, actor("", Role::Admin), nodes(&addresses)), Outcome::Done);
    for value in ["203.0.113.8", "203.0.113.0/24"] {
        check(&mut desk, Role::Admin, value, Some("node 2 of this cluster"));
    }
    check(&mut desk, Role::Admin, "203.0.113.9", None);
    let refused = desk.run(1, actor("joe", Role::Analyst), nodes(&[]));
    assert!(matches!(refused, Outcome::Refused(Refusal::Forbidden(_))));
    assert_eq!(desk.run(1, actor("", Role::Admin), nodes(&[])), Outcome::Done);
    check(&mut desk, Role::Admin, "203.0.113.8", None);
}

#[test]
fn settings_are_an_admins_and_are_stored_when_they_are_not_the_default() {
    let mut desk = Desk::default();
    let refused =
        desk.run(1, actor("joe", Role::Analyst), Operation::PutSettings(ClusterSettings::default()));
    assert!(matches!(refused, Outcome::Refused(Refusal::Forbidden(_))));
    let long = ClusterSettings { widest_v6: 129, ..ClusterSettings::default() };
    let soon = ClusterSettings { replace_dead_after_seconds: Some(4), ..ClusterSettings::default() };
    for settings in [long, soon] {
        let refused = desk.run(1, actor("root", Role::Admin), Operation::PutSettings(settings));
        assert!(matches!(refused, Outcome::Refused(Refusal::Guarded(_))));
    }

    let stored = |desk: &Desk| desk.list.records().any(|record| matches!(record, Record::Settings(_)));
    put(&mut desk, ClusterSettings { allow_private: true, ..ClusterSettings::default() });
    assert!(stored(&desk));
    put(&mut desk, ClusterSettings::default());
    assert!(!stored(&desk));
}

#[test]
fn a_report_without_a_time_to_live_takes_that_of_the_cluster() {
    let mut desk = Desk::default();
    let default_ttl = [(crate::blocklist::Kind::Ip, 60)].into();
    put(&mut desk, ClusterSettings { default_ttl, ..ClusterSettings::default() });
    let expires = |desk: &Desk| desk.entry("192.0.2.1").expires.map(|moment| moment.0 / 1000);
    desk.add(100, report("192.0.2.1"));
    assert_eq!(expires(&desk), Some(160));
    desk.add(130, report("192.0.2.1"));
    assert_eq!(expires(&desk), Some(190));
    desk.add(130, Report { ttl: Some(0), ..report("192.0.2.1") });
    assert_eq!(expires(&desk), None, "never is what was asked for");
}

#[test]
fn a_sensor_has_its_number_of_entries() {
    let mut desk = Desk::default();
    put(&mut desk, ClusterSettings { sensor_entries_max: Some(2), ..ClusterSettings::default() });
    let mut add = |account: &str, role, value: &str| {
        let line = desk.line(1, actor(account, role), Operation::Add(vec![report(value)]));
        !matches!(line, Line::Refused(Refusal::Conflict(_)))
    };
    assert!(add("ossec1", Role::Sensor, "192.0.2.1"));
    assert!(add("ossec1", Role::Sensor, "192.0.2.2"));
    assert!(!add("ossec1", Role::Sensor, "192.0.2.3"));
    assert!(add("ossec1", Role::Sensor, "192.0.2.1"), "a sighting is no new entry");
    assert!(add("ossec2", Role::Sensor, "192.0.2.3"), "another sensor");
    assert!(add("joe", Role::Analyst, "192.0.2.4"));
    let delete = Operation::Delete(vec![ip("192.0.2.1")]);
    desk.run(2, actor("joe", Role::Analyst), delete);
    let line = desk.line(3, actor("ossec1", Role::Sensor), Operation::Add(vec![report("192.0.2.5")]));
    assert_eq!(line, Line::Added, "there is room again");
}

#[test]
fn one_account_neither_fills_nor_empties_the_list_at_once() {
    let mut desk = Desk::default();
    let growth_brake = Some(GrowthBrake { share_percent: 50, window_seconds: 60 });
    put(&mut desk, ClusterSettings { growth_brake, ..ClusterSettings::default() });
    let mut number = 0;
    let mut add = |desk: &mut Desk, second, account: &str, role, count: u64| {
        let reports = (0..count).map(|_| {
            number += 1;
            report(&format!("45.0.{}.{}", number / 256, number % 256))
        });
        match desk.run(second, actor(account, role), Operation::Add(reports.collect())) {
            Outcome::Lines(lines) => lines.iter().filter(|line| **line == Line::Added).count() as u64,
            other => panic!("{other:?}"),
        }
    };
    let free = GROWTH_FREE_ENTRIES;
    assert_eq!(add(&mut desk, 100, "ossec1", Role::Sensor, free - 1), free - 1);
    assert_eq!(add(&mut desk, 159, "ossec1", Role::Sensor, 3), 1, "the window is full");
    assert_eq!(add(&mut desk, 159, "ossec2", Role::Sensor, 3), 3, "another account has a window of its own");
    assert_eq!(add(&mut desk, 159, "root", Role::Admin, 2997), 2997, "admins are not held up");
    let listed = free + 3000;
    assert_eq!(add(&mut desk, 160, "ossec1", Role::Sensor, 3000), listed / 2, "half of what is listed now");
    assert_eq!(add(&mut desk, 100, "ossec1", Role::Sensor, 1), 0, "a clock that is behind opens no window");

    let again = desk.line(161, actor("ossec1", Role::Sensor), Operation::Add(vec![report("45.0.0.1")]));
    assert_eq!(again, Line::Sighted, "a sighting is no change of the list");
    let withdraw = Operation::Delete(vec![ip("45.0.0.2")]);
    let refused = desk.line(161, actor("ossec1", Role::Sensor), withdraw);
    let Line::Refused(Refusal::Conflict(sentence)) = refused else { panic!("{refused:?}") };
    for words in ["`ossec1`", "before 1970-01-01 00:03:40", "PUT /admin/settings {\"growth_brake\":null}"] {
        assert!(sentence.contains(words), "{sentence}");
    }
    put(&mut desk, ClusterSettings::default());
    assert_eq!(add(&mut desk, 161, "ossec1", Role::Sensor, 3), 3, "an admin has lifted it");
}

fn put(desk: &mut Desk, settings: ClusterSettings) {
    assert_eq!(desk.run(1, actor("root", Role::Admin), Operation::PutSettings(settings)), Outcome::Done);
}

proptest! {
    #[test]
    fn what_may_be_listed_holds_nothing_that_may_not(network in network()) {
        let settings = ClusterSettings { widest_v4: 0, widest_v6: 0, ..ClusterSettings::default() };
        if guard::objection(network, Role::Analyst, &settings).is_none() {
            let net = network.net();
            for address in [net.network(), net.broadcast()] {
                let host = crate::blocklist::Network::host(address);
                prop_assert!(guard::objection(host, Role::Analyst, &settings).is_none(), "{} in {}", address, net);
            }
            for range in guard::never(&settings) {
                prop_assert!(!net.contains(&range.net()) && !range.net().contains(&net));
            }
            prop_assert!(Observable::parse(crate::blocklist::Kind::Ip, &network.to_string()).is_ok());
        }
    }
}
