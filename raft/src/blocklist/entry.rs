//! What the list knows about one observable.
//!
//! Entries are most of a node's memory, and most of them are alike: one source, no tags, no expiry, and a source,
//! an account and an import that thousands share. `Entry` holds what every entry has, shares the rest, and keeps
//! apart what only some have. `WholeEntry` has everything spelled out; so entries are stored and changed.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::observable::Observable;
use super::sources::{OnlySource, SourceReport, Sources};
use super::timestamp::Timestamp;

/// One listed observable. `comment`, `source` and `account` are those of the add that listed it. It is changed by
/// `change` alone: what is not spelled out is told by the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The observable itself.
    pub value: Observable,
    /// When it was listed; never changes.
    pub time_added: Timestamp,
    /// When it was last added or sighted; never goes back.
    pub time_updated: Timestamp,
    /// Adds after the first.
    pub sighting: u64,
    /// What the first reporter said.
    pub comment: Arc<str>,
    /// The log index that last touched this entry.
    pub index: u64,
    /// The log index at which it was listed.
    pub listed: u64,
    reporter: Arc<Reporter>,
    more: Option<Box<More>>,
}

/// Who listed an entry: the same for many of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reporter {
    source: Arc<str>,
    account: Arc<str>,
    import: Arc<str>,
}

/// What only some entries have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct More {
    expires: Option<Timestamp>,
    tags: BTreeSet<Arc<str>>,
    /// None when it says no more than the entry: all sightings by the source that listed it, with one comment.
    sources: Option<Sources>,
}

/// An entry with everything spelled out. Stored: its fields keep their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholeEntry {
    /// The observable itself.
    pub value: Observable,
    /// When it was listed.
    pub time_added: Timestamp,
    /// When it was last added or sighted.
    pub time_updated: Timestamp,
    /// Adds after the first.
    pub sighting: u64,
    /// What the first reporter said.
    pub comment: Arc<str>,
    /// Who saw it first.
    pub source: Arc<str>,
    /// The account that listed it.
    pub account: Arc<str>,
    /// When it leaves the list; `None` is never.
    pub expires: Option<Timestamp>,
    /// Labels, sorted.
    pub tags: BTreeSet<Arc<str>>,
    /// What each source said, by name.
    pub sources: Sources,
    /// The log index that last touched this entry.
    pub index: u64,
    /// The log index at which it was listed.
    pub listed: u64,
    /// The label of the import that listed it; empty when it was none.
    pub import: Arc<str>,
}

impl Entry {
    /// What a report lists that has no tags and tells of the moment in which it is applied, as nearly all do: the same as
    /// with everything spelled out, without doing that.
    pub(super) fn of_plain_report(
        value: Observable,
        time: Timestamp,
        index: u64,
        comment: Arc<str>,
        reporter: Arc<Reporter>,
        expires: Option<Timestamp>,
    ) -> Entry {
        let more = expires.map(|_| Box::new(More { expires, ..More::default() }));
        Entry {
            value,
            time_added: time,
            time_updated: time,
            sighting: 0,
            comment,
            index,
            listed: index,
            reporter,
            more,
        }
    }

    /// Who saw it first.
    pub fn source(&self) -> &Arc<str> {
        &self.reporter.source
    }

    /// The account that listed it.
    pub fn account(&self) -> &Arc<str> {
        &self.reporter.account
    }

    /// The label of the import that listed it; empty when it was none.
    pub fn import(&self) -> &Arc<str> {
        &self.reporter.import
    }

    /// When it leaves the list; `None` is never.
    pub fn expires(&self) -> Option<&Timestamp> {
        self.more.as_ref().and_then(|more| more.expires.as_ref())
    }

    /// Labels, sorted.
    pub fn tags(&self) -> &BTreeSet<Arc<str>> {
        static NONE: BTreeSet<Arc<str>> = BTreeSet::new();
        self.more.as_ref().map_or(&NONE, |more| &more.tags)
    }

    /// What each source said, by name.
    pub fn sources(&self) -> Cow<'_, Sources> {
        match self.several() {
            Some(sources) => Cow::Borrowed(sources),
            None => Cow::Owned(self.only_source().into()),
        }
    }

    /// How many sources have reported it.
    pub fn source_count(&self) -> usize {
        self.several().map_or(1, Sources::len)
    }

    /// Whether a source of this name has reported it.
    pub fn is_reported_by(&self, source: &str) -> bool {
        self.several().map_or_else(|| **self.source() == *source, |sources| sources.get(source).is_some())
    }

    /// Whether this account has reported it.
    pub fn is_reported_for(&self, account: &str) -> bool {
        self.several().map_or_else(|| **self.account() == *account, |sources| sources.is_of(account))
    }

    fn several(&self) -> Option<&Sources> {
        self.more.as_ref().and_then(|more| more.sources.as_ref())
    }

    fn only_source(&self) -> OnlySource {
        let Reporter { source, account, .. } = &*self.reporter;
        OnlySource((
            source.clone(),
            SourceReport {
                count: self.sighting.saturating_add(1),
                first_seen: self.time_added,
                last_seen: self.time_updated,
                comment: self.comment.clone(),
                account: account.clone(),
            },
        ))
    }

    /// Changes it.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut WholeEntry)) {
        let mut whole = WholeEntry::from(&*self);
        change(&mut whole);
        let reporter = self.reporter.clone();
        *self = whole.into();
        if *self.reporter == *reporter {
            self.reporter = reporter;
        }
    }

    /// Holds once what others hold too.
    pub(super) fn share(&mut self, share: &mut super::list::Interner) {
        self.reporter = share.reporter(&self.reporter);
        self.comment = share.comment(&self.comment);
        let comment = self.comment.clone();
        if let Some(sources) = self.more.as_mut().and_then(|more| more.sources.as_mut()) {
            sources.share_texts(&comment, |text| share.text(text));
        }
    }
}

impl Reporter {
    pub(super) fn new(source: Arc<str>, account: Arc<str>, import: Arc<str>) -> Reporter {
        Reporter { source, account, import }
    }

    /// The same with its texts shared.
    pub(super) fn with_texts(&self, mut share: impl FnMut(&str) -> Arc<str>) -> Reporter {
        Reporter { source: share(&self.source), account: share(&self.account), import: share(&self.import) }
    }
}

impl From<WholeEntry> for Entry {
    fn from(whole: WholeEntry) -> Entry {
        let WholeEntry { source, account, import, expires, tags, sources, .. } = whole;
        let mut entry = Entry {
            value: whole.value,
            time_added: whole.time_added,
            time_updated: whole.time_updated,
            sighting: whole.sighting,
            comment: whole.comment,
            index: whole.index,
            listed: whole.listed,
            reporter: Arc::new(Reporter { source, account, import }),
            more: None,
        };
        let sources = (!sources.are(&entry.only_source())).then_some(sources);
        let more = More { expires, tags, sources };
        entry.more = (more != More::default()).then(|| Box::new(more));
        entry
    }
}

impl From<&Entry> for WholeEntry {
    fn from(entry: &Entry) -> WholeEntry {
        let Reporter { source, account, import } = Reporter::clone(&entry.reporter);
        WholeEntry {
            value: entry.value.clone(),
            time_added: entry.time_added,
            time_updated: entry.time_updated,
            sighting: entry.sighting,
            comment: entry.comment.clone(),
            source,
            account,
            expires: entry.expires().copied(),
            tags: entry.tags().clone(),
            sources: entry.sources().into_owned(),
            index: entry.index,
            listed: entry.listed,
            import,
        }
    }
}

/// As the whole entry is, field by field, without making one: all that is stored or hashed comes through here.
impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut whole = serializer.serialize_struct("WholeEntry", 13)?;
        whole.serialize_field("value", &self.value)?;
        whole.serialize_field("time_added", &self.time_added)?;
        whole.serialize_field("time_updated", &self.time_updated)?;
        whole.serialize_field("sighting", &self.sighting)?;
        whole.serialize_field("comment", &self.comment)?;
        whole.serialize_field("source", self.source())?;
        whole.serialize_field("account", self.account())?;
        whole.serialize_field("expires", &self.expires())?;
        whole.serialize_field("tags", self.tags())?;
        match self.several() {
            Some(sources) => whole.serialize_field("sources", sources)?,
            None => whole.serialize_field("sources", &self.only_source())?,
        }
        whole.serialize_field("index", &self.index)?;
        whole.serialize_field("listed", &self.listed)?;
        whole.serialize_field("import", self.import())?;
        whole.end()
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entry, D::Error> {
        WholeEntry::deserialize(deserializer).map(Entry::from)
    }
}
