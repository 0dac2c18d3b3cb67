//! A zone and a list for tests.

use raft::Picture;
use raft::blocklist::{Kind, NewAllow, Observable, Operation, Report};

use super::DnsblSettings;
use super::zone::Zone;
use crate::list::samples::{Desk, ip};

/// A comment that means something to a shell, to nft and to a zone file.
pub(super) const EVIL: &str = "x\"; } # \n0.0.0.0/0 ' $(reboot) \\ \u{1F480} add bl4 1.1.1.1 {";

/// The zone of the tests.
pub(super) fn zone() -> Zone {
    let settings = DnsblSettings {
        zone: "bl.example.org".into(),
        nameservers: Vec::new(),
        ttl: 300,
        negative_ttl: 60,
        rate: 0,
    };
    let mut zone = Zone::new(&settings).expect("a sample is valid");
    zone.addresses = vec!["192.0.2.53".parse().expect("a sample is valid")];
    zone
}

pub(super) fn domain(text: &str) -> Observable {
    Observable::parse(Kind::Domain, text).expect("a sample is valid")
}

/// Hosts, networks and domains, some of which are allowed again; one ends in 100 seconds.
pub(super) fn picture() -> Picture {
    let mut desk = Desk::default();
    let mut add = |value: Observable, comment: &str, ttl: Option<u32>| {
        let ttl = ttl.map(|ttl| ttl.into());
        let report =
            Report { value, comment: comment.into(), source: "ids".into(), ttl, tags: [].into(), seen: None };
        desk.run(0, "anna", Operation::Add(vec![report]));
    };
    for value in ["198.51.100.0/24", "2001:db8:1::/48", "2001:db8::1"] {
        add(ip(value), "", None);
    }
    add(ip("192.0.2.1"), EVIL, None);
    add(ip("192.0.2.2"), &"long ".repeat(200), Some(100));
    for value in ["evil.example.com", "worse.example.net", "203.example.com"] {
        add(domain(value), "phishing", None);
    }
    desk.allow("198.51.100.7");
    let shop = NewAllow { value: domain("shop.worse.example.net"), comment: "".into() };
    desk.run(0, "anna", Operation::AllowAdd(vec![shop]));
    let mut picture = Picture::default();
    picture.list = desk.list;
    picture.index = (7 << 32) | 42;
    picture
}
