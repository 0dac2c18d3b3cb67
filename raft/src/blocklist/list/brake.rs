//! The growth brake: one sensor gone mad, or one stolen password, must not fill the list within minutes.

use super::apply::Applying;
use crate::blocklist::account::Role;
use crate::blocklist::command::{Actor, Refusal};
use crate::blocklist::record::RecordKey;
use crate::blocklist::settings::{GROWTH_FREE_ENTRIES, Growth};
use crate::blocklist::timestamp::Timestamp;

impl Applying<'_> {
    /// Counts one entry that a sensor is about to list; refuses it when they listed too many in this window.
    /// People are not held up: they see what they do.
    pub(super) fn count_growth(&mut self, time: Timestamp, actor: &Actor) -> Result<(), Refusal> {
        let Some(brake) = self.list.settings.growth_brake else { return Ok(()) };
        if actor.role != Role::Sensor {
            return Ok(());
        }
        let listed = self.list.counts.iter().sum::<usize>() as u64;
        let mut growth = match self.list.growth {
            Some(growth) if time < growth.since.plus_seconds(brake.window_seconds) => growth,
            _ => Growth { since: time, entries: listed, added: 0 },
        };
        let share = growth.entries.saturating_mul(u64::from(brake.share_percent)) / 100;
        if growth.added >= share.max(GROWTH_FREE_ENTRIES) {
            let sentence = format!("sensors have listed {} entries since {}", growth.added, growth.since);
            return Err(Refusal::Conflict(format!("the list grows too fast: {sentence}")));
        }
        growth.added += 1;
        self.list.growth = Some(growth);
        self.touch(RecordKey::Growth);
        Ok(())
    }
}
