//! Feeds: who makes them, and what freezes one.

use super::fixtures::{Desk, actor, not_found, report};
use crate::blocklist::{
    Action, Actor, Change, Class, FEED_TEXT_BYTES_MAX, FEEDS_MAX, FREEZE_WINDOW_SECONDS, Kind, List,
    Observable, Operation, Outcome, Profile, Record, RecordKey, Refusal, Report, Role,
};

fn root() -> Actor {
    actor("root", Role::Admin)
}

fn profile(freeze_percent: Option<u32>) -> Profile {
    Profile {
        kind: Kind::Ip,
        query: "fields=value".into(),
        format: "csv".into(),
        description: "".into(),
        freeze_percent,
    }
}

fn put(name: &str, feed: Profile) -> Operation {
    Operation::PutFeed { name: name.into(), feed }
}

/// Addresses by number.
fn reports(numbers: std::ops::Range<u32>) -> Vec<Report> {
    numbers.map(|number| report(&format!("45.1.{}.{}", number / 256, number % 256))).collect()
}

fn values(numbers: std::ops::Range<u32>) -> Vec<Observable> {
    reports(numbers).into_iter().map(|report| report.value).collect()
}

fn add(desk: &mut Desk, second: i64, numbers: std::ops::Range<u32>) {
    desk.run(second, actor("anna", Role::Analyst), Operation::Add(reports(numbers)));
}

fn delete(desk: &mut Desk, second: i64, numbers: std::ops::Range<u32>) {
    desk.run(second, actor("anna", Role::Analyst), Operation::Delete(values(numbers)));
}

/// What it shows: `None` is the list as it is, else the entries that it has kept.
#[track_caller]
fn kept(list: &List, name: &str) -> Option<u64> {
    let frozen = list.feed(name).expect("it exists").frozen?;
    let still = list.frozen_at(name).expect("this list was there");
    assert_eq!(still.count(Kind::Ip) as u64, frozen.kept);
    assert_eq!(still.exported(Kind::Ip).count() as u64, frozen.kept);
    Some(frozen.kept)
}

fn deeds(desk: &Desk) -> Vec<(Action, String)> {
    let records = desk.list.records().filter_map(|record| match record {
        Record::Audit(Class::Decisions, _, _, deeds) => Some(deeds),
        _ => None,
    });
    let deeds = records.flat_map(|deeds| deeds.to_vec());
    deeds
        .map(|deed| (deed.action, format!("{} {}: {}", deed.account, deed.subjects[0], deed.detail)))
        .collect()
}

#[test]
fn admins_make_change_and_delete_feeds() {
    let mut desk = Desk::default();
    for role in [Role::Reader, Role::Sensor, Role::Analyst] {
        for operation in [
            put("office", profile(None)),
            Operation::DeleteFeed("office".into()),
            Operation::PublishFeed("office".into()),
        ] {
            let outcome = desk.run(0, actor("anna", role), operation);
            assert!(matches!(outcome, Outcome::Refused(Refusal::Forbidden(_))), "{role}: {outcome:?}");
        }
    }
    assert_eq!(desk.run(1, root(), put("office", profile(None))), Outcome::Done);
    let made = desk.list.feed("office").unwrap().clone();
    assert_eq!((&*made.account, made.changed.0), ("root", 1000));

    // The same again is no change.
    assert_eq!(desk.run(2, root(), put("office", profile(None))), Outcome::Done);
    assert_eq!(*desk.list.feed("office").unwrap(), made);

    let changed = Profile { query: "".into(), ..profile(None) };
    assert_eq!(desk.run(3, root(), put("office", changed.clone())), Outcome::Done);
    assert_eq!(desk.list.feed("office").unwrap().profile, changed);
    assert_eq!(desk.list.feeds().count(), 1);

    assert_eq!(desk.run(4, root(), Operation::DeleteFeed("office".into())), Outcome::Done);
    assert!(desk.list.feed("office").is_none());
    for operation in [Operation::DeleteFeed("office".into()), Operation::PublishFeed("office".into())] {
        assert_eq!(
            desk.run(5, root(), operation),
            Outcome::Refused(not_found("feed `office` does not exist"))
        );
    }
    assert_eq!(
        deeds(&desk),
        [
            (Action::FeedMade, "root office: /ip/all?fields=value as csv".into()),
            (Action::FeedChanged, "root office: /ip/all? as csv".into()),
            (Action::FeedDeleted, "root office: ".into()),
        ]
    );
}

#[test]
fn feeds_are_bounded() {
    let mut desk = Desk::default();
    let long = "x".repeat(FEED_TEXT_BYTES_MAX + 1);
    let rows = [
        put("", profile(None)),
        put("a/b", profile(None)),
        put("office.md5", profile(None)),
        put("office", Profile { query: long.as_str().into(), ..profile(None) }),
        put("office", Profile { format: long.as_str().into(), ..profile(None) }),
        put("office", Profile { description: long.as_str().into(), ..profile(None) }),
    ];
    for operation in rows {
        let outcome = desk.run(0, root(), operation);
        assert!(matches!(outcome, Outcome::Refused(Refusal::Guarded(_))), "{outcome:?}");
    }
    for number in 0..FEEDS_MAX {
        assert_eq!(desk.run(0, root(), put(&format!("feed-{number}"), profile(None))), Outcome::Done);
    }
    let outcome = desk.run(0, root(), put("one-more", profile(None)));
    assert!(matches!(outcome, Outcome::Refused(Refusal::Conflict(_))), "{outcome:?}");
    assert_eq!(desk.run(0, root(), put("feed-1", profile(Some(5)))), Outcome::Done, "a known one is changed");
}

#[test]
fn a_feed_freezes_before_the_command_that_goes_too_far_until_an_admin_says_go_on() {
    let mut desk = Desk::default();
    add(&mut desk, 0, 0..100);
    desk.run(1, root(), put("careful", profile(Some(10))));
    desk.run(1, root(), put("carefree", profile(None)));
    add(&mut desk, 2, 100..600);
    add(&mut desk, 3, 600..1100);
    assert_eq!(kept(&desk.list, "careful"), None, "a thousand more are always free");
    add(&mut desk, 4, 1100..1101);
    assert_eq!(kept(&desk.list, "careful"), Some(1100));
    assert_eq!(kept(&desk.list, "carefree"), None);

    // It stays there, whatever comes; another description is no decision about it.
    add(&mut desk, 5, 1101..1300);
    delete(&mut desk, 6, 0..1300);
    desk.run(
        7,
        root(),
        put("careful", Profile { description: "for the office".into(), ..profile(Some(10)) }),
    );
    assert_eq!(kept(&desk.list, "careful"), Some(1100));
    add(&mut desk, 8, 0..50);

    assert_eq!(desk.run(9, root(), Operation::PublishFeed("careful".into())), Outcome::Done);
    assert_eq!(kept(&desk.list, "careful"), None);
    assert!(desk.list.frozen_at("careful").is_none(), "the picture is let go");
    assert_eq!(desk.list.feed("careful").unwrap().published.count, 50);
    assert_eq!(
        deeds(&desk)[2..],
        [
            (Action::FeedFrozen, "anna careful: 1101 entries, and 100 when last published".into()),
            (Action::FeedChanged, "root careful: /ip/all?fields=value as csv".into()),
            (Action::FeedPublished, "root careful: 50 entries".into()),
        ]
    );
}

#[test]
fn a_feed_freezes_when_less_than_half_is_left() {
    let mut desk = Desk::default();
    add(&mut desk, 0, 0..10);
    desk.run(1, root(), put("careful", profile(Some(10))));
    delete(&mut desk, 2, 0..5);
    assert_eq!(kept(&desk.list, "careful"), None, "half is left");
    delete(&mut desk, 3, 5..6);
    assert_eq!(kept(&desk.list, "careful"), Some(5));
    // Other shares are another decision.
    desk.run(4, root(), put("careful", profile(Some(20))));
    assert_eq!(kept(&desk.list, "careful"), None);
}

#[test]
fn a_list_may_grow_in_its_own_time() {
    let mut desk = Desk::default();
    desk.run(0, root(), put("careful", profile(Some(10))));
    for (hour, numbers) in (1..).zip([0..900, 900..1800, 1800..2700, 2700..3600]) {
        let half = numbers.start + 450;
        add(&mut desk, hour * FREEZE_WINDOW_SECONDS, numbers.start..half);
        add(&mut desk, hour * FREEZE_WINDOW_SECONDS + 1, half..numbers.end);
        assert_eq!(kept(&desk.list, "careful"), None, "hour {hour}");
    }
    let hour = 5 * FREEZE_WINDOW_SECONDS;
    add(&mut desk, hour, 3600..4000);
    add(&mut desk, hour + 1, 4000..4400);
    assert_eq!(kept(&desk.list, "careful"), None);
    add(&mut desk, hour + FREEZE_WINDOW_SECONDS - 1, 4400..4601);
    assert_eq!(kept(&desk.list, "careful"), Some(4400), "1001 in one hour");
}

#[test]
fn other_kinds_do_not_freeze_a_feed() {
    let mut desk = Desk::default();
    add(&mut desk, 0, 0..10);
    desk.run(1, root(), put("domains", Profile { kind: Kind::Domain, ..profile(Some(10)) }));
    delete(&mut desk, 2, 0..10);
    assert_eq!(desk.list.feed("domains").unwrap().frozen, None);
}

#[test]
fn a_frozen_feed_is_stored_without_its_picture() {
    let mut desk = Desk::default();
    add(&mut desk, 0, 0..2);
    desk.run(1, root(), put("careful", profile(Some(10))));
    let delete = Operation::Delete(values(0..2));
    let (_, changes) = desk.send(super::fixtures::command(2, root(), delete));
    let stored = |change: &Change| change.key == RecordKey::Feed("careful".into()) && change.record.is_some();
    let stored = changes.iter().any(stored);
    assert!(stored, "{changes:?}");
    let mut restored = List::default();
    desk.list.records().for_each(|record| restored.restore(record));
    assert_eq!(restored, desk.list);
    assert!(restored.feed("careful").unwrap().frozen.is_some());
    assert!(restored.frozen_at("careful").is_none());
}
