//! The growth brake: one sensor gone mad, or one stolen password, must neither fill the list nor empty it within
//! minutes.

use super::apply::Applying;
use crate::blocklist::account::Role;
use crate::blocklist::command::{Actor, Refusal};
use crate::blocklist::record::RecordKey;
use crate::blocklist::settings::{GROWTH_FREE_ENTRIES, Growth};
use crate::blocklist::timestamp::Timestamp;

impl Applying<'_> {
    /// Counts one entry that an account is about to list or to remove; refuses it when that were too many in this
    /// window. Admins are not held up: they lift the brake.
    pub(super) fn count_change(&mut self, time: Timestamp, actor: &Actor) -> Result<(), Refusal> {
        let Some(brake) = self.list.settings.growth_brake else { return Ok(()) };
        if actor.account.is_empty() || actor.role == Role::Admin {
            return Ok(());
        }
        let listed = self.list.counts.iter().sum::<usize>() as u64;
        let end = |growth: &Growth| growth.since.plus_seconds(brake.window_seconds);
        let mut growth = match self.list.growth.get(&actor.account) {
            Some(growth) if time < end(growth) => *growth,
            _ => Growth { since: time, entries: listed, changed: 0 },
        };
        let share = growth.entries.saturating_mul(u64::from(brake.share_percent)) / 100;
        let most = share.max(GROWTH_FREE_ENTRIES);
        if growth.changed >= most {
            return Err(Refusal::Conflict(format!(
                "the growth brake holds: account `{}` has listed and removed {} entries since {}, and may no more \
                 than {most} before {}; an admin lifts it with PUT /admin/settings {{\"growth_brake\":null}}",
                actor.account,
                growth.changed,
                growth.since,
                end(&growth)
            )));
        }
        growth.changed += 1;
        let account = self.list.interner.text(&actor.account);
        self.list.growth.insert(account.clone(), growth);
        self.touch(RecordKey::Growth(account));
        Ok(())
    }
}
