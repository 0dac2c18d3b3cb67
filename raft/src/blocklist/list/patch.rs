//! Correcting what the list says about an entry.

use super::apply::{Applying, forbidden};
use super::reports::{add_tags, cut};
use crate::blocklist::account::Role;
use crate::blocklist::audit::Action;
use crate::blocklist::command::{Actor, COMMENT_BYTES_MAX, Outcome, Patch, Refusal};
use crate::blocklist::timestamp::Timestamp;

impl Applying<'_> {
    /// A correction is no sighting: neither the count nor the time of the last one moves.
    pub(super) fn patch(&mut self, actor: &Actor, patch: &Patch) -> Result<Outcome, Refusal> {
        if actor.role < Role::Analyst {
            return Err(forbidden(actor, "change entries"));
        }
        self.listed(&patch.value)?;
        self.change_entry(&patch.value, |entry| {
            if let Some(comment) = &patch.comment {
                entry.comment = cut(comment, COMMENT_BYTES_MAX);
            }
            if let Some(tags) = &patch.tags {
                entry.tags.clear();
                add_tags(entry, tags);
            }
            if let Some(expires) = patch.expires {
                entry.expires = expires.map(|moment| moment.min(Timestamp::MAX));
            }
        });
        self.note_values(actor, Action::Changed, [patch.value.clone()].into_iter(), &changed(patch));
        Ok(Outcome::Done)
    }
}

/// What a correction changes, in words.
fn changed(patch: &Patch) -> String {
    let parts = [
        ("comment", patch.comment.is_some()),
        ("tags", patch.tags.is_some()),
        ("expires", patch.expires.is_some()),
    ];
    let names: Vec<&str> = parts.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    names.join(", ")
}
