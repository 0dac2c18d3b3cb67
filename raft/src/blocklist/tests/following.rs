//! Following the changes: whoever applies them to an old export has the new one.

use std::collections::BTreeSet;

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::fixtures::{Desk, actor, batch, ip, report};
use super::replay::history;
use crate::blocklist::{Entry, Feed, Gone, Kind, List, NewAllow, Observable, Operation, Report, Role};

const MOST: usize = 65_536;

#[track_caller]
fn check(list: &List, since: u64, added: &[&str], removed: &[&str]) {
    let Feed { added: put, removed: gone } = list.changes_since(Kind::Ip, since).unwrap();
    let put: Vec<String> = put.iter().map(|line| line.value.to_string()).collect();
    let gone: Vec<String> = gone.iter().map(Observable::to_string).collect();
    assert_eq!((put, gone), (texts(added), texts(removed)), "since {since}");
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn delete(desk: &mut Desk, value: &str) {
    desk.run(9, actor("joe", Role::Analyst), Operation::Delete(vec![ip(value)]));
}

#[test]
fn the_changes_since_an_index_are_what_was_touched_and_what_left() {
    let mut desk = Desk::default();
    desk.add(1, report("192.0.2.1"));
    desk.add(1, report("192.0.2.2"));
    desk.add(1, report("192.0.2.1")); // a sighting, index 3
    delete(&mut desk, "192.0.2.2"); // index 4
    let list = &desk.list;
    check(list, 0, &["192.0.2.1"], &["192.0.2.2"]);
    check(list, 2, &["192.0.2.1"], &["192.0.2.2"]);
    check(list, 3, &[], &["192.0.2.2"]);
    check(list, 4, &[], &[]);
    check(list, 99, &[], &[]);
    assert!(list.changes_since(Kind::Domain, 0).unwrap().removed.is_empty(), "another kind");

    desk.add(1, report("192.0.2.2")); // index 5
    check(&desk.list, 3, &["192.0.2.2"], &[]);
}

#[test]
fn a_change_of_the_allow_list_sends_followers_back_to_the_whole_list() {
    let mut desk = Desk::default();
    desk.add(1, report("192.0.2.0/30"));
    let new = |comment: &str| NewAllow { value: ip("192.0.2.1"), comment: comment.into() };
    desk.run(2, actor("joe", Role::Analyst), Operation::AllowAdd(vec![new("mail")])); // index 2
    assert_eq!(desk.list.changes_since(Kind::Ip, 1), Err(Gone { oldest: 2 }));
    assert!(desk.list.changes_since(Kind::Domain, 1).is_ok(), "another kind");
    desk.run(2, actor("joe", Role::Analyst), Operation::AllowAdd(vec![new("our mail")]));
    check(&desk.list, 2, &[], &[]); // another comment moves no border

    desk.run(3, actor("joe", Role::Analyst), Operation::Sight(vec![report("192.0.2.0/30")]));
    desk.add(3, report("192.0.2.3"));
    check(&desk.list, 4, &["192.0.2.3"], &[]);
    delete(&mut desk, "192.0.2.0/30");
    check(&desk.list, 5, &[], &["192.0.2.2/31", "192.0.2.0"]); // the pieces that were exported
}

#[test]
fn a_piece_that_is_listed_itself_stays() {
    let mut desk = Desk::default();
    desk.add(1, report("192.0.2.0/30"));
    desk.add(1, report("192.0.2.0"));
    let new = NewAllow { value: ip("192.0.2.1"), comment: "".into() };
    desk.run(2, actor("joe", Role::Analyst), Operation::AllowAdd(vec![new])); // index 3
    delete(&mut desk, "192.0.2.0/30");
    check(&desk.list, 3, &[], &["192.0.2.2/31"]);
}

#[test]
fn removals_are_remembered_up_to_a_limit() {
    let mut desk = Desk::default();
    let value =
        |number: usize| ip(&format!("45.{}.{}.{}", number / 65_536, number / 256 % 256, number % 256));
    let all: Vec<Observable> = (0..MOST + 3).map(value).collect();
    let reports = all.iter().map(|value| Report { value: value.clone(), ..report("192.0.2.1") }).collect();
    let joe = || actor("joe", Role::Analyst);
    desk.run(1, joe(), Operation::Add(reports)); // index 1
    desk.run(1, joe(), Operation::Delete(all[..2].to_vec())); // index 2
    desk.run(1, joe(), Operation::Delete(all[2..MOST].to_vec())); // index 3: as many as are kept
    assert_eq!(desk.list.changes_since(Kind::Ip, 1).unwrap().removed.len(), MOST);
    desk.run(1, joe(), Operation::Delete(all[MOST..].to_vec())); // index 4: three too many
    assert_eq!(desk.list.changes_since(Kind::Ip, 2), Err(Gone { oldest: 3 }), "one of index 3 is forgotten");
    assert_eq!(desk.list.changes_since(Kind::Ip, 3).unwrap().removed, all[MOST..]);
}

proptest! {
    #[test]
    fn an_old_export_and_the_changes_are_the_new_export(history in history(), at in 0..60usize) {
        let mut list = List::default();
        let mut old = list.clone();
        for (command, index) in history.iter().zip(1..) {
            list.apply(index, &batch(index, vec![command.clone()]));
            if index as usize <= at {
                old = list.clone();
            }
        }
        let since = old.origin(1).map_or(0, |mark| mark.sequence);
        let mut restored = List::default();
        list.records().for_each(|record| restored.restore(record));
        for kind in Kind::ALL {
            let lines = |list: &List| list.exported(kind).map(|line| line.value).collect::<BTreeSet<_>>();
            let feed = list.changes_since(kind, since);
            let touched = list.lines_touched_since(kind, since);
            prop_assert_eq!(touched.is_ok(), feed.is_ok());
            if let Ok(touched) = touched {
                let others = |list: &List| -> Vec<(Observable, Entry)> {
                    let others = list.exported(kind).filter(|line| !touched.lines.contains(&line.value));
                    others.map(|line| (line.value, Entry::clone(line.entry))).collect()
                };
                prop_assert_eq!(others(&old), others(&list), "no other line is another one");
                if !touched.cuts {
                    let cuts = old.exporting(kind, |_| true).cuts;
                    let exporting = list.exporting_with(kind, |_| true, cuts);
                    prop_assert!(exporting.between(None, None).eq(list.exported(kind)), "the old cuts hold");
                }
            }
            let exporting = list.exporting(kind, |entry| entry.sighting % 2 == 0);
            let whole: Vec<_> = exporting.between(None, None).collect();
            for line in &whole {
                let before = exporting.between(None, Some(&line.value));
                let parts: Vec<_> = before.chain(exporting.between(Some(&line.value), None)).collect();
                prop_assert_eq!(&parts, &whole, "in two parts at {}", line.value);
            }
            prop_assert_eq!(&restored.changes_since(kind, since), &feed, "a restored list says the same");
            match feed {
                Ok(feed) => {
                    let mut followed = lines(&old);
                    for value in &feed.removed {
                        followed.remove(value);
                    }
                    followed.extend(feed.added.iter().map(|line| line.value.clone()));
                    prop_assert_eq!(followed, lines(&list));
                }
                Err(gone) => prop_assert!(gone.oldest > since),
            }
        }
    }
}

#[test]
fn what_exports_may_have_held_is_what_left_and_what_is_cut() {
    let mut desk = Desk::default();
    for value in ["192.0.2.0/30", "198.51.100.1", "198.51.100.2", "203.0.113.1"] {
        desk.add(1, report(value));
    }
    delete(&mut desk, "198.51.100.1");
    let told = |desk: &Desk| -> Vec<String> {
        desk.list.no_longer_exported(Kind::Ip).iter().map(Observable::to_string).collect()
    };
    assert_eq!(told(&desk), ["198.51.100.1"]);
    let new = |value: &str| NewAllow { value: ip(value), comment: "mail".into() };
    let allows = vec![new("192.0.2.1"), new("203.0.113.0/24")];
    desk.run(2, actor("joe", Role::Analyst), Operation::AllowAdd(allows));
    // The feed begins anew at this index, and the removal before it is still known.
    assert_eq!(told(&desk), ["192.0.2.0/30", "198.51.100.1", "203.0.113.1"]);
    desk.add(3, report("198.51.100.1"));
    assert_eq!(told(&desk), ["192.0.2.0/30", "203.0.113.1"]);
    assert!(desk.list.no_longer_exported(Kind::Domain).is_empty(), "another kind");
}
