//! Imports: an admin's, bounded; what they claim counts once however often it is said, and what they withdraw is theirs
//! alone.

use std::sync::Arc;

use super::fixtures::{Desk, actor, ip, report};
use crate::blocklist::{
    Action, IMPORT_BYTES_MAX, IMPORTS_MAX, ImportRun, Line, Operation, Outcome, Refusal, Report, Role,
    SOURCES_MAX, Timestamp,
};

fn put(name: &str, profile: &str) -> Operation {
    Operation::PutImport { name: name.into(), profile: profile.into() }
}

fn admin(desk: &mut Desk, second: i64, operation: Operation) -> Outcome {
    desk.run(second, actor("root", Role::Admin), operation)
}

fn claim(desk: &mut Desk, second: i64, report: Report) -> Line {
    let operation = Operation::Claim { label: "drop".into(), reports: vec![report] };
    desk.line(second, actor("import/drop", Role::Admin), operation)
}

fn withdraw(desk: &mut Desk, second: i64, value: &str) -> Line {
    desk.line(second, actor("import/drop", Role::Admin), Operation::Withdraw(vec![ip(value)]))
}

#[test]
fn an_import_is_made_changed_and_deleted_by_an_admin() {
    let mut desk = Desk::default();
    for role in [Role::Reader, Role::Sensor, Role::Analyst] {
        let refused = desk.run(1, actor("anna", role), put("drop", "{}"));
        assert!(matches!(refused, Outcome::Refused(Refusal::Forbidden(_))), "{refused:?}");
    }
    assert_eq!(admin(&mut desk, 7, put("drop", "{}")), Outcome::Done);
    assert_eq!(admin(&mut desk, 8, put("drop", "[]")), Outcome::Done);
    // The same again is no deed, and not another import.
    admin(&mut desk, 9, put("drop", "[]"));
    let import = desk.list.import("drop").unwrap();
    assert_eq!((&*import.profile, &*import.account, import.changed), ("[]", "root", Timestamp(8000)));
    let ask = |approved| Operation::AskImport { name: "drop".into(), approved };
    assert_eq!(admin(&mut desk, 10, ask(Some(5))), Outcome::Done);
    assert_eq!(admin(&mut desk, 11, ask(None)), Outcome::Done);
    let import = desk.list.import("drop").unwrap();
    assert_eq!((import.asked, import.approved), (Some(Timestamp(11_000)), Some(5)));
    let delete = || Operation::DeleteImport("drop".into());
    assert_eq!(admin(&mut desk, 12, delete()), Outcome::Done);
    assert!(matches!(admin(&mut desk, 13, delete()), Outcome::Refused(Refusal::NotFound(_))));
    assert!(matches!(admin(&mut desk, 13, ask(None)), Outcome::Refused(Refusal::NotFound(_))));
    let actions: Vec<Action> = desk.list.audit_after(0).map(|(_, deed)| deed.action).collect();
    let (changed, asked) = (Action::ImportChanged, Action::ImportAsked);
    assert_eq!(actions, [changed, changed, asked, asked, Action::ImportDeleted]);
}

#[test]
fn imports_are_bounded() {
    let mut desk = Desk::default();
    for number in 0..IMPORTS_MAX {
        assert_eq!(admin(&mut desk, 1, put(&format!("feed-{number}"), "{}")), Outcome::Done);
    }
    assert!(matches!(admin(&mut desk, 1, put("one-more", "{}")), Outcome::Refused(Refusal::Conflict(_))));
    let long: Arc<str> = "x".repeat(IMPORT_BYTES_MAX + 1).into();
    for (name, profile) in [("feed-0", &*long), ("", "{}"), ("a/b", "{}"), ("a b", "{}")] {
        let refused = admin(&mut desk, 1, put(name, profile));
        assert!(matches!(refused, Outcome::Refused(Refusal::Guarded(_))), "{name}: {refused:?}");
    }
}

#[test]
fn a_run_is_remembered_for_the_import_that_was_run() {
    let mut desk = Desk::default();
    admin(&mut desk, 1, put("drop", "{}"));
    admin(&mut desk, 3, Operation::AskImport { name: "drop".into(), approved: Some(9) });
    let note = |changed, started, ended, run: &str| {
        Operation::NoteImport(ImportRun {
            name: "drop".into(),
            changed: Timestamp(changed),
            started: Timestamp(started),
            ended,
            run: run.into(),
            deed: "3 added".into(),
        })
    };
    let asked = |desk: &Desk| desk.list.import("drop").unwrap().asked;
    // What was asked for while a run was under way is still to be done, and so is what has not ended.
    for (started, ended, left) in
        [(2000, true, Some(Timestamp(3000))), (4000, false, Some(Timestamp(3000))), (4000, true, None)]
    {
        assert_eq!(admin(&mut desk, 5, note(1000, started, ended, "{}")), Outcome::Done);
        assert_eq!(asked(&desk), left, "{started} {ended}");
    }
    assert_eq!(desk.list.import("drop").unwrap().approved, None);
    let late = admin(&mut desk, 6, note(999, 5000, true, "[]"));
    assert!(matches!(late, Outcome::Refused(Refusal::Conflict(_))), "{late:?}");
    assert_eq!(&*desk.list.import("drop").unwrap().run, "{}");
    let deed = desk.list.audit_after(0).last().unwrap().1.clone();
    assert_eq!((deed.action, &*deed.detail), (Action::ImportRan, "3 added"));
}

#[test]
fn what_is_claimed_again_is_no_sighting() {
    let mut desk = Desk::default();
    let named = |ttl| Report { source: "drop".into(), ttl, ..report("192.0.2.1") };
    assert_eq!(claim(&mut desk, 1, named(None)), Line::Added);
    let before = desk.entry("192.0.2.1");
    assert_eq!(claim(&mut desk, 2, named(None)), Line::Updated);
    assert_eq!(desk.entry("192.0.2.1"), before, "nothing is touched");
    // Another's report is a sighting, and so is the first claim of what another has listed.
    assert_eq!(desk.add(3, report("192.0.2.1")), Line::Sighted);
    assert_eq!(desk.add(3, report("192.0.2.2")), Line::Added);
    assert_eq!(claim(&mut desk, 4, Report { value: ip("192.0.2.2"), ..named(None) }), Line::Sighted);
    assert_eq!(claim(&mut desk, 5, Report { value: ip("192.0.2.2"), ..named(None) }), Line::Updated);
    assert_eq!(desk.entry("192.0.2.2").sighting, 1);
    let refused = claim(&mut desk, 6, Report { value: ip("127.0.0.1"), ..named(None) });
    assert!(matches!(refused, Line::Refused(Refusal::Guarded(_))), "{refused:?}");
}

#[test]
fn a_claim_keeps_its_entry_for_longer() {
    let mut desk = Desk::default();
    let named = |ttl| Report { source: "drop".into(), ttl: Some(ttl), ..report("192.0.2.1") };
    claim(&mut desk, 1, named(10));
    for (second, ttl, expires) in [(2, 10, Some(12_000)), (3, 5, Some(12_000)), (4, 0, None), (5, 9, None)] {
        assert_eq!(claim(&mut desk, second, named(ttl)), Line::Updated);
        let entry = desk.entry("192.0.2.1");
        assert_eq!((entry.expires, entry.sighting), (expires.map(Timestamp), 0), "{second}");
    }
}

#[test]
fn only_the_own_report_is_withdrawn() {
    let mut desk = Desk::default();
    for value in ["192.0.2.1", "192.0.2.2"] {
        claim(&mut desk, 1, Report { source: "drop".into(), ..report(value) });
    }
    // Under the same name of a source, too.
    desk.add(2, Report { source: "drop".into(), ..report("192.0.2.2") });
    desk.add(2, report("192.0.2.3"));
    assert_eq!(withdraw(&mut desk, 3, "192.0.2.1"), Line::Deleted);
    assert_eq!(withdraw(&mut desk, 3, "192.0.2.2"), Line::Withdrawn);
    for value in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert!(matches!(withdraw(&mut desk, 4, value), Line::Refused(Refusal::NotFound(_))), "{value}");
    }
    assert!(desk.list.get(&ip("192.0.2.1")).is_none());
    assert!(!desk.entry("192.0.2.2").sources.is_of("import/drop"));
    assert_eq!(desk.entry("192.0.2.3").sighting, 0);
}

#[test]
fn where_sources_are_not_kept_apart_any_more_a_claim_counts_nothing() {
    let mut desk = Desk::default();
    for number in 0..SOURCES_MAX {
        desk.add(1, Report { source: format!("sensor-{number}").into(), ..report("192.0.2.1") });
    }
    let before = desk.entry("192.0.2.1").sighting;
    assert_eq!(claim(&mut desk, 2, Report { source: "drop".into(), ..report("192.0.2.1") }), Line::Updated);
    assert_eq!(desk.entry("192.0.2.1").sighting, before);
}
