//! The rules of accounts and tokens.

use super::fixtures::{Desk, actor, not_found};
use crate::blocklist::{Actor, Operation, Outcome, Refusal, Role, TOKENS_MAX, Timestamp, Token};

/// Who comes with the registration token.
fn registration() -> Actor {
    actor("", Role::Admin)
}

fn create(username: &str, role: Role) -> Operation {
    Operation::CreateAccount { username: username.into(), password_hash: "$argon2id$".into(), role }
}

fn role(username: &str, role: Role) -> Operation {
    Operation::UpdateAccount { username: username.into(), password_hash: None, role: Some(role) }
}

fn password(username: &str) -> Operation {
    Operation::UpdateAccount { username: username.into(), password_hash: Some("$new$".into()), role: None }
}

fn token(username: &str, name: &str, byte: u8) -> Operation {
    let token = Token { name: name.into(), digest: [byte; 32], created: Timestamp(0) };
    Operation::PutToken { username: username.into(), token }
}

fn conflict(sentence: &str) -> Outcome {
    Outcome::Refused(Refusal::Conflict(sentence.to_owned()))
}

fn desk() -> Desk {
    let mut desk = Desk::default();
    assert_eq!(desk.run(7, registration(), create("root", Role::Admin)), Outcome::Done);
    assert_eq!(desk.run(8, registration(), create("pts2021", Role::Analyst)), Outcome::Done);
    desk
}

#[test]
fn an_account_is_made_once() {
    let mut desk = desk();
    let account = desk.list.account("pts2021").unwrap();
    assert_eq!((account.role, account.revision, account.created), (Role::Analyst, 2, Timestamp(8000)));
    let again = desk.run(9, registration(), create("pts2021", Role::Admin));
    assert_eq!(again, conflict("account `pts2021` exists already"));
    assert_eq!(desk.list.accounts().count(), 2);
}

#[test]
fn names_that_would_break_a_url_or_a_log_are_refused() {
    let mut desk = desk();
    let long = "x".repeat(65);
    for name in ["", "a b", "a/b", "a:b", "jürgen", "a\nb", &long] {
        let outcome = desk.run(9, registration(), create(name, Role::Reader));
        assert!(matches!(outcome, Outcome::Refused(Refusal::Guarded(_))), "{name}");
    }
    for name in ["a", "fw-1.site_2@example", &"x".repeat(64)] {
        assert_eq!(desk.run(9, registration(), create(name, Role::Reader)), Outcome::Done, "{name}");
    }
}

#[test]
fn the_last_admin_stays() {
    let mut desk = desk();
    let last = conflict("account `root` is the last admin");
    assert_eq!(desk.run(9, actor("root", Role::Admin), role("root", Role::Analyst)), last);
    assert_eq!(desk.run(9, registration(), Operation::DeleteAccount("root".into())), last);
    assert_eq!(desk.run(9, registration(), role("root", Role::Admin)), Outcome::Done, "keeps the role");

    assert_eq!(desk.run(9, registration(), role("pts2021", Role::Admin)), Outcome::Done);
    assert_eq!(desk.run(9, registration(), Operation::DeleteAccount("root".into())), Outcome::Done);
    assert!(desk.list.account("root").is_none());
}

#[test]
fn unknown_accounts_and_tokens_are_named() {
    let mut desk = desk();
    let unknown = Outcome::Refused(not_found("account `eve` does not exist"));
    for operation in [role("eve", Role::Admin), Operation::DeleteAccount("eve".into()), token("eve", "t", 1)]
    {
        assert_eq!(desk.run(9, registration(), operation), unknown);
    }
    let missing = Operation::DeleteToken { username: "root".into(), name: "t".into() };
    let refused = Outcome::Refused(not_found("account `root` has no token `t`"));
    assert_eq!(desk.run(9, registration(), missing), refused);
}

#[test]
fn everyone_may_change_their_own_password_and_tokens_and_nothing_else() {
    let mut desk = desk();
    let me = || actor("pts2021", Role::Analyst);
    assert_eq!(desk.run(9, me(), password("pts2021")), Outcome::Done);
    assert_eq!(&*desk.list.account("pts2021").unwrap().password_hash, "$new$");
    assert_eq!(desk.list.account("pts2021").unwrap().revision, 3, "an old verified credential is void");
    assert_eq!(desk.run(9, me(), token("pts2021", "t", 1)), Outcome::Done);
    for operation in [
        role("pts2021", Role::Admin),
        password("root"),
        token("root", "t", 2),
        create("eve", Role::Reader),
        Operation::DeleteAccount("pts2021".into()),
    ] {
        let refused = desk.run(9, me(), operation);
        assert!(matches!(refused, Outcome::Refused(Refusal::Forbidden(_))), "{refused:?}");
    }
}

#[test]
fn a_token_is_found_by_its_digest_until_it_goes() {
    let mut desk = desk();
    let holder =
        |desk: &Desk, byte| desk.list.account_by_token(&[byte; 32]).map(|it| it.username.to_string());
    desk.run(9, registration(), token("pts2021", "fw", 1));
    assert_eq!(holder(&desk, 1).as_deref(), Some("pts2021"));

    desk.run(9, registration(), token("pts2021", "fw", 2));
    assert_eq!(holder(&desk, 1), None, "replaced by the one of the same name");
    assert_eq!(holder(&desk, 2).as_deref(), Some("pts2021"));

    let taken = conflict("the token is in use already");
    assert_eq!(desk.run(9, registration(), token("root", "other", 2)), taken);
    assert_eq!(desk.run(9, registration(), token("pts2021", "other", 2)), taken);

    desk.run(9, registration(), Operation::DeleteToken { username: "pts2021".into(), name: "fw".into() });
    assert_eq!(holder(&desk, 2), None);

    desk.run(9, registration(), token("pts2021", "fw", 3));
    desk.run(9, registration(), Operation::DeleteAccount("pts2021".into()));
    assert_eq!(holder(&desk, 3), None, "gone with the account");
}

#[test]
fn tokens_have_a_limit() {
    let mut desk = desk();
    for number in 0..TOKENS_MAX as u8 {
        assert_eq!(desk.run(9, registration(), token("root", &format!("t{number}"), number)), Outcome::Done);
    }
    let full = conflict("account `root` has 32 tokens already");
    assert_eq!(desk.run(9, registration(), token("root", "more", 200)), full);
    assert_eq!(desk.run(9, registration(), token("root", "t0", 200)), Outcome::Done, "replacing is no more");
}
