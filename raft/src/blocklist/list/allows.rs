//! The rules of the allow list.

use std::sync::Arc;

use super::List;
use super::apply::{Applying, forbidden};
use super::nesting::{around, within};
use super::reports::cut;
use crate::blocklist::account::Role;
use crate::blocklist::allow::{ALLOWS_MAX, Allow, NewAllow};
use crate::blocklist::audit::Action;
use crate::blocklist::command::{Actor, COMMENT_BYTES_MAX, Line, Outcome, Refusal};
use crate::blocklist::observable::Observable;
use crate::blocklist::record::RecordKey;
use crate::blocklist::timestamp::Timestamp;

/// What only an analyst may do here, in the words of a refusal.
const CHANGE: &str = "change the allow list";

impl List {
    /// The allow list, in the order of its observables.
    pub fn allows(&self) -> impl Iterator<Item = &Arc<Allow>> {
        self.allows.values()
    }

    /// The allow entry of exactly this observable.
    pub fn allow(&self, value: &Observable) -> Option<&Arc<Allow>> {
        self.allows.get(value)
    }

    /// The allow entry that keeps this observable from being listed: the same one, one around it, or one
    /// within it, since blocking a network blocks all it holds, and blocking a domain all names below it.
    pub fn allowing(&self, value: &Observable) -> Option<&Arc<Allow>> {
        if self.allows.is_empty() {
            return None;
        }
        self.allow(value).or_else(|| match value {
            Observable::Ip(network) => {
                let mut around = around(&self.allows, &self.allow_widths, *network).map(|(_, allow)| allow);
                around.next().or_else(|| within(&self.allows, *network).map(|(_, allow)| allow).next())
            }
            Observable::Domain(name) => parents(name)
                .find_map(|parent| self.allow(&parent))
                .or_else(|| self.allow(self.allow_zones.below(name)?)),
            _ => None,
        })
    }
}

/// The domains above a name, nearest first.
pub(super) fn parents(name: &str) -> impl Iterator<Item = Observable> {
    name.match_indices('.').map(|(dot, _)| Observable::Domain(name[dot + 1..].into()))
}

impl Applying<'_> {
    pub(super) fn allow_add(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        allows: &[NewAllow],
    ) -> Result<Outcome, Refusal> {
        if actor.role < Role::Analyst {
            return Err(forbidden(actor, CHANGE));
        }
        let lines: Vec<Line> = allows.iter().map(|allow| self.allow_one(time, actor, allow)).collect();
        for (line, action) in [(Line::Added, Action::Allowed), (Line::Updated, Action::AllowChanged)] {
            let done = allows.iter().zip(&lines).filter(|(_, done)| **done == line);
            self.note_values(actor, action, done.map(|(allow, _)| allow.value.clone()), "");
        }
        Ok(Outcome::Lines(lines))
    }

    pub(super) fn allow_delete(&mut self, actor: &Actor, values: &[Observable]) -> Result<Outcome, Refusal> {
        if actor.role < Role::Analyst {
            return Err(forbidden(actor, CHANGE));
        }
        let lines = values.iter().map(|value| {
            if self.list.allow(value).is_none() {
                let noun = value.kind().noun();
                return Line::Refused(Refusal::NotFound(format!(
                    "{noun} `{value}` is not on the allow list"
                )));
            }
            self.list.remove_allow(value);
            self.touch_allow(value);
            Line::Deleted
        });
        let lines: Vec<Line> = lines.collect();
        let done = values.iter().zip(&lines).filter(|(_, line)| **line == Line::Deleted);
        self.note_values(actor, Action::Disallowed, done.map(|(value, _)| value.clone()), "");
        Ok(Outcome::Lines(lines))
    }

    /// Refuses what the allow list protects, and counts that it did.
    pub(super) fn check_allowed(&mut self, value: &Observable) -> Result<(), Refusal> {
        let Some(allow) = self.list.allowing(value) else { return Ok(()) };
        let mut allow = Allow::clone(allow);
        let noun = value.kind().noun();
        let by = if allow.value == *value { String::new() } else { format!(" as `{}`", allow.value) };
        let why = if allow.comment.is_empty() { String::new() } else { format!(": {}", allow.comment) };
        allow.prevented = allow.prevented.saturating_add(1);
        self.touch(RecordKey::Allow(allow.value.clone()));
        self.list.put_allow(Arc::new(allow));
        Err(Refusal::Conflict(format!("{noun} `{value}` is on the allow list{by}{why}")))
    }

    fn allow_one(&mut self, time: Timestamp, actor: &Actor, new: &NewAllow) -> Line {
        let comment = cut(&new.comment, COMMENT_BYTES_MAX);
        let known = self.list.allow(&new.value).map(|allow| Allow::clone(allow));
        let line = if known.is_some() { Line::Updated } else { Line::Added };
        if known.is_none() && self.list.allows.len() >= ALLOWS_MAX {
            let full = format!("the allow list has its most entries, {ALLOWS_MAX}");
            return Line::Refused(Refusal::Conflict(full));
        }
        let allow = match known {
            Some(known) => Allow { comment, ..known },
            None => Allow {
                value: new.value.clone(),
                comment,
                account: actor.account.clone(),
                time_added: time,
                prevented: 0,
            },
        };
        self.list.put_allow(Arc::new(allow));
        if line == Line::Updated {
            self.touch(RecordKey::Allow(new.value.clone()));
        } else {
            self.touch_allow(&new.value);
        }
        line
    }

    /// Notes that an allow entry came or went, so that exports may hold more or less.
    fn touch_allow(&mut self, value: &Observable) {
        self.touch(RecordKey::Allow(value.clone()));
        self.touch_holes(value.kind());
    }
}
