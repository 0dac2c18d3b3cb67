//! Sightings of what is listed, and corrections.

use super::fixtures::{Desk, actor, ip, not_found, report};
use crate::blocklist::{Kind, Line, Operation, Outcome, Patch, Refusal, Report, Role, Timestamp};

const ADDRESS: &str = "192.0.2.1";

fn patch() -> Patch {
    Patch { value: ip(ADDRESS), comment: None, tags: None, expires: None }
}

#[test]
fn a_sighting_counts_what_is_listed_and_lists_nothing() {
    let mut desk = Desk::default();
    let sight = || Operation::Sight(vec![report(ADDRESS)]);
    let missing = Line::Refused(not_found("address `192.0.2.1` is not listed"));
    assert_eq!(desk.line(1, actor("ossec1", Role::Sensor), sight()), missing);
    assert_eq!(desk.list.count(Kind::Ip), 0);

    desk.add(100, report(ADDRESS));
    assert_eq!(desk.line(200, actor("ossec1", Role::Sensor), sight()), Line::Sighted);
    let entry = desk.entry(ADDRESS);
    assert_eq!((entry.sighting, entry.time_updated), (1, Timestamp(200_000)));
    let refused = desk.run(300, actor("tv", Role::Reader), sight());
    assert!(matches!(refused, Outcome::Refused(Refusal::Forbidden(_))));
}

#[test]
fn a_patch_changes_what_it_names_and_is_no_sighting() {
    let mut desk = Desk::default();
    desk.add(100, Report { tags: ["ssh".into()].into(), ttl: Some(60), ..report(ADDRESS) });
    let send = |desk: &mut Desk, patch| {
        assert_eq!(desk.run(200, actor("joe", Role::Analyst), Operation::Patch(patch)), Outcome::Done);
        desk.entry(ADDRESS)
    };
    let entry = send(&mut desk, Patch { comment: Some("known".into()), ..patch() });
    assert_eq!((&*entry.comment, entry.sighting, entry.time_updated), ("known", 0, Timestamp(100_000)));
    assert_eq!((entry.tags.len(), entry.expires, entry.index), (1, Some(Timestamp(160_000)), 2));

    let entry = send(&mut desk, Patch { tags: Some(["scan".into()].into()), ..patch() });
    assert_eq!(entry.tags, ["scan".into()].into());
    let entry = send(&mut desk, Patch { expires: Some(None), ..patch() });
    assert_eq!((entry.expires, &*entry.comment), (None, "known"));
}

#[test]
fn a_patch_is_an_analysts_and_needs_an_entry() {
    let mut desk = Desk::default();
    let unknown = Outcome::Refused(not_found("address `192.0.2.1` is not listed"));
    assert_eq!(desk.run(1, actor("joe", Role::Analyst), Operation::Patch(patch())), unknown);
    desk.add(1, report(ADDRESS));
    let refused = desk.run(1, actor("ossec1", Role::Sensor), Operation::Patch(patch()));
    assert!(matches!(refused, Outcome::Refused(Refusal::Forbidden(_))));
}
