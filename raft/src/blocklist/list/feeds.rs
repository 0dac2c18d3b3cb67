//! The rules of feeds: who makes them, and when one freezes.
//!
//! A frozen feed has to show the same everywhere. So a node does not judge what it is about to hand out; the
//! state does, while a command is applied: a feed freezes at that command, on every node, and what it shows from
//! then on is the list as it was just before it. No node has to propose anything for this, and nothing bad is
//! handed out in between. The judgement is made from counts that the state has anyway, those of all entries of
//! the kind: a query means nothing here. A feed of a small part of a large list does not notice that only this
//! part grows.
//!
//! Growth and loss are measured against what was listed when the hour began (by the clock of the commands), so
//! that a list may grow as far as it likes in its own time. An hour begins with the first command that makes the
//! list longer or shorter after the one before is over, and with what was listed before that command.
//!
//! What is allowed, or removed by hand, while a feed is frozen is still shown by it: the bytes are those of one
//! moment. An admin who needs it gone lets the feed go on.
//!
//! The last good content is too much for the state. It stays in memory as a still picture, which shares with the
//! list what has not changed and is let go when the feed goes on; it is not stored. To write its bytes to disk
//! before the node restarts is the business of those who render it. A node that comes by a frozen feed in a
//! snapshot has neither.

use std::sync::Arc;

use super::List;
use super::apply::{Applying, check_admin};
use crate::blocklist::audit::Action;
use crate::blocklist::command::{Actor, Outcome, Refusal};
use crate::blocklist::feed::{
    FEED_TEXT_BYTES_MAX, FEEDS_MAX, FREEZE_WINDOW_SECONDS, Frozen, NamedFeed, Profile, Published,
    is_feed_name,
};
use crate::blocklist::record::RecordKey;
use crate::blocklist::timestamp::Timestamp;

/// What only an admin may do here, in the words of a refusal.
const MANAGE: &str = "manage feeds";

impl List {
    /// One feed.
    pub fn feed(&self, name: &str) -> Option<&Arc<NamedFeed>> {
        self.feeds.get(name)
    }

    /// All feeds by name.
    pub fn feeds(&self) -> impl Iterator<Item = &Arc<NamedFeed>> {
        self.feeds.values()
    }

    /// The list that a frozen feed shows; `None` also on a node that was not there when it froze.
    pub fn frozen_at(&self, name: &str) -> Option<&Arc<List>> {
        self.stills.get(name)
    }

    pub(super) fn put_feed(&mut self, feed: Arc<NamedFeed>) {
        self.remove_feed(&feed.name);
        self.brakes += usize::from(feed.brake().is_some());
        self.feeds.insert(feed.name.clone(), feed);
    }

    fn remove_feed(&mut self, name: &str) {
        if let Some(feed) = self.feeds.remove(name) {
            self.brakes -= usize::from(feed.brake().is_some());
        }
    }

    /// As much of this list as an export is made of.
    fn still(self) -> List {
        List {
            entries: self.entries,
            counts: self.counts,
            widths: self.widths,
            zones: self.zones,
            last_changed: self.last_changed,
            settings: self.settings,
            node_addresses: self.node_addresses,
            allows: self.allows,
            allow_widths: self.allow_widths,
            allow_zones: self.allow_zones,
            ..List::default()
        }
    }
}

impl Applying<'_> {
    pub(super) fn make_feed(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        name: &Arc<str>,
        profile: &Profile,
    ) -> Result<Outcome, Refusal> {
        check_admin(actor, MANAGE)?;
        check(name, profile)?;
        let known = self.list.feed(name).cloned();
        if known.as_ref().is_some_and(|known| known.profile == *profile) {
            return Ok(Outcome::Done);
        }
        if known.is_none() && self.list.feeds.len() >= FEEDS_MAX {
            return Err(Refusal::Conflict(format!("there are {FEEDS_MAX} feeds already")));
        }
        let action = if known.is_none() { Action::FeedMade } else { Action::FeedChanged };
        let Profile { kind, query, format, .. } = profile;
        self.note_name(actor, action, name, &format!("/{kind}/all?{query} as {format}"));
        // Another text about it is no decision about what it shows.
        let kept = known.filter(|known| known.profile.shows_like(profile));
        let (published, frozen) = match kept {
            Some(kept) => (kept.published, kept.frozen),
            None => (self.published(time, profile), None),
        };
        if frozen.is_none() {
            self.list.stills.remove(name);
        }
        let account = actor.account.clone();
        let profile = profile.clone();
        self.put_feed(NamedFeed { name: name.clone(), profile, account, changed: time, published, frozen });
        Ok(Outcome::Done)
    }

    pub(super) fn delete_feed(&mut self, actor: &Actor, name: &Arc<str>) -> Result<Outcome, Refusal> {
        check_admin(actor, MANAGE)?;
        self.known_feed(name)?;
        self.list.remove_feed(name);
        self.list.stills.remove(name);
        self.note_name(actor, Action::FeedDeleted, name, "");
        self.touch(RecordKey::Feed(name.clone()));
        Ok(Outcome::Done)
    }

    /// Lets a feed show the list as it is, and measures from there.
    pub(super) fn publish_feed(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        name: &Arc<str>,
    ) -> Result<Outcome, Refusal> {
        check_admin(actor, MANAGE)?;
        let feed = self.known_feed(name)?;
        let published = self.published(time, &feed.profile);
        self.list.stills.remove(name);
        self.note_name(actor, Action::FeedPublished, name, &format!("{} entries", published.count));
        self.put_feed(NamedFeed { published, frozen: None, ..NamedFeed::clone(&feed) });
        Ok(Outcome::Done)
    }

    /// The list before a command, if a feed might freeze there.
    pub(super) fn before_feeds(&self) -> Option<List> {
        (self.list.brakes > 0).then(|| self.list.clone())
    }

    /// Freezes the feeds whose list this command has taken too far.
    pub(super) fn judge_feeds(&mut self, time: Timestamp, actor: &Actor, before: List) {
        let mut still = None;
        for feed in self.braked() {
            let kind = feed.profile.kind;
            let (kept, found) = (before.count(kind) as u64, self.list.count(kind) as u64);
            let Some(percent) = feed.brake().filter(|_| kept != found) else { continue };
            let mut feed = NamedFeed::clone(&feed);
            let is_over = time >= feed.published.time.plus_seconds(FREEZE_WINDOW_SECONDS);
            if is_over {
                feed.published = Published { index: self.index, time, count: kept };
            }
            let is_too_far = feed.published.is_left_by(found, percent);
            if is_too_far {
                feed.frozen = Some(Frozen { index: self.index, time, kept, found });
                let still = still.get_or_insert_with(|| Arc::new(before.clone().still())).clone();
                self.list.stills.insert(feed.name.clone(), still);
                let detail = format!("{found} entries, and {} when last published", feed.published.count);
                self.note_name(actor, Action::FeedFrozen, &feed.name, &detail);
            }
            if is_over || is_too_far {
                self.put_feed(feed);
            }
        }
    }

    fn braked(&self) -> Vec<Arc<NamedFeed>> {
        self.list.feeds().filter(|feed| feed.brake().is_some()).cloned().collect()
    }

    fn published(&self, time: Timestamp, profile: &Profile) -> Published {
        Published { index: self.index, time, count: self.list.count(profile.kind) as u64 }
    }

    fn known_feed(&self, name: &str) -> Result<Arc<NamedFeed>, Refusal> {
        let unknown = || Refusal::NotFound(format!("feed `{name}` does not exist"));
        self.list.feed(name).cloned().ok_or_else(unknown)
    }

    fn put_feed(&mut self, feed: NamedFeed) {
        self.touch(RecordKey::Feed(feed.name.clone()));
        self.list.put_feed(Arc::new(feed));
    }
}

fn check(name: &str, profile: &Profile) -> Result<(), Refusal> {
    if !is_feed_name(name) {
        return Err(Refusal::Guarded(format!(
            "feed name `{}` is not valid: it takes 1 to 64 of the letters A-Z a-z, digits and . _ @ -, and does not \
             end in .md5 or .sha256",
            name.escape_default()
        )));
    }
    for (what, text) in
        [("query", &profile.query), ("format", &profile.format), ("description", &profile.description)]
    {
        if text.len() > FEED_TEXT_BYTES_MAX {
            return Err(Refusal::Guarded(format!(
                "the {what} of a feed has at most {FEED_TEXT_BYTES_MAX} bytes"
            )));
        }
    }
    Ok(())
}
