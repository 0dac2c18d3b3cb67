//! Adding and sighting.

use super::fixtures::{Desk, actor, command, ip, report};
use crate::blocklist::{
    Before, COMMENT_BYTES_MAX, Change, Kind, Line, OTHER_SOURCES, Operation, Outcome, Record, Refusal,
    Report, Role, SOURCES_MAX, Timestamp,
};

const ADDRESS: &str = "192.0.2.1";

#[test]
fn the_first_add_lists_and_each_further_one_adds_exactly_one_sighting() {
    let mut desk = Desk::default();
    assert_eq!(desk.add(100, report(ADDRESS)), Line::Added);
    let listed = desk.entry(ADDRESS);
    assert_eq!((listed.sighting, &*listed.comment, &*listed.source), (0, "Bad guy", "198.51.100.9"));
    assert_eq!((&*listed.account, listed.time_added, listed.time_updated), ("pts2021", at(100), at(100)));

    let again = Report { comment: "again".into(), source: "fw2".into(), ..report(ADDRESS) };
    let twice = Operation::Add(vec![again.clone(), again]);
    let outcome = desk.run(200, actor("pts2021", Role::Analyst), twice);
    assert_eq!(
        outcome,
        Outcome::Lines(vec![Line::Sighted, Line::Sighted]),
        "the same value twice in one command"
    );
    let sighted = desk.entry(ADDRESS);
    assert_eq!((sighted.sighting, sighted.time_added, sighted.time_updated), (2, at(100), at(200)));
    assert_eq!((&*sighted.comment, &*sighted.source), ("Bad guy", "198.51.100.9"), "those of the first add");
    assert_eq!(sighted.index, 2);

    let theirs = sighted.sources.get("fw2").unwrap();
    assert_eq!((theirs.count, theirs.first_seen, &*theirs.comment), (2, at(200), "again"));
    assert_eq!(sighted.sources.get("198.51.100.9").unwrap().count, 1);
}

#[test]
fn time_never_goes_back() {
    let mut desk = Desk::default();
    desk.add(200, report(ADDRESS));
    desk.add(100, report(ADDRESS)); // from a node whose clock is behind
    let entry = desk.entry(ADDRESS);
    assert_eq!((entry.sighting, entry.time_updated), (1, at(200)));
}

#[test]
fn when_it_was_seen_is_kept_by_source_and_is_never_in_the_future() {
    let mut desk = Desk::default();
    desk.add(200, Report { seen: Some(at(50)), ..report(ADDRESS) });
    desk.add(300, Report { seen: Some(at(999)), comment: "late".into(), ..report(ADDRESS) });
    let entry = desk.entry(ADDRESS);
    let said = entry.sources.get("198.51.100.9").unwrap();
    assert_eq!((said.first_seen, said.last_seen, &*said.comment), (at(50), at(300), "late"));
    assert_eq!((entry.time_added, entry.time_updated), (at(200), at(300)));
}

#[test]
fn a_further_add_extends_the_expiry_and_never_shortens_it() {
    let mut desk = Desk::default();
    for (second, ttl, expires, reason) in [
        (100, Some(600), Some(700), "listed for ten minutes"),
        (200, Some(600), Some(800), "extended"),
        (300, Some(60), Some(800), "never shortened"),
        (400, None, Some(800), "a report that says nothing leaves it"),
        (500, Some(-1), None, "fail2ban's -1 is for ever"),
        (600, Some(60), None, "for ever stays"),
    ] {
        desk.add(second, Report { ttl, ..report(ADDRESS) });
        assert_eq!(desk.entry(ADDRESS).expires, expires.map(at), "{reason}");
    }
    desk.add(100, Report { ttl: Some(0), ..report("192.0.2.2") });
    assert_eq!(desk.entry("192.0.2.2").expires, None);
    desk.add(100, Report { ttl: Some(i64::MAX), ..report("192.0.2.3") });
    assert_eq!(desk.entry("192.0.2.3").expires, Some(Timestamp::MAX), "a moment that can be shown");
}

#[test]
fn texts_are_cut_at_a_character_boundary() {
    let mut desk = Desk::default();
    let comment = "é".repeat(COMMENT_BYTES_MAX);
    desk.add(1, Report { comment: format!("x{comment}").into(), ..report(ADDRESS) });
    let kept = desk.entry(ADDRESS).comment.clone();
    assert_eq!(kept.len(), COMMENT_BYTES_MAX - 1);
    assert!(kept.ends_with('é'));
}

#[test]
fn sources_beyond_the_limit_are_counted_together() {
    let mut desk = Desk::default();
    for number in 0..SOURCES_MAX + 5 {
        desk.add(1, Report { source: format!("source-{number:03}").into(), ..report(ADDRESS) });
    }
    let entry = desk.entry(ADDRESS);
    assert_eq!(entry.sources.len(), SOURCES_MAX + 1);
    assert_eq!(entry.sources.get(OTHER_SOURCES).unwrap().count, 5);
    assert_eq!(entry.sighting, SOURCES_MAX as u64 + 4);
    assert!(entry.sources.iter().is_sorted_by_key(|(name, _)| name.clone()));
}

#[test]
fn a_report_without_a_source_is_of_the_address_it_came_from() {
    let mut desk = Desk::default();
    desk.add(1, Report { source: "".into(), ..report(ADDRESS) });
    assert_eq!(&*desk.entry(ADDRESS).source, "203.0.113.250");
}

#[test]
fn tags_of_all_reports_are_joined() {
    let mut desk = Desk::default();
    desk.add(1, Report { tags: ["ssh".into()].into(), ..report(ADDRESS) });
    desk.add(1, Report { tags: ["scan".into(), "ssh".into()].into(), ..report(ADDRESS) });
    assert_eq!(desk.entry(ADDRESS).tags, ["scan".into(), "ssh".into()].into());
}

#[test]
fn a_reader_may_not_add() {
    let mut desk = Desk::default();
    let outcome = desk.run(1, actor("tv", Role::Reader), Operation::Add(vec![report(ADDRESS)]));
    let refusal = Refusal::Forbidden("the role `reader` may not add to the list".to_owned());
    assert_eq!(outcome, Outcome::Refused(refusal));
    assert_eq!(desk.list.count(Kind::Ip), 0);
}

#[test]
fn a_batch_changes_each_key_once() {
    let mut desk = Desk::default();
    let add = Operation::Add(vec![report(ADDRESS), report(ADDRESS), report("192.0.2.2")]);
    let (_, changes) = desk.send(command(1, actor("pts2021", Role::Analyst), add));
    let records: Vec<Record> = desk.list.records().collect();
    let expected = records.into_iter().map(|record| {
        let before = match record {
            Record::Entry(_) | Record::Audit(..) => Before::Nothing,
            _ => Before::AsListed,
        };
        Change { key: record.key(), before, record: Some(record) }
    });
    assert_eq!(changes, expected.collect::<Vec<_>>());
    assert_eq!(changes.len(), 5, "two entries, the outbox mark, the last change of the kind, the audit");
    assert_eq!(desk.list.last_changed(Kind::Ip), 1);
    assert_eq!(desk.list.last_changed(Kind::Domain), 0);
    assert!(desk.list.get(&ip(ADDRESS)).is_some());
}

fn at(second: i64) -> Timestamp {
    Timestamp(second * 1000)
}
