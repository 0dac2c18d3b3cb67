//! Expiry: by command, in order, bounded.

use super::fixtures::{Desk, actor, ip, report};
use crate::blocklist::{EXPIRED_MAX, Kind, Operation, Outcome, Patch, Refusal, Report, Role, Timestamp};

fn expire(desk: &mut Desk, second: i64) -> Outcome {
    desk.run(second, actor("", Role::Admin), Operation::Expire)
}

fn lasting(value: &str, ttl: i64) -> Report {
    Report { ttl: Some(ttl), ..report(value) }
}

fn at(second: i64) -> Option<Timestamp> {
    Some(Timestamp(second * 1000))
}

#[test]
fn an_entry_leaves_at_its_moment_and_not_before() {
    let mut desk = Desk::default();
    desk.add(100, lasting("192.0.2.1", 60));
    desk.add(100, lasting("192.0.2.2", 30));
    desk.add(100, report("192.0.2.3"));
    assert_eq!(desk.list.next_expiry(), at(130));
    assert_eq!(expire(&mut desk, 129), Outcome::Expired(0));
    assert_eq!(desk.list.last_changed(Kind::Ip), 3, "nothing due, nothing changed");

    assert_eq!(expire(&mut desk, 130), Outcome::Expired(1));
    assert!(desk.list.get(&ip("192.0.2.2")).is_none());
    assert_eq!((desk.list.next_expiry(), desk.list.last_changed(Kind::Ip)), (at(160), 5));

    assert_eq!(expire(&mut desk, 9_999), Outcome::Expired(1));
    assert_eq!((desk.list.next_expiry(), desk.list.count(Kind::Ip)), (None, 1));
}

#[test]
fn what_moves_the_expiry_moves_the_order() {
    let mut desk = Desk::default();
    desk.add(100, lasting("192.0.2.1", 60));
    desk.add(120, lasting("192.0.2.1", 60)); // extended
    assert_eq!(desk.list.next_expiry(), at(180));
    let patch = |expires| {
        Operation::Patch(Patch { value: ip("192.0.2.1"), comment: None, tags: None, expires: Some(expires) })
    };
    desk.run(130, actor("joe", Role::Analyst), patch(at(140)));
    assert_eq!(desk.list.next_expiry(), at(140), "an analyst may also shorten it");
    desk.run(130, actor("joe", Role::Analyst), patch(None));
    assert_eq!(desk.list.next_expiry(), None);
    desk.run(130, actor("joe", Role::Analyst), patch(at(150)));
    desk.run(131, actor("joe", Role::Analyst), Operation::Delete(vec![ip("192.0.2.1")]));
    assert_eq!(desk.list.next_expiry(), None, "gone with the entry");
}

#[test]
fn one_command_drops_a_bounded_number_the_earliest_first() {
    let mut desk = Desk::default();
    let count = EXPIRED_MAX as i64 + 10;
    for number in 0..count {
        let value = format!("45.1.{}.{}", number / 256, number % 256);
        desk.add(100, lasting(&value, 10_000 - number)); // the last added is the first to go
    }
    assert_eq!(expire(&mut desk, 99_999), Outcome::Expired(EXPIRED_MAX as u64));
    assert!(desk.list.get(&ip("45.1.0.9")).is_some());
    assert!(desk.list.get(&ip("45.1.0.10")).is_none());
    assert_eq!(expire(&mut desk, 99_999), Outcome::Expired(10));
}

#[test]
fn expiry_is_the_clusters_own_command() {
    let mut desk = Desk::default();
    let refused = desk.run(1, actor("joe", Role::Analyst), Operation::Expire);
    assert!(matches!(refused, Outcome::Refused(Refusal::Forbidden(_))));
}
