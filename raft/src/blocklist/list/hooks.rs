//! The rules of hooks.

use std::sync::Arc;

use super::accounts::check_name;
use super::apply::{Applying, check_admin};
use crate::blocklist::audit::Action;
use crate::blocklist::command::{Actor, Outcome, Refusal};
use crate::blocklist::hook::{HOOK_BYTES_MAX, HOOKS_MAX, Hook};
use crate::blocklist::record::RecordKey;
use crate::blocklist::timestamp::Timestamp;

/// What only an admin may do here, in the words of a refusal.
const MANAGE: &str = "manage hooks";

impl Applying<'_> {
    pub(super) fn put_hook(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        name: &Arc<str>,
        mapping: &Arc<str>,
    ) -> Result<Outcome, Refusal> {
        check_admin(actor, MANAGE)?;
        check_name("hook", name)?;
        if mapping.len() > HOOK_BYTES_MAX {
            return Err(Refusal::Guarded(format!("the mapping is longer than {HOOK_BYTES_MAX} bytes")));
        }
        match self.list.hooks.get(name) {
            Some(known) if known.mapping == *mapping => return Ok(Outcome::Done),
            None if self.list.hooks.len() >= HOOKS_MAX => {
                return Err(Refusal::Conflict(format!("there are {HOOKS_MAX} hooks already")));
            }
            _ => {}
        }
        let hook = Hook {
            name: name.clone(),
            mapping: mapping.clone(),
            account: actor.account.clone(),
            changed: time,
        };
        self.list.hooks.insert(name.clone(), Arc::new(hook));
        self.note_name(actor, Action::HookChanged, name, "");
        self.touch(RecordKey::Hook(name.clone()));
        Ok(Outcome::Done)
    }

    pub(super) fn delete_hook(&mut self, actor: &Actor, name: &Arc<str>) -> Result<Outcome, Refusal> {
        check_admin(actor, MANAGE)?;
        if self.list.hooks.remove(name).is_none() {
            return Err(Refusal::NotFound(format!("there is no hook `{}`", name.escape_default())));
        }
        self.note_name(actor, Action::HookDeleted, name, "");
        self.touch(RecordKey::Hook(name.clone()));
        Ok(Outcome::Done)
    }
}
