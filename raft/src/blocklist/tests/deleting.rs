//! Deleting by role: an analyst removes, a sensor withdraws what it said itself.

use super::fixtures::{Desk, actor, ip, not_found, report};
use crate::blocklist::{
    Before, Change, Kind, Line, Operation, Outcome, Record, RecordKey, Refusal, Report, Role,
};

const ADDRESS: &str = "192.0.2.1";

fn delete() -> Operation {
    Operation::Delete(vec![ip(ADDRESS)])
}

fn add_as(desk: &mut Desk, account: &str, source: &str) -> Line {
    let report = Report { source: source.into(), ..report(ADDRESS) };
    desk.line(1, actor(account, Role::Sensor), Operation::Add(vec![report]))
}

#[test]
fn deleting_an_unknown_address_is_refused() {
    let mut desk = Desk::default();
    for role in [Role::Sensor, Role::Analyst, Role::Admin] {
        let refused = Line::Refused(not_found("address `192.0.2.1` is not listed"));
        assert_eq!(desk.line(1, actor("a", role), delete()), refused);
    }
    assert_eq!(desk.list.last_changed(Kind::Ip), 0, "nothing changed");
}

#[test]
fn an_analyst_removes_what_others_reported() {
    let mut desk = Desk::default();
    add_as(&mut desk, "ossec1", "a");
    add_as(&mut desk, "ossec2", "b");
    let before = Before::Entry(desk.list.get(&ip(ADDRESS)).unwrap().clone());
    let deletion = super::fixtures::command(2, actor("joe", Role::Analyst), delete());
    let (outcome, changes) = desk.send(deletion);
    assert_eq!(outcome, Outcome::Lines(vec![Line::Deleted]));
    assert!(desk.list.get(&ip(ADDRESS)).is_none());
    let gone = Change { key: RecordKey::Entry(ip(ADDRESS)), before, record: None };
    let last = Record::LastChanged(Kind::Ip, 3);
    let last = Change { key: last.key(), before: Before::AsListed, record: Some(last) };
    assert!(changes.contains(&gone) && changes.contains(&last), "{changes:?}");

    assert_eq!(add_as(&mut desk, "ossec1", "a"), Line::Added, "a new entry, with no memory of the old");
    assert_eq!(desk.entry(ADDRESS).sighting, 0);
}

#[test]
fn a_sensor_withdraws_its_own_report_and_the_last_one_takes_the_entry() {
    let mut desk = Desk::default();
    add_as(&mut desk, "ossec1", "a");
    add_as(&mut desk, "ossec1", "b");
    add_as(&mut desk, "ossec2", "c");
    assert_eq!(desk.line(2, actor("ossec1", Role::Sensor), delete()), Line::Withdrawn);
    let entry = desk.entry(ADDRESS);
    let names: Vec<&str> = entry.sources.iter().map(|(name, _)| &**name).collect();
    assert_eq!((names, entry.index), (vec!["c"], 4));

    let refused = Line::Refused(not_found("address `192.0.2.1` was not reported by `ossec1`"));
    assert_eq!(desk.line(3, actor("ossec1", Role::Sensor), delete()), refused, "a second time");
    assert_eq!(desk.line(3, actor("ossec2", Role::Sensor), delete()), Line::Deleted);
    assert_eq!(desk.list.count(Kind::Ip), 0);
}

#[test]
fn two_accounts_behind_one_source_name_withdraw_apart() {
    let mut desk = Desk::default();
    add_as(&mut desk, "ossec1", "10.0.0.7");
    add_as(&mut desk, "ossec2", "10.0.0.7");
    assert_eq!(desk.line(2, actor("ossec1", Role::Sensor), delete()), Line::Withdrawn);
    assert_eq!(desk.line(2, actor("ossec2", Role::Sensor), delete()), Line::Deleted);
}

#[test]
fn a_reader_may_not_delete() {
    let mut desk = Desk::default();
    add_as(&mut desk, "ossec1", "a");
    let refusal = Refusal::Forbidden("the role `reader` may not delete from the list".to_owned());
    assert_eq!(desk.run(2, actor("tv", Role::Reader), delete()), Outcome::Refused(refusal));
    assert_eq!(desk.list.count(Kind::Ip), 1);
}
