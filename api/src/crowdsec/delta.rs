//! What is news to a bouncer. The cost follows the change, except when the allow list or a rule has changed, or the
//! bouncer is not known: then the lists are compared, or all is sent.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use raft::Picture;
use raft::blocklist::{Entry, Kind, Network, Observable, Timestamp};

use super::blocked::{All, Blocked, Line, longest};
use super::cursors::{Mark, Marks};
use super::decision::FLOOR_SECONDS;
use super::filter::Filter;

/// A ban without an end is announced again once in so many hours: no kernel keeps it for ever.
const RENEWED_HOURS: i64 = 7 * 24;
const HOUR_MILLIS: i64 = 3_600_000;

/// What an answer holds.
#[derive(Default)]
pub(super) struct News<'a> {
    pub(super) new: Vec<Line<'a>>,
    /// What is not blocked any more; of a firewall bouncer also what is to be blocked anew, for longer.
    pub(super) deleted: BTreeSet<Network>,
    /// Networks that could not be written out.
    pub(super) too_wide: usize,
    /// What is blocked and not told, because the bouncer takes no more.
    pub(super) beyond: usize,
}

/// One request, and all that decides its answer.
pub(super) struct Question {
    pub(super) filter: Filter,
    pub(super) ranges: bool,
    /// It takes so many values and no more.
    pub(super) max: Option<usize>,
    /// Timeouts in its kernel end unless a ban is ended and begun again.
    pub(super) firewall: bool,
    /// It has nothing yet.
    pub(super) startup: bool,
    pub(super) now: Timestamp,
}

impl Question {
    /// The answer of this list to a bouncer that has, as far as it is known, what the marks say.
    pub(super) fn answer<'a>(&'a self, picture: &'a Picture, marks: Option<&'a Marks>) -> News<'a> {
        let blocked = self.view(picture);
        let Some(marks) = marks.filter(|_| !self.startup) else { return self.everything(&blocked) };
        // Who takes so many only hears of what makes room as well, which the feed does not tell.
        let feed = match self.max {
            None => self.by_feed(picture, marks),
            Some(_) => nothing_new(picture, marks).then(News::default),
        };
        let known = feed.or_else(|| self.by_comparison(picture, marks));
        let Some(mut news) = known else {
            let mut news = self.everything(&blocked);
            // One of the two lists may be kept still: pieces of networks that were cut are known from it alone.
            let told: HashSet<Network> = news.new.iter().map(|(value, _)| *value).collect();
            for picture in [&marks.before, &marks.last].into_iter().filter_map(|mark| mark.picture.as_deref())
            {
                let lines = self.view(picture).all().lines.into_iter().map(|(value, _)| value);
                news.deleted.extend(lines.filter(|value| !told.contains(value)));
            }
            return news;
        };
        self.renew(&blocked, marks.before.time, &mut news);
        news
    }

    fn view<'a>(&'a self, picture: &'a Picture) -> Blocked<'a> {
        Blocked { list: &picture.list, filter: &self.filter, ranges: self.ranges, max: self.max }
    }

    /// All that is blocked, and all that may have been before.
    fn everything<'a>(&self, blocked: &Blocked<'a>) -> News<'a> {
        let All { lines: new, too_wide, beyond, beyond_count } = blocked.all();
        let mut deleted = BTreeSet::new();
        if !self.startup {
            // What it may have been told when that was newer; what is older than this ends by its timeout.
            deleted.extend(beyond);
        }
        for value in blocked.list.no_longer_exported(Kind::Ip) {
            self.end(blocked, &value, &mut deleted);
        }
        if self.firewall && !self.startup {
            let extended = new.iter().filter(|(_, entry)| entry.sighting > 0 && has_outgrown(entry, entry));
            deleted.extend(extended.map(|(value, _)| *value));
        }
        News { new, deleted, too_wide, beyond: beyond_count }
    }

    /// By what the list itself remembers of its changes; `None` when it does not reach so far back.
    fn by_feed<'a>(&'a self, picture: &'a Picture, marks: &'a Marks) -> Option<News<'a>> {
        if anything_pending(picture, marks) {
            return None;
        }
        let blocked = self.view(picture);
        let feed = blocked.list.changes_since(Kind::Ip, marks.before.index).ok()?;
        let past = [&marks.before, &marks.last].map(|mark| match &mark.picture {
            Some(picture) => Past::List(self.view(picture)),
            None => Past::Unknown(mark.index),
        });
        let (mut new, mut deleted) = (BTreeMap::new(), BTreeSet::new());
        for value in &feed.removed {
            self.end(&blocked, value, &mut deleted);
        }
        for line in feed.added {
            let Observable::Ip(network) = line.value else { continue };
            if !self.filter.wants_line(network) {
                continue;
            }
            for value in blocked.spread(network) {
                match blocked.holder(value) {
                    Some(entry) => self.begin(&past, (value, entry), &mut new, &mut deleted),
                    // Its comment has changed, and it is not asked for any more.
                    None => drop(deleted.insert(value)),
                }
            }
        }
        Some(News { new: new.into_iter().collect(), deleted, ..News::default() })
    }

    /// By a look at all three lists; `None` when they are not kept.
    fn by_comparison<'a>(&'a self, picture: &'a Picture, marks: &'a Marks) -> Option<News<'a>> {
        let (before, last) = (marks.before.picture.as_deref()?, marks.last.picture.as_deref()?);
        let All { lines, too_wide, beyond_count, .. } = self.view(picture).all();
        let past = [before, last].map(|picture| self.view(picture).all().lines.into_iter().collect());
        let now: HashMap<Network, &Arc<Entry>> = lines.iter().copied().collect();
        let ended = |lines: &HashMap<Network, &Arc<Entry>>| -> Vec<Network> {
            lines.keys().filter(|value| !now.contains_key(value)).copied().collect()
        };
        let mut deleted: BTreeSet<Network> = past.iter().flat_map(ended).collect();
        let past = past.map(Past::Lines);
        let mut new = BTreeMap::new();
        for line in lines {
            self.begin(&past, line, &mut new, &mut deleted);
        }
        Some(News { new: new.into_iter().collect(), deleted, too_wide, beyond: beyond_count })
    }

    /// Announces what is blocked, unless the bouncer has it for as long already.
    fn begin<'a>(
        &self,
        past: &[Past<'_>; 2],
        (value, entry): Line<'a>,
        new: &mut BTreeMap<Network, &'a Arc<Entry>>,
        deleted: &mut BTreeSet<Network>,
    ) {
        let standings = past.each_ref().map(|past| past.standing(value, entry));
        if standings.contains(&Standing::New)
            || standings.iter().any(|at| matches!(at, Standing::Longer { .. }))
        {
            new.insert(value, entry);
        }
        if self.firewall && standings.contains(&Standing::Longer { outgrown: true }) {
            deleted.insert(value);
        }
    }

    /// Announces the end of what was blocked, where nothing else blocks it.
    fn end(&self, blocked: &Blocked<'_>, value: &Observable, deleted: &mut BTreeSet<Network>) {
        let Observable::Ip(network) = value else { return };
        // What was in scope before is in scope now: scopes are of values, and those do not change.
        if self.filter.wants_line(*network) {
            deleted.extend(blocked.spread(*network).filter(|value| blocked.holder(*value).is_none()));
        }
    }

    /// Announces again, a part of the list each hour, what outlasts every timeout.
    fn renew<'a>(&self, blocked: &Blocked<'a>, since: Timestamp, news: &mut News<'a>) {
        let (from, to) = (since.0.div_euclid(HOUR_MILLIS), self.now.0.div_euclid(HOUR_MILLIS));
        if to <= from {
            return;
        }
        let lasting = self.now.plus_seconds(RENEWED_HOURS * 3600);
        let due = |value: Network| {
            (from.saturating_add(1)..=to).take(168).any(|hour| slot(value) == hour.rem_euclid(RENEWED_HOURS))
        };
        let already: BTreeSet<Network> = news.new.iter().map(|(value, _)| *value).collect();
        let All { lines, too_wide, beyond_count, .. } = blocked.all();
        (news.too_wide, news.beyond) = (too_wide, beyond_count);
        for (value, entry) in lines {
            if longest(entry) <= lasting || !due(value) || already.contains(&value) {
                continue;
            }
            news.new.push((value, entry));
            if self.firewall {
                news.deleted.insert(value);
            }
        }
    }
}

/// Whether reports wait for a majority, or waited, of which no index tells.
fn anything_pending(picture: &Picture, marks: &Marks) -> bool {
    let pending = |mark: &Mark| mark.picture.as_ref().is_some_and(|picture| picture.pending > 0);
    picture.pending > 0 || pending(&marks.before) || pending(&marks.last)
}

fn nothing_new(picture: &Picture, marks: &Marks) -> bool {
    marks.before.index == picture.index && !anything_pending(picture, marks)
}

/// What a bouncer had at a mark.
enum Past<'a> {
    List(Blocked<'a>),
    Lines(HashMap<Network, &'a Arc<Entry>>),
    /// Only the index is known.
    Unknown(u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It has it, for as long or longer.
    Same,
    /// It has it, for a shorter time; its kernel may let it go before the ban ends.
    Longer {
        outgrown: bool,
    },
    New,
}

impl Past<'_> {
    fn standing(&self, value: Network, entry: &Entry) -> Standing {
        let held = match self {
            Past::List(blocked) => blocked.holder(value),
            Past::Lines(lines) => lines.get(&value).copied(),
            Past::Unknown(index) if entry.listed > *index => None,
            Past::Unknown(_) => return Standing::Longer { outgrown: has_outgrown(entry, entry) },
        };
        match held {
            None => Standing::New,
            Some(held) if longest(held) < longest(entry) => {
                Standing::Longer { outgrown: has_outgrown(held, entry) }
            }
            Some(_) => Standing::Same,
        }
    }
}

/// Whether a ban may outlast the timeout it was first announced with.
fn has_outgrown(first: &Entry, entry: &Entry) -> bool {
    longest(entry) > first.time_added.plus_seconds(FLOOR_SECONDS)
}

/// The hour of a week in which a value is announced again; the same on every node.
fn slot(value: Network) -> i64 {
    // FNV-1a.
    let mix = |hash: u64, octet: &u8| (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = match value.net().addr() {
        std::net::IpAddr::V4(address) => address.octets().iter().fold(0xcbf2_9ce4_8422_2325, mix),
        std::net::IpAddr::V6(address) => address.octets().iter().fold(0xcbf2_9ce4_8422_2325, mix),
    };
    ((hash >> 32) % RENEWED_HOURS as u64) as i64
}
