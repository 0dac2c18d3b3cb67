//! The rules of accounts and their tokens.

use std::sync::Arc;

use super::apply::{Applying, check_admin};
use crate::blocklist::account::{Account, Role, TOKENS_MAX, Token, is_name};
use crate::blocklist::audit::Action;
use crate::blocklist::command::{Actor, Outcome, Refusal};
use crate::blocklist::record::RecordKey;
use crate::blocklist::timestamp::Timestamp;

/// What only an admin may do here, in the words of a refusal.
const MANAGE: &str = "manage accounts";

impl Applying<'_> {
    pub(super) fn create_account(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        username: &Arc<str>,
        password_hash: &Arc<str>,
        role: Role,
    ) -> Result<Outcome, Refusal> {
        check_admin(actor, MANAGE)?;
        check_name("account", username)?;
        if self.list.account(username).is_some() {
            return Err(Refusal::Conflict(format!("account `{username}` exists already")));
        }
        self.note_name(actor, Action::AccountCreated, username, &format!("role {role}"));
        self.keep(Account {
            username: username.clone(),
            role,
            password_hash: password_hash.clone(),
            tokens: Vec::new(),
            created: time,
            revision: self.index,
        })
    }

    pub(super) fn update_account(
        &mut self,
        actor: &Actor,
        username: &str,
        password_hash: Option<&Arc<str>>,
        role: Option<Role>,
    ) -> Result<Outcome, Refusal> {
        match role {
            Some(_) => check_admin(actor, MANAGE)?,
            None => check_admin_or_self(actor, username)?,
        }
        let mut account = self.known(username)?;
        if let Some(role) = role {
            if role < Role::Admin {
                self.check_not_last_admin(&account)?;
            }
            account.role = role;
        }
        if let Some(password_hash) = password_hash {
            account.password_hash = password_hash.clone();
        }
        let role = role.map(|role| format!("role {role}"));
        let password = password_hash.map(|_| "password".to_owned());
        let detail: Vec<String> = role.into_iter().chain(password).collect();
        self.note_name(actor, Action::AccountChanged, username, &detail.join(", "));
        self.keep(account)
    }

    pub(super) fn delete_account(&mut self, actor: &Actor, username: &str) -> Result<Outcome, Refusal> {
        check_admin(actor, MANAGE)?;
        let account = self.known(username)?;
        self.check_not_last_admin(&account)?;
        self.list.remove_account(username);
        if self.list.growth.remove(username).is_some() {
            self.touch(RecordKey::Growth(account.username.clone()));
        }
        self.note_name(actor, Action::AccountDeleted, username, "");
        self.touch(RecordKey::Account(account.username));
        Ok(Outcome::Done)
    }

    pub(super) fn put_token(
        &mut self,
        actor: &Actor,
        username: &str,
        token: &Token,
    ) -> Result<Outcome, Refusal> {
        check_admin_or_self(actor, username)?;
        check_name("token", &token.name)?;
        let mut account = self.known(username)?;
        account.tokens.retain(|known| known.name != token.name);
        let taken = self.list.account_by_token(&token.digest);
        let own = account.tokens.iter().any(|known| known.digest == token.digest);
        if own || taken.is_some_and(|holder| holder.username != account.username) {
            return Err(Refusal::Conflict("the token is in use already".to_owned()));
        }
        if account.tokens.len() >= TOKENS_MAX {
            return Err(Refusal::Conflict(format!("account `{username}` has {TOKENS_MAX} tokens already")));
        }
        account.tokens.push(token.clone());
        self.note_name(actor, Action::TokenMade, &format!("{username}/{}", token.name), "");
        self.keep(account)
    }

    pub(super) fn delete_token(
        &mut self,
        actor: &Actor,
        username: &str,
        name: &str,
    ) -> Result<Outcome, Refusal> {
        check_admin_or_self(actor, username)?;
        let mut account = self.known(username)?;
        let before = account.tokens.len();
        account.tokens.retain(|known| *known.name != *name);
        if account.tokens.len() == before {
            return Err(Refusal::NotFound(format!("account `{username}` has no token `{name}`")));
        }
        self.note_name(actor, Action::TokenRevoked, &format!("{username}/{name}"), "");
        self.keep(account)
    }

    /// A copy of a known account, to be changed and kept.
    fn known(&self, username: &str) -> Result<Account, Refusal> {
        let unknown = || Refusal::NotFound(format!("account `{username}` does not exist"));
        self.list.account(username).map(|account| Account::clone(account)).ok_or_else(unknown)
    }

    fn keep(&mut self, mut account: Account) -> Result<Outcome, Refusal> {
        account.revision = self.index;
        self.touch(RecordKey::Account(account.username.clone()));
        self.list.put_account(Arc::new(account));
        Ok(Outcome::Done)
    }

    fn check_not_last_admin(&self, account: &Account) -> Result<(), Refusal> {
        let admins = self.list.accounts().filter(|account| account.role == Role::Admin);
        if account.role == Role::Admin && admins.count() == 1 {
            return Err(Refusal::Conflict(format!("account `{}` is the last admin", account.username)));
        }
        Ok(())
    }
}

fn check_admin_or_self(actor: &Actor, username: &str) -> Result<(), Refusal> {
    if *actor.account == *username { Ok(()) } else { check_admin(actor, MANAGE) }
}

pub(super) fn check_name(what: &str, name: &str) -> Result<(), Refusal> {
    if is_name(name) {
        return Ok(());
    }
    let rule = "1 to 64 of the letters A-Z a-z, digits and . _ @ -";
    Err(Refusal::Guarded(format!("{what} name `{}` is not valid: it takes {rule}", name.escape_default())))
}
