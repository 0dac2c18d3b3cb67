//! Expiry: the leader proposes it, so that every node drops an entry at the same index.

use std::sync::Arc;

use super::List;
use super::apply::{Applying, check_admin};
use crate::blocklist::audit::Action;
use crate::blocklist::command::{Actor, EXPIRED_MAX, Outcome, Refusal};
use crate::blocklist::entry::WholeEntry;
use crate::blocklist::observable::Observable;
use crate::blocklist::timestamp::Timestamp;

impl List {
    /// When the next entry leaves the list; `None` when all of them stay. At this moment the leader proposes
    /// `Operation::Expire`.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.by_expiry.get_min().map(|(moment, _)| *moment)
    }

    /// Keeps the order of expiry while an entry of this value comes, changes or goes.
    pub(super) fn move_expiry(
        &mut self,
        value: &Observable,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
    ) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.by_expiry.remove(&(before, value.clone()));
        }
        if let Some(after) = after {
            self.by_expiry.insert((after, value.clone()));
        }
    }
}

impl Applying<'_> {
    /// Drops what is due at the command's time, the earliest first, up to `EXPIRED_MAX` entries.
    pub(super) fn expire(&mut self, time: Timestamp, actor: &Actor) -> Result<Outcome, Refusal> {
        check_admin(actor, "expire entries")?;
        let due = |(moment, _): &&(Timestamp, Observable)| *moment <= time;
        let order = self.list.by_expiry.iter().take_while(due).take(EXPIRED_MAX);
        let values: Vec<Observable> = order.map(|(_, value)| value.clone()).collect();
        for value in &values {
            self.drop_entry(value);
        }
        let count = values.len() as u64;
        self.note_values(actor, Action::Expired, values.into_iter(), "");
        Ok(Outcome::Expired(count))
    }

    /// Changes a listed entry in place.
    pub(super) fn change_entry(&mut self, value: &Observable, change: impl FnOnce(&mut WholeEntry)) {
        let Some(listed) = self.list.entries.get_mut(value) else { return };
        let before = listed.clone();
        let entry = Arc::make_mut(listed);
        entry.change(change);
        entry.share(&mut self.list.interner);
        entry.index = self.index;
        let now = listed.clone();
        self.list.move_expiry(value, before.expires().copied(), now.expires().copied());
        self.touch_entry(value, Some(before), Some(now));
    }
}
