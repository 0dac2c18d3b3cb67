//! Who did what is remembered, in order, up to a bound.

use super::fixtures::{Desk, actor, batch, command, ip, report};
use crate::blocklist::{
    AUDIT_REPORTS_MAX, Action, Actor, Before, Change, Class, List, NewAllow, Operation, Patch, Role, Subject,
};

/// `index account action subject…` of everything that is remembered.
fn lines(list: &List) -> Vec<String> {
    let line = |(index, deed): (u64, &crate::blocklist::Deed)| {
        let subjects: Vec<String> = deed.subjects.iter().map(Subject::to_string).collect();
        let line = format!("{index} {} {} {} {}", deed.account, deed.action, subjects.join(" "), deed.detail);
        line.trim_end().to_owned()
    };
    list.audit_after(0).map(line).collect()
}

#[test]
fn every_change_is_remembered_with_who_made_it() {
    let mut desk = Desk::default();
    let joe = || actor("joe", Role::Analyst);
    let root = || actor("root", Role::Admin);
    let create = |role| Operation::CreateAccount { username: "joe".into(), password_hash: "$".into(), role };
    desk.run(1, root(), create(Role::Analyst));
    desk.run(2, root(), create(Role::Analyst));
    let reports = ["192.0.2.1", "127.0.0.1", "192.0.2.2"].map(report).to_vec();
    desk.run(3, joe(), Operation::Add(reports));
    desk.run(4, joe(), Operation::Add(vec![report("192.0.2.1")]));
    let comment = Some("ssh".into());
    desk.run(
        5,
        joe(),
        Operation::Patch(Patch { value: ip("192.0.2.1"), comment, tags: None, expires: None }),
    );
    desk.run(6, joe(), Operation::Delete(vec![ip("192.0.2.1"), ip("192.0.2.9")]));
    desk.run(7, joe(), Operation::AllowAdd(vec![NewAllow { value: ip("192.0.2.1"), comment: "us".into() }]));
    desk.run(8, joe(), Operation::AllowDelete(vec![ip("192.0.2.1")]));
    desk.run(9, root(), Operation::DeleteAccount("joe".into()));
    let expected = [
        "1 root account_created joe role analyst",
        "3 joe listed 192.0.2.1 192.0.2.2",
        "5 joe changed 192.0.2.1 comment",
        "6 joe removed 192.0.2.1",
        "7 joe allowed 192.0.2.1",
        "8 joe disallowed 192.0.2.1",
        "9 root account_deleted joe",
    ];
    assert_eq!(lines(&desk.list), expected);
    let value = ip("192.0.2.1");
    let history: Vec<(u64, Action)> =
        desk.list.history(&value).map(|(index, deed)| (index, deed.action)).collect();
    let expected = [
        (3, Action::Listed),
        (5, Action::Changed),
        (6, Action::Removed),
        (7, Action::Allowed),
        (8, Action::Disallowed),
    ];
    assert_eq!(history, expected);
    assert_eq!(desk.list.audit_after(6).next().map(|(index, _)| index), Some(7));
    let (_, deed) = desk.list.audit_after(0).next().unwrap();
    assert_eq!((deed.time.0, &*deed.address), (1000, "203.0.113.250"));
}

#[test]
fn what_sensors_do_all_day_does_not_push_out_decisions() {
    let mut desk = Desk::default();
    let root = || actor("root", Role::Admin);
    desk.run(1, root(), Operation::AllowAdd(vec![NewAllow { value: ip("9.9.9.9"), comment: "".into() }]));
    let per_command = 512;
    let firsts = (0..AUDIT_REPORTS_MAX as u32 + 4 * per_command).step_by(per_command as usize);
    for (second, first) in (2..).zip(firsts) {
        let address = |number: u32| std::net::Ipv4Addr::from(0x2D00_0000 + number).to_string();
        let values = (first..first + per_command).map(|number| report(&address(number)));
        desk.run(second, root(), Operation::Add(values.collect()));
    }
    let subjects: usize = desk
        .list
        .audit_after(0)
        .filter(|(_, deed)| deed.action == Action::Listed)
        .map(|(_, deed)| deed.subjects.len())
        .sum();
    assert_eq!(subjects, AUDIT_REPORTS_MAX);
    assert_eq!(desk.list.audit_forgotten(Class::Reports), 5, "the first four chapters");
    assert_eq!(desk.list.audit_forgotten(Class::Decisions), 0);
    assert_eq!(desk.list.history(&ip("9.9.9.9")).count(), 1);

    // What is forgotten goes with what it was.
    let (before, rest) = (desk.list.clone(), desk.list.rest());
    let (_, changes) = desk.send(command(999, root(), Operation::Add(vec![report("46.0.0.1")])));
    assert!(
        changes.iter().any(|change| matches!(change.before, Before::Deeds(_)) && change.record.is_none())
    );
    for Change { key, before: known, .. } in changes {
        assert_eq!(known.record(&key, &rest), before.record(&key), "{key:?}");
    }
}

#[test]
fn each_command_of_a_batch_is_remembered_with_who_made_it() {
    let mut list = List::default();
    let callers = [("joe", "192.0.2.8"), ("ann", "192.0.2.8"), ("ann", "192.0.2.8"), ("ann", "192.0.2.9")];
    let actor =
        |(account, address): (&str, &str)| Actor { address: address.into(), ..actor(account, Role::Admin) };
    let commands = callers.iter().zip(1..).flat_map(|(caller, number)| {
        let add = Operation::Add(vec![report(&format!("45.0.0.{number}"))]);
        let allow = NewAllow { value: ip(&format!("9.9.9.{number}")), comment: "".into() };
        [add, Operation::AllowAdd(vec![allow])].map(|operation| command(1, actor(*caller), operation))
    });
    list.apply(1, &batch(1, commands.collect()));
    for action in [Action::Listed, Action::Allowed] {
        let deeds = list.audit_after(0).map(|(_, deed)| deed).filter(|deed| deed.action == action);
        let found: Vec<(&str, &str)> = deeds.map(|deed| (&*deed.account, &*deed.address)).collect();
        assert_eq!(found, callers, "{action:?}");
    }
}
