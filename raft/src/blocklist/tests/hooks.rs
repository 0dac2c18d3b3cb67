//! Hooks: an admin's, bounded, kept as they were given.

use std::sync::Arc;

use super::fixtures::{Desk, actor};
use crate::blocklist::{Action, HOOK_BYTES_MAX, HOOKS_MAX, Operation, Outcome, Refusal, Role};

fn put(name: &str, mapping: &str) -> Operation {
    Operation::PutHook { name: name.into(), mapping: mapping.into() }
}

fn delete(name: &str) -> Operation {
    Operation::DeleteHook(name.into())
}

fn admin(desk: &mut Desk, operation: Operation) -> Outcome {
    desk.run(7, actor("root", Role::Admin), operation)
}

#[test]
fn a_hook_is_made_changed_and_deleted_by_an_admin() {
    let mut desk = Desk::default();
    for role in [Role::Reader, Role::Sensor, Role::Analyst] {
        let refused = desk.run(1, actor("anna", role), put("hive", "{}"));
        assert!(matches!(refused, Outcome::Refused(Refusal::Forbidden(_))), "{refused:?}");
    }
    assert_eq!(admin(&mut desk, put("hive", "{}")), Outcome::Done);
    assert_eq!(admin(&mut desk, put("hive", "[]")), Outcome::Done);
    let hook = desk.list.hook("hive").unwrap();
    assert_eq!((&*hook.mapping, &*hook.account), ("[]", "root"));
    // The same again is no deed.
    admin(&mut desk, put("hive", "[]"));
    assert_eq!(admin(&mut desk, delete("hive")), Outcome::Done);
    assert!(matches!(admin(&mut desk, delete("hive")), Outcome::Refused(Refusal::NotFound(_))));
    assert!(desk.list.hook("hive").is_none());
    let actions: Vec<Action> = desk.list.audit_after(0).map(|(_, deed)| deed.action).collect();
    assert_eq!(actions, [Action::HookChanged, Action::HookChanged, Action::HookDeleted]);
}

#[test]
fn hooks_are_bounded() {
    let mut desk = Desk::default();
    for number in 0..HOOKS_MAX {
        assert_eq!(admin(&mut desk, put(&format!("hook-{number}"), "{}")), Outcome::Done);
    }
    assert!(matches!(admin(&mut desk, put("one-more", "{}")), Outcome::Refused(Refusal::Conflict(_))));
    assert_eq!(admin(&mut desk, put("hook-0", "[]")), Outcome::Done);
    let long: Arc<str> = "x".repeat(HOOK_BYTES_MAX + 1).into();
    for (name, mapping) in [("hook-0", &*long), ("", "{}"), ("a/b", "{}"), ("a b", "{}")] {
        let refused = admin(&mut desk, put(name, mapping));
        assert!(matches!(refused, Outcome::Refused(Refusal::Guarded(_))), "{name}: {refused:?}");
    }
}
