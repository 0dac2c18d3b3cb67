//! Taking back what one of many listed.

use super::fixtures::{Desk, actor, ip, report};
use crate::blocklist::{
    Action, EXPIRED_MAX, Observable, Operation, Outcome, Refusal, Report, Role, UNDO_SCAN_MAX, Undo, Whose,
};

fn undo(desk: &mut Desk, whose: Whose, since: u64, after: Option<Observable>) -> Outcome {
    desk.run(99, actor("root", Role::Admin), Operation::Undo(Undo { whose, since, after }))
}

fn undone(removed: &[&str], withdrawn: &[&str]) -> Outcome {
    let values = |texts: &[&str]| texts.iter().map(|text| ip(text)).collect();
    Outcome::Undone { removed: values(removed), withdrawn: values(withdrawn), next: None }
}

fn by(source: &str, value: &str) -> Report {
    Report { source: source.into(), ..report(value) }
}

/// Index 1: an analyst's entry. 2: a mad sensor lists three, the first of which others report at 3, and sights
/// the analyst's. 4: an import.
fn desk() -> Desk {
    let mut desk = Desk::default();
    desk.add(1, by("soc", "192.0.2.1"));
    let mad = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"].map(|value| by("web01", value)).to_vec();
    desk.run(2, actor("mad", Role::Sensor), Operation::Add(mad));
    desk.run(3, actor("ossec", Role::Sensor), Operation::Add(vec![by("web02", "192.0.2.2")]));
    let reports = ["192.0.2.5", "192.0.2.4"].map(|value| by("feodo", value)).to_vec();
    let import = Operation::Import { label: "feodo-11".into(), reports };
    desk.run(4, actor("joe", Role::Analyst), import);
    desk
}

#[test]
fn what_an_account_listed_goes_and_what_others_report_stays() {
    let mut desk = desk();
    let mad = Whose::Account("mad".into());
    assert_eq!(undo(&mut desk, mad.clone(), 2, None), undone(&[], &[]), "all of it was listed before");
    assert_eq!(undo(&mut desk, mad, 1, None), undone(&["192.0.2.3"], &["192.0.2.2", "192.0.2.4"]));
    assert_eq!(desk.entry("192.0.2.1").sources.len(), 2, "a sighting is not what it listed");
    let left: Vec<String> =
        desk.entry("192.0.2.2").sources.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(left, ["web02"]);
    let gone = ip("192.0.2.3");
    let last = desk.list.history(&gone).last().unwrap().1;
    assert_eq!((last.action, &*last.account, &*last.detail), (Action::Undone, "root", "account mad"));
    let feed = desk.list.changes_since(crate::blocklist::Kind::Ip, 4).unwrap();
    assert_eq!(feed.removed, [ip("192.0.2.3")]);
}

#[test]
fn a_source_and_an_import_are_undone_alike() {
    let mut desk = desk();
    let web01 = Whose::Source("web01".into());
    assert_eq!(undo(&mut desk, web01, 0, None), undone(&["192.0.2.3"], &["192.0.2.2", "192.0.2.4"]));
    let import = Whose::Import("feodo-11".into());
    assert_eq!(
        undo(&mut desk, import, 0, None),
        undone(&["192.0.2.5"], &[]),
        "the other one was listed before"
    );
    assert_eq!(undo(&mut desk, Whose::Import("".into()), 0, None), undone(&[], &[]), "no label is no import");
}

#[test]
fn only_admins_undo() {
    let mut desk = desk();
    let operation = Operation::Undo(Undo { whose: Whose::Account("mad".into()), since: 0, after: None });
    let outcome = desk.run(9, actor("joe", Role::Analyst), operation);
    assert!(matches!(outcome, Outcome::Refused(Refusal::Forbidden(_))), "{outcome:?}");
}

#[test]
fn much_is_undone_in_bounded_steps() {
    let mut desk = Desk::default();
    let address = |number: u32| std::net::Ipv4Addr::from(0x2D00_0000 + number).to_string();
    let (kept, count) = (66_000, 67_000);
    assert!(kept as usize > UNDO_SCAN_MAX);
    for first in (0..count).step_by(500) {
        let account = if first < kept { "joe" } else { "mad" };
        let values = (first..(first + 500).min(count)).map(|number| report(&address(number)));
        desk.run(1, actor(account, Role::Analyst), Operation::Add(values.collect()));
    }
    let (mut after, mut steps, mut removed_in_all) = (None, 0, 0);
    loop {
        let outcome = undo(&mut desk, Whose::Account("mad".into()), 0, after);
        let Outcome::Undone { removed, next, .. } = outcome else { panic!("{outcome:?}") };
        assert!(removed.len() <= EXPIRED_MAX);
        removed_in_all += removed.len();
        steps += 1;
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(removed_in_all, 1000);
    assert!(steps >= 3, "{steps}");
    assert_eq!(desk.list.count_by_account("mad"), 0);
}
