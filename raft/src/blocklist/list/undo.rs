//! Taking back what one account, source or import listed: the answer to a sensor gone mad.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use super::apply::{Applying, check_admin};
use crate::blocklist::audit::Action;
use crate::blocklist::command::{Actor, EXPIRED_MAX, Outcome, Refusal, UNDO_SCAN_MAX, Undo, Whose};
use crate::blocklist::entry::{Entry, WholeEntry};
use crate::blocklist::observable::Observable;

impl Whose {
    /// Whether this one listed the entry.
    fn listed(&self, entry: &Entry) -> bool {
        match self {
            Whose::Account(account) => entry.account() == account,
            Whose::Source(source) => entry.source() == source,
            Whose::Import(label) => !label.is_empty() && entry.import() == label,
        }
    }

    /// Takes back its reports, those of the account behind an import.
    fn withdraw(&self, entry: &mut WholeEntry) {
        match self {
            Whose::Account(account) => drop(entry.sources.withdraw(account)),
            Whose::Source(source) => drop(entry.sources.withdraw_source(source)),
            Whose::Import(_) => drop(entry.sources.withdraw(&entry.account)),
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whose::Account(name) => write!(f, "account {name}"),
            Whose::Source(name) => write!(f, "source {name}"),
            Whose::Import(name) => write!(f, "import {name}"),
        }
    }
}

impl Applying<'_> {
    /// One step: some entries looked at, some of them taken back, and where to go on. An entry that others have
    /// reported too stays, with their reports.
    pub(super) fn undo(&mut self, actor: &Actor, undo: &Undo) -> Result<Outcome, Refusal> {
        check_admin(actor, "undo")?;
        let from = undo.after.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = Vec::new();
        let mut next = None;
        for ((value, entry), looked) in self.list.entries.range(from, Bound::Unbounded).zip(1..) {
            if entry.listed > undo.since && undo.whose.listed(entry) {
                found.push(WholeEntry::from(&**entry));
            }
            if found.len() >= EXPIRED_MAX || looked >= UNDO_SCAN_MAX {
                next = Some(value.into_owned());
                break;
            }
        }
        let (mut removed, mut withdrawn) = (Vec::new(), Vec::new());
        for mut entry in found {
            undo.whose.withdraw(&mut entry);
            let value = entry.value.clone();
            if entry.sources.is_empty() {
                self.drop_entry(&value);
                removed.push(value);
            } else {
                self.keep_entry(entry);
                withdrawn.push(value);
            }
        }
        let why = undo.whose.to_string();
        self.note_values(actor, Action::Undone, removed.iter().cloned(), &why);
        self.note_values(actor, Action::Withdrawn, withdrawn.iter().cloned(), &why);
        Ok(Outcome::Undone { removed, withdrawn, next })
    }

    /// Keeps an entry that lost some of its reports.
    pub(super) fn keep_entry(&mut self, mut entry: WholeEntry) {
        let value: Observable = entry.value.clone();
        entry.index = self.index;
        let (before, now) = self.list.put_entry(Arc::new(entry.into()));
        self.touch_entry(&value, before, Some(now));
    }
}
