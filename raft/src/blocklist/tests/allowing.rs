//! The allow list: what it refuses, and what it leaves out of exports.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::fixtures::{Desk, actor, ip, not_found, report};
use crate::blocklist::{
    Kind, Line, List, NewAllow, Observable, Operation, Outcome, Refusal, Report, Role, guard,
};

fn domain(text: &str) -> Observable {
    Observable::parse(Kind::Domain, text).unwrap()
}

fn allow(desk: &mut Desk, value: Observable, comment: &str) -> Line {
    let new = NewAllow { value, comment: comment.into() };
    desk.line(50, actor("joe", Role::Analyst), Operation::AllowAdd(vec![new]))
}

fn disallow(desk: &mut Desk, value: Observable) -> Line {
    desk.line(60, actor("joe", Role::Analyst), Operation::AllowDelete(vec![value]))
}

fn exported(list: &List, kind: Kind) -> Vec<String> {
    list.exported(kind).map(|line| line.value.to_string()).collect()
}

#[track_caller]
fn check(desk: &mut Desk, value: Observable, sentence: Option<&str>) {
    let line = desk.add(1, Report { value, ..report("192.0.2.1") });
    match sentence {
        Some(sentence) => assert_eq!(line, Line::Refused(Refusal::Conflict(sentence.to_owned()))),
        None => assert!(matches!(line, Line::Added | Line::Sighted), "{line:?}"),
    }
}

#[test]
fn the_allow_list_is_matched_both_ways() {
    let mut desk = Desk::default();
    assert_eq!(allow(&mut desk, ip("203.0.113.0/28"), "our office"), Line::Added);
    assert_eq!(allow(&mut desk, ip("8.8.8.8"), ""), Line::Added);
    assert_eq!(allow(&mut desk, domain("example.com"), "ourselves"), Line::Added);
    for (value, sentence) in [
        ("203.0.113.0/28", Some("address `203.0.113.0/28` is on the allow list: our office")),
        ("203.0.113.5", Some("address `203.0.113.5` is on the allow list as `203.0.113.0/28`: our office")),
        (
            "203.0.113.4/30",
            Some("address `203.0.113.4/30` is on the allow list as `203.0.113.0/28`: our office"),
        ),
        (
            "203.0.113.0/24",
            Some("address `203.0.113.0/24` is on the allow list as `203.0.113.0/28`: our office"),
        ),
        ("8.8.8.8", Some("address `8.8.8.8` is on the allow list")),
        ("8.8.0.0/16", Some("address `8.8.0.0/16` is on the allow list as `8.8.8.8`")),
        ("203.0.113.16", None), // right beside it
        ("203.0.113.16/28", None),
        ("8.8.8.9", None),
        ("2001:db8::1", None), // another family
    ] {
        check(&mut desk, ip(value), sentence);
    }
    for (value, sentence) in [
        ("example.com", Some("domain `example.com` is on the allow list: ourselves")),
        (
            "a.b.example.com",
            Some("domain `a.b.example.com` is on the allow list as `example.com`: ourselves"),
        ),
        ("badexample.com", None), // ends alike, and is another name
        ("example.net", None),
    ] {
        check(&mut desk, domain(value), sentence);
    }
    let prevented: Vec<u64> = desk.list.allows().map(|allow| allow.prevented).collect();
    assert_eq!(prevented, [4, 2, 2], "in the order of the observables");
}

#[test]
fn only_an_analyst_changes_the_allow_list() {
    let mut desk = Desk::default();
    let new = NewAllow { value: ip("8.8.8.8"), comment: "dns".into() };
    for operation in [Operation::AllowAdd(vec![new]), Operation::AllowDelete(vec![ip("8.8.8.8")])] {
        let refused = desk.run(1, actor("ossec1", Role::Sensor), operation);
        assert!(matches!(refused, Outcome::Refused(Refusal::Forbidden(_))));
    }
    let missing = Line::Refused(not_found("address `8.8.8.8` is not on the allow list"));
    assert_eq!(disallow(&mut desk, ip("8.8.8.8")), missing);

    allow(&mut desk, ip("8.8.8.8"), "dns");
    check(&mut desk, ip("8.8.8.8"), Some("address `8.8.8.8` is on the allow list: dns"));
    assert_eq!(allow(&mut desk, ip("8.8.8.8"), "resolver"), Line::Updated);
    let kept = desk.list.allow(&ip("8.8.8.8")).unwrap();
    assert_eq!((&*kept.comment, &*kept.account, kept.prevented), ("resolver", "joe", 1));
}

#[test]
fn what_was_listed_before_is_left_out_and_comes_back() {
    let mut desk = Desk::default();
    for value in ["203.0.113.0/29", "203.0.113.5", "203.0.113.6", "198.51.100.1"] {
        desk.add(1, report(value));
    }
    let before = ["203.0.113.0/29", "198.51.100.1", "203.0.113.5", "203.0.113.6"];
    assert_eq!(exported(&desk.list, Kind::Ip), before);

    allow(&mut desk, ip("203.0.113.5"), "our mail");
    let cut = ["203.0.113.0/30", "203.0.113.6/31", "198.51.100.1", "203.0.113.4", "203.0.113.6"];
    assert_eq!(exported(&desk.list, Kind::Ip), cut, "networks before hosts, and a piece that is a host");
    assert_eq!(desk.list.count(Kind::Ip), 4, "all of it stays stored");
    assert_eq!(desk.list.last_changed(Kind::Ip), desk.sent, "the export is another one");

    allow(&mut desk, ip("203.0.113.0/28"), "our office");
    assert_eq!(exported(&desk.list, Kind::Ip), ["198.51.100.1"]);

    disallow(&mut desk, ip("203.0.113.0/28"));
    assert_eq!(exported(&desk.list, Kind::Ip), cut);
    disallow(&mut desk, ip("203.0.113.5"));
    assert_eq!(exported(&desk.list, Kind::Ip), before);
}

#[test]
fn a_rule_that_is_made_later_holds_for_exports_too() {
    let mut desk = Desk::default();
    desk.add(1, report("203.0.113.0/30"));
    let addresses = ["203.0.113.1".parse().unwrap()].into();
    desk.run(2, actor("", Role::Admin), Operation::PutNodeAddresses { node: 1, addresses });
    assert_eq!(exported(&desk.list, Kind::Ip), ["203.0.113.2/31", "203.0.113.0"]);

    let private = |allow_private| {
        Operation::PutSettings(crate::blocklist::ClusterSettings { allow_private, ..Default::default() })
    };
    desk.run(3, actor("root", Role::Admin), private(true));
    desk.add(4, report("10.0.0.1"));
    assert!(exported(&desk.list, Kind::Ip).contains(&"10.0.0.1".to_owned()));
    desk.run(5, actor("root", Role::Admin), private(false));
    assert!(!exported(&desk.list, Kind::Ip).contains(&"10.0.0.1".to_owned()));
}

#[test]
fn allowed_domains_are_left_out_with_all_below_them() {
    let mut desk = Desk::default();
    for value in ["bad.example", "www.bad.example", "worse.example"] {
        desk.add(1, Report { value: domain(value), ..report("192.0.2.1") });
    }
    allow(&mut desk, domain("bad.example"), "it was a mistake");
    assert_eq!(exported(&desk.list, Kind::Domain), ["worse.example"]);
    disallow(&mut desk, domain("bad.example"));
    assert_eq!(exported(&desk.list, Kind::Domain), ["bad.example", "worse.example", "www.bad.example"]);
}

#[test]
fn a_domain_above_an_allowed_name_is_not_listed() {
    let mut desk = Desk::default();
    assert_eq!(allow(&mut desk, domain("www.example.org"), "our shop"), Line::Added);
    for (value, sentence) in [
        // Whoever blocks a domain blocks all names below it.
        ("example.org", Some("domain `example.org` is on the allow list as `www.example.org`: our shop")),
        ("www.example.org", Some("domain `www.example.org` is on the allow list: our shop")),
        (
            "a.www.example.org",
            Some("domain `a.www.example.org` is on the allow list as `www.example.org`: our shop"),
        ),
        ("mail.example.org", None), // beside it
        ("w.example.org", None),
        ("ple.org", None), // ends alike, and is no domain above it
    ] {
        check(&mut desk, domain(value), sentence);
    }
    assert_eq!(desk.list.allow(&domain("www.example.org")).unwrap().prevented, 3);
    assert_eq!(disallow(&mut desk, domain("www.example.org")), Line::Deleted);
    check(&mut desk, domain("example.org"), None);
}

#[test]
fn a_domain_above_an_allowed_name_is_left_out_and_comes_back() {
    let mut desk = Desk::default();
    for value in ["example.org", "mail.example.org", "worse.example"] {
        desk.add(1, Report { value: domain(value), ..report("192.0.2.1") });
    }
    allow(&mut desk, domain("www.shop.example.org"), "our shop");
    assert_eq!(exported(&desk.list, Kind::Domain), ["mail.example.org", "worse.example"]);
    assert!(desk.list.exported_as(&domain("example.org")).is_empty());
    assert_eq!(desk.list.count(Kind::Domain), 3, "all of it stays stored");
    disallow(&mut desk, domain("www.shop.example.org"));
    assert_eq!(exported(&desk.list, Kind::Domain), ["example.org", "mail.example.org", "worse.example"]);
}

/// Names of few labels, so that they meet.
fn near_name() -> impl Strategy<Value = Observable> {
    vec(prop_oneof![Just("a"), Just("b"), Just("ab")], 1..4)
        .prop_map(|labels| domain(&format!("{}.example", labels.join("."))))
}

/// Networks and hosts of a small room, so that they meet.
fn near() -> impl Strategy<Value = Observable> {
    let v4 = (any::<u8>(), 22..=32u8).prop_map(|(last, length)| (format!("45.0.0.{last}"), length));
    let v6 = (any::<u8>(), 118..=128u8).prop_map(|(last, length)| (format!("2001:db8::{last:x}"), length));
    prop_oneof![3 => v4, 1 => v6, 1 => Just(("45.0.0.0".to_owned(), 16))].prop_map(|(address, length)| {
        let net = ipnet::IpNet::new(address.parse().unwrap(), length).unwrap();
        ip(&net.trunc().to_string())
    })
}

proptest! {
    #[test]
    fn an_export_of_wanted_entries_is_that_of_a_list_of_them_alone(
        listed in vec((near(), any::<bool>()), 0..30),
        allowed in vec(near(), 0..6),
    ) {
        let wanted: BTreeSet<&Observable> =
            listed.iter().filter(|(_, wanted)| *wanted).map(|(value, _)| value).collect();
        let (mut all, mut alone) = (Desk::default(), Desk::default());
        for (value, _) in &listed {
            all.add(1, Report { value: value.clone(), ..report("192.0.2.1") });
            if wanted.contains(value) {
                alone.add(1, Report { value: value.clone(), ..report("192.0.2.1") });
            }
        }
        for value in &allowed {
            allow(&mut all, value.clone(), "");
            allow(&mut alone, value.clone(), "");
        }
        let chosen = all.list.exported_where(Kind::Ip, |entry| wanted.contains(&entry.value));
        let values: Vec<Observable> = chosen.map(|line| line.value).collect();
        let expected: Vec<Observable> = alone.list.exported(Kind::Ip).map(|line| line.value).collect();
        prop_assert_eq!(values, expected);
    }

    #[test]
    fn an_export_holds_no_domain_whose_blocking_blocks_an_allowed_name(
        listed in vec(near_name(), 0..20),
        allowed in vec(near_name(), 0..4),
    ) {
        let mut desk = Desk::default();
        for value in &listed {
            desk.add(1, Report { value: value.clone(), ..report("192.0.2.1") });
        }
        for value in &allowed {
            allow(&mut desk, value.clone(), "");
        }
        let blocks = |a: &str, b: &str| a == b || b.ends_with(&format!(".{a}"));
        let meets = |value: &Observable| {
            let value = value.to_string();
            allowed.iter().map(Observable::to_string).any(|allow| blocks(&value, &allow) || blocks(&allow, &value))
        };
        let wanted: BTreeSet<Observable> = listed.iter().filter(|value| !meets(value)).cloned().collect();
        let lines: Vec<Observable> = desk.list.exported(Kind::Domain).map(|line| line.value).collect();
        prop_assert_eq!(&lines, &wanted.into_iter().collect::<Vec<_>>());
        for value in &listed {
            let alone = desk.list.exported_as(value);
            prop_assert_eq!(alone.contains(value), lines.contains(value), "{}", value);
            prop_assert_eq!(desk.list.allowing(value).is_some(), meets(value), "{}", value);
        }
        for probe in listed.iter().chain(&allowed).flat_map(|value| [value.clone(), domain(&format!("x.{value}"))]) {
            let covers = |line: &&Observable| blocks(&line.to_string(), &probe.to_string());
            let by = desk.list.blocking(&probe).map(|entry| &entry.value);
            let nearest = lines.iter().filter(covers).max_by_key(|line| line.to_string().len());
            prop_assert_eq!(by, nearest, "{}", probe);
            let below = |value: &Observable| blocks(&probe.to_string(), &value.to_string()) && *value != probe;
            prop_assert_eq!(desk.list.lists_within(&probe), listed.iter().any(below), "{}", probe);
        }
    }

    #[test]
    fn an_export_blocks_all_that_is_listed_and_nothing_that_is_allowed(
        listed in vec(near(), 0..30),
        allowed in vec(near(), 0..6),
    ) {
        let mut desk = Desk::default();
        for value in &listed {
            desk.add(1, Report { value: value.clone(), ..report("192.0.2.1") });
        }
        for value in &allowed {
            allow(&mut desk, value.clone(), "");
        }
        let lines: Vec<Observable> = desk.list.exported(Kind::Ip).map(|line| line.value).collect();
        prop_assert!(lines.is_sorted_by(|a, b| a < b), "in order, each once: {:?}", lines);
        let one_by_one: BTreeSet<Observable> =
            desk.list.entries(Kind::Ip).flat_map(|entry| desk.list.exported_as(&entry.value)).collect();
        prop_assert_eq!(&lines, &one_by_one.into_iter().collect::<Vec<_>>());

        let covers = |values: &[Observable], probe: &ipnet::IpNet| {
            values.iter().any(|value| matches!(value, Observable::Ip(network) if network.net().contains(probe)))
        };
        let v4 = (0..=255).map(|last| format!("45.0.0.{last}/32"));
        let v6 = (0..=255).map(|last| format!("2001:db8::{last:x}/128"));
        for probe in v4.chain(v6).chain(["45.0.77.1/32".to_owned()]) {
            let probe: ipnet::IpNet = probe.parse().unwrap();
            let wanted = covers(&listed, &probe) && !covers(&allowed, &probe);
            prop_assert_eq!(covers(&lines, &probe), wanted, "{}", probe);
            let host = Observable::host(probe.addr());
            prop_assert_eq!(desk.list.blocking(&host).is_some(), wanted, "{}", probe);
            for length in [8, 16, 24, 112, 120, 124] {
                let Ok(around) = ipnet::IpNet::new(probe.addr(), length) else { continue };
                let meets = listed.iter().any(|value| match value {
                    Observable::Ip(network) => {
                        network.net().contains(&around.trunc()) || around.contains(&network.net())
                    }
                    _ => false,
                });
                let around = ip(&around.trunc().to_string());
                prop_assert_eq!(desk.list.lists_within(&around), meets, "{}", around);
            }
        }
        for line in desk.list.exported(Kind::Ip) {
            prop_assert!(desk.list.allowing(&line.value).is_none());
            if let Observable::Ip(network) = line.value {
                prop_assert!(guard::never(desk.list.settings()).all(|hole| !hole.net().contains(&network.net())));
            }
        }
    }
}
