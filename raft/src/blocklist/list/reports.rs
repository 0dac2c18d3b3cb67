//! Adding, sighting, deleting and withdrawing.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Interner;
use super::apply::{Applying, forbidden};
use super::interner::NO_TEXT;
use crate::blocklist::account::Role;
use crate::blocklist::audit::Action;
use crate::blocklist::command::{
    Actor, COMMENT_BYTES_MAX, Line, Outcome, Refusal, Report, SOURCE_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX,
};
use crate::blocklist::entry::{Entry, Reporter, WholeEntry};
use crate::blocklist::observable::Observable;
use crate::blocklist::sources::Sources;
use crate::blocklist::timestamp::Timestamp;

/// A report with its texts cut to their limits and its moments settled.
struct Settled {
    time: Timestamp,
    seen: Timestamp,
    comment: Arc<str>,
    source: Arc<str>,
    account: Arc<str>,
    ttl: Option<i64>,
}

impl Applying<'_> {
    pub(super) fn add(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        reports: &[Report],
        import: Option<&Arc<str>>,
    ) -> Result<Outcome, Refusal> {
        if actor.role < Role::Sensor {
            return Err(forbidden(actor, "add to the list"));
        }
        let label = match import {
            Some(label) => self.list.interner.text(&cut(label, TAG_BYTES_MAX)),
            None => NO_TEXT.clone(),
        };
        let lines: Vec<Line> = reports
            .iter()
            .map(|report| self.add_one(time, actor, report, &label).unwrap_or_else(Line::Refused))
            .collect();
        let new = reports.iter().zip(&lines).filter(|(_, line)| **line == Line::Added);
        let detail = if label.is_empty() { String::new() } else { format!("import {label}") };
        self.note_values(actor, Action::Listed, new.map(|(report, _)| report.value.clone()), &detail);
        Ok(Outcome::Lines(lines))
    }

    /// Counts sightings of what is listed, and lists nothing.
    pub(super) fn sight(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        reports: &[Report],
    ) -> Result<Outcome, Refusal> {
        if actor.role < Role::Sensor {
            return Err(forbidden(actor, "report sightings"));
        }
        let lines = reports.iter().map(|report| {
            let listed = self.listed(&report.value).map(|_| ());
            listed.and_then(|()| self.add_one(time, actor, report, &NO_TEXT)).unwrap_or_else(Line::Refused)
        });
        Ok(Outcome::Lines(lines.collect()))
    }

    pub(super) fn delete(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        values: &[Observable],
    ) -> Result<Outcome, Refusal> {
        let delete_one = match actor.role {
            Role::Reader => return Err(forbidden(actor, "delete from the list")),
            Role::Sensor => Applying::withdraw_one,
            Role::Analyst | Role::Admin => Applying::remove_one,
        };
        let mut lines = Vec::with_capacity(values.len());
        for value in values {
            let done = delete_one(self, time, actor, value);
            lines.push(done.unwrap_or_else(Line::Refused));
        }
        self.note_gone(actor, values, &lines);
        Ok(Outcome::Lines(lines))
    }

    /// Remembers what was removed, and what was withdrawn.
    pub(super) fn note_gone(&mut self, actor: &Actor, values: &[Observable], lines: &[Line]) {
        for (line, action) in [(Line::Deleted, Action::Removed), (Line::Withdrawn, Action::Withdrawn)] {
            let done = values.iter().zip(lines).filter(|(_, done)| **done == line);
            self.note_values(actor, action, done.map(|(value, _)| value.clone()), "");
        }
    }

    pub(super) fn add_one(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        report: &Report,
        import: &Arc<str>,
    ) -> Result<Line, Refusal> {
        self.check(actor, &report.value)?;
        let listed = self.list.get(&report.value).is_some();
        if !listed {
            self.check_room(time, actor)?;
        }
        let settled = self.settle(time, actor, report);
        if listed {
            self.change_entry(&report.value, |entry| count_sighting(entry, &settled, report));
            return Ok(Line::Sighted);
        }
        let entry = new_entry(settled, report, self.index, import, &mut self.list.interner);
        let (before, entry) = self.list.put_entry(Arc::new(entry));
        self.touch_entry(&report.value, before, Some(entry));
        self.unbury(&report.value);
        Ok(Line::Added)
    }

    fn settle(&mut self, time: Timestamp, actor: &Actor, report: &Report) -> Settled {
        let source = if report.source.is_empty() { &actor.address } else { &report.source };
        Settled {
            time,
            seen: report.seen.map_or(time, |seen| seen.min(time)),
            comment: cut(&report.comment, COMMENT_BYTES_MAX),
            source: cut(source, SOURCE_BYTES_MAX),
            account: actor.account.clone(),
            ttl: self.ttl(report),
        }
    }

    /// Seconds until what is reported leaves the list, if this or the cluster's settings say.
    pub(super) fn ttl(&self, report: &Report) -> Option<i64> {
        report.ttl.or_else(|| self.list.settings.default_ttl.get(&report.value.kind()).copied())
    }

    fn remove_one(&mut self, time: Timestamp, actor: &Actor, value: &Observable) -> Result<Line, Refusal> {
        self.listed(value)?;
        self.count_change(time, actor)?;
        self.drop_entry(value);
        Ok(Line::Deleted)
    }

    pub(super) fn withdraw_one(
        &mut self,
        time: Timestamp,
        actor: &Actor,
        value: &Observable,
    ) -> Result<Line, Refusal> {
        let mut entry = WholeEntry::from(&**self.listed(value)?);
        if !entry.sources.withdraw(&actor.account) {
            let (noun, account) = (value.kind().noun(), &actor.account);
            return Err(Refusal::NotFound(format!("{noun} `{value}` was not reported by `{account}`")));
        }
        if entry.sources.is_empty() {
            self.count_change(time, actor)?;
            self.drop_entry(value);
            return Ok(Line::Deleted);
        }
        self.keep_entry(entry);
        Ok(Line::Withdrawn)
    }

    pub(super) fn listed(&self, value: &Observable) -> Result<&Arc<Entry>, Refusal> {
        let noun = value.kind().noun();
        self.list.get(value).ok_or_else(|| Refusal::NotFound(format!("{noun} `{value}` is not listed")))
    }
}

fn new_entry(
    settled: Settled,
    report: &Report,
    index: u64,
    import: &Arc<str>,
    interner: &mut Interner,
) -> Entry {
    if report.tags.is_empty() && settled.seen == settled.time {
        let expires = settled.ttl.and_then(|ttl| expiry(settled.time, ttl));
        let reporter = Reporter::new(settled.source, settled.account, import.clone());
        let reporter = interner.reporter_of(reporter);
        return Entry::of_plain_report(
            report.value.clone(),
            settled.time,
            index,
            settled.comment,
            reporter,
            expires,
        );
    }
    new_whole_entry(&settled, report, index, import).into()
}

fn new_whole_entry(settled: &Settled, report: &Report, index: u64, import: &Arc<str>) -> WholeEntry {
    let mut entry = WholeEntry {
        value: report.value.clone(),
        time_added: settled.time,
        time_updated: settled.time,
        sighting: 0,
        comment: settled.comment.clone(),
        source: settled.source.clone(),
        account: settled.account.clone(),
        expires: settled.ttl.and_then(|ttl| expiry(settled.time, ttl)),
        tags: BTreeSet::new(),
        sources: Sources::default(),
        index,
        listed: index,
        import: import.clone(),
    };
    note_report(&mut entry, settled, report);
    entry
}

/// One more report of a listed entry. An old sighting that comes late counts, and moves no time back.
fn count_sighting(entry: &mut WholeEntry, settled: &Settled, report: &Report) {
    entry.sighting = entry.sighting.saturating_add(1);
    entry.time_updated = entry.time_updated.max(settled.seen);
    if let Some(ttl) = settled.ttl {
        entry.expires = match (entry.expires, expiry(settled.time, ttl)) {
            (Some(old), Some(new)) => Some(old.max(new)),
            _ => None,
        };
    }
    note_report(entry, settled, report);
}

fn note_report(entry: &mut WholeEntry, settled: &Settled, report: &Report) {
    entry.sources.report(&settled.source, &settled.account, settled.seen, settled.comment.clone());
    add_tags(entry, &report.tags);
}

/// Joins tags to those of an entry, up to the limit.
pub(super) fn add_tags(entry: &mut WholeEntry, tags: &BTreeSet<Arc<str>>) {
    for tag in tags {
        if entry.tags.len() >= TAGS_MAX {
            break;
        }
        entry.tags.insert(cut(tag, TAG_BYTES_MAX));
    }
}

/// When an add with this time to live expires; `None` is never.
pub(super) fn expiry(time: Timestamp, ttl: i64) -> Option<Timestamp> {
    (ttl > 0).then(|| time.plus_seconds(ttl).min(Timestamp::MAX))
}

/// The longest start of a text that has at most so many bytes and ends at a character boundary.
pub(super) fn cut(text: &Arc<str>, bytes_max: usize) -> Arc<str> {
    if text.len() <= bytes_max { text.clone() } else { text[..text.floor_char_boundary(bytes_max)].into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocklist::Kind;

    #[test]
    fn a_plain_report_lists_the_same_as_one_that_is_spelled_out() {
        let value = Observable::parse(Kind::Ip, "192.0.2.1").unwrap();
        for (ttl, import) in [(None, ""), (Some(60), "talos"), (Some(0), "")] {
            let report = Report {
                value: value.clone(),
                comment: "seen".into(),
                source: "web".into(),
                ttl,
                tags: BTreeSet::new(),
                seen: None,
            };
            let settled = || Settled {
                time: Timestamp(5000),
                seen: Timestamp(5000),
                comment: "seen".into(),
                source: "web".into(),
                account: "anna".into(),
                ttl,
            };
            let import: Arc<str> = import.into();
            let whole = new_whole_entry(&settled(), &report, 7, &import);
            let entry = new_entry(settled(), &report, 7, &import, &mut Interner::default());
            assert_eq!(entry, whole.into());
        }
    }
}
