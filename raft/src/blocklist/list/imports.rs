//! The rules of imports, and the two ways in which a feed speaks: it names values, and it names them no more.

use std::sync::Arc;

use super::accounts::check_name;
use super::apply::{Applying, check_admin, forbidden};
use super::reports::{add_tags, cut, expiry};
use crate::blocklist::account::Role;
use crate::blocklist::audit::Action;
use crate::blocklist::command::{Actor, Line, Outcome, Refusal, Report, TAG_BYTES_MAX};
use crate::blocklist::entry::WholeEntry;
use crate::blocklist::import::{IMPORT_BYTES_MAX, IMPORTS_MAX, Import, ImportRun};
use crate::blocklist::observable::Observable;
use crate::blocklist::record::RecordKey;
use crate::blocklist::sources::SOURCES_MAX;
use crate::blocklist::timestamp::Timestamp;

/// What only an admin may do here, in the words of a refusal.
const MANAGE: &str = "manage imports";

impl Applying<'_> {
    /// Makes an import, or changes it; it is run at once, and measured against nothing that was before.
    pub(super) fn put_import(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        name: &Arc<str>,
        profile: &Arc<str>,
    ) -> Result<Outcome, Refusal> {
        check_admin(actor, MANAGE)?;
        check_name("import", name)?;
        check_length("profile", profile)?;
        match self.list.imports.get(name) {
            Some(known) if known.profile == *profile => return Ok(Outcome::Done),
            None if self.list.imports.len() >= IMPORTS_MAX => {
                return Err(Refusal::Conflict(format!("there are {IMPORTS_MAX} imports already")));
            }
            _ => {}
        }
        self.note_name(actor, Action::ImportChanged, name, "");
        self.keep_import(Import {
            name: name.clone(),
            profile: profile.clone(),
            account: actor.account.clone(),
            changed: time,
            asked: None,
            approved: None,
            run: "".into(),
        });
        Ok(Outcome::Done)
    }

    pub(super) fn delete_import(&mut self, actor: &Actor, name: &Arc<str>) -> Result<Outcome, Refusal> {
        check_admin(actor, MANAGE)?;
        self.known_import(name)?;
        self.list.imports.remove(name);
        self.note_name(actor, Action::ImportDeleted, name, "");
        self.touch(RecordKey::Import(name.clone()));
        Ok(Outcome::Done)
    }

    /// Asks for a run, and lets so many values pass if an admin says so.
    pub(super) fn ask_import(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        name: &Arc<str>,
        approved: Option<u64>,
    ) -> Result<Outcome, Refusal> {
        check_admin(actor, MANAGE)?;
        let import = self.known_import(name)?;
        let detail = approved.map(|values| format!("up to {values} values let pass")).unwrap_or_default();
        self.note_name(actor, Action::ImportAsked, name, &detail);
        let approved = approved.or(import.approved);
        self.keep_import(Import { asked: Some(time), approved, ..Import::clone(&import) });
        Ok(Outcome::Done)
    }

    /// Keeps what a node says of a run, unless the import is another one by now.
    pub(super) fn note_import(&mut self, actor: &Actor, said: &ImportRun) -> Result<Outcome, Refusal> {
        check_admin(actor, MANAGE)?;
        check_length("word on a run", &said.run)?;
        let import = self.known_import(&said.name)?;
        if import.changed != said.changed {
            return Err(Refusal::Conflict(format!("the import `{}` is another one by now", said.name)));
        }
        if !said.deed.is_empty() {
            self.note_name(actor, Action::ImportRan, &said.name, &said.deed);
        }
        let mut import = Import { run: said.run.clone(), ..Import::clone(&import) };
        if said.ended && import.asked.is_none_or(|asked| asked <= said.started) {
            (import.asked, import.approved) = (None, None);
        }
        self.keep_import(import);
        Ok(Outcome::Done)
    }

    /// What the actor says is to be listed. Said again it changes nothing but the time at which the entry leaves the
    /// list, so that a run may be repeated, from its start or from anywhere, and count once.
    pub(super) fn claim(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        label: &Arc<str>,
        reports: &[Report],
    ) -> Result<Outcome, Refusal> {
        if actor.role < Role::Sensor {
            return Err(forbidden(actor, "add to the list"));
        }
        let label = self.list.interner.text(&cut(label, TAG_BYTES_MAX));
        let mut lines = Vec::with_capacity(reports.len());
        for report in reports {
            let line = match self.is_claimed(actor, &report.value) {
                false => self.add_one(time, actor, report, &label),
                true => self.renew(time, actor, report),
            };
            lines.push(line.unwrap_or_else(Line::Refused));
        }
        let new = reports.iter().zip(&lines).filter(|(_, line)| **line == Line::Added);
        let detail = format!("import {label}");
        self.note_values(actor, Action::Listed, new.map(|(report, _)| report.value.clone()), &detail);
        Ok(Outcome::Lines(lines))
    }

    /// Takes back what the actor reported, whatever its role; what others report too stays.
    pub(super) fn withdraw(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        values: &[Observable],
    ) -> Result<Outcome, Refusal> {
        if actor.role < Role::Sensor {
            return Err(forbidden(actor, "withdraw reports"));
        }
        let withdrawn = values.iter().map(|value| self.withdraw_one(time, actor, value));
        let lines: Vec<Line> = withdrawn.map(|line| line.unwrap_or_else(Line::Refused)).collect();
        self.note_gone(actor, values, &lines);
        Ok(Outcome::Lines(lines))
    }

    /// Whether this account reports the value already. Of an entry with more sources than are kept apart nobody knows,
    /// and it is on the list anyway.
    fn is_claimed(&self, actor: &Actor, value: &Observable) -> bool {
        self.list
            .get(value)
            .is_some_and(|entry| entry.is_reported_for(&actor.account) || entry.source_count() >= SOURCES_MAX)
    }

    fn renew(&mut self, time: Timestamp, actor: &Actor, report: &Report) -> Result<Line, Refusal> {
        self.check(actor, &report.value)?;
        let known = self.listed(&report.value)?;
        let mut entry = WholeEntry::from(&**known);
        if let Some(ttl) = self.ttl(report) {
            entry.expires = match (entry.expires, expiry(time, ttl)) {
                (Some(old), Some(new)) => Some(old.max(new)),
                _ => None,
            };
        }
        add_tags(&mut entry, &report.tags);
        if entry.expires.as_ref() != known.expires() || entry.tags != *known.tags() {
            self.keep_entry(entry);
        }
        Ok(Line::Updated)
    }

    fn known_import(&self, name: &str) -> Result<Arc<Import>, Refusal> {
        let unknown = || Refusal::NotFound(format!("there is no import `{}`", name.escape_default()));
        self.list.imports.get(name).cloned().ok_or_else(unknown)
    }

    fn keep_import(&mut self, import: Import) {
        let name = import.name.clone();
        self.list.imports.insert(name.clone(), Arc::new(import));
        self.touch(RecordKey::Import(name));
    }
}

fn check_length(what: &str, text: &str) -> Result<(), Refusal> {
    match text.len() > IMPORT_BYTES_MAX {
        true => Err(Refusal::Guarded(format!("the {what} is longer than {IMPORT_BYTES_MAX} bytes"))),
        false => Ok(()),
    }
}
