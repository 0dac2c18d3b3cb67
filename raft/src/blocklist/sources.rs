//! Who reported one entry: a small sorted map. Most entries have one source, and a node of a tree map is
//! sized for eleven.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::timestamp::Timestamp;

/// The most sources an entry keeps apart; later ones are counted under `OTHER_SOURCES`.
pub const SOURCES_MAX: usize = 32;
/// The name that collects reports of sources beyond `SOURCES_MAX`.
pub const OTHER_SOURCES: &str = "(others)";

/// What one source said about one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Reports by this source, the first included.
    pub count: u64,
    /// First report.
    pub first_seen: Timestamp,
    /// Last report.
    pub last_seen: Timestamp,
    /// The last comment.
    pub comment: Arc<str>,
    /// The account that reports under this name; empty when `OTHER_SOURCES` holds those of several.
    pub account: Arc<str>,
}

/// The reports on one entry by source name, in the order of the names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources(Vec<(Arc<str>, SourceReport)>);

/// The reports of one source, as `Sources` with nobody else in it.
pub(super) struct OnlySource(pub(super) (Arc<str>, SourceReport));

/// As `Sources` is.
impl Serialize for OnlySource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        std::slice::from_ref(&self.0).serialize(serializer)
    }
}

impl From<OnlySource> for Sources {
    fn from(OnlySource(one): OnlySource) -> Sources {
        Sources(vec![one])
    }
}

impl Sources {
    /// Whether they are this one and no other.
    pub(super) fn are(&self, one: &OnlySource) -> bool {
        *self.0 == *std::slice::from_ref(&one.0)
    }

    /// How many sources are kept apart.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody reports the entry any more.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What this source said.
    pub fn get(&self, name: &str) -> Option<&SourceReport> {
        self.position(name).ok().map(|at| &self.0[at].1)
    }

    /// Names and reports, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &SourceReport)> {
        self.0.iter().map(|(name, report)| (name, report))
    }

    /// Counts one report. Two accounts that use the same name are kept apart, so that each can withdraw what
    /// it said without taking the other's word back: the later one has its account behind the name.
    pub(super) fn report(
        &mut self,
        name: &Arc<str>,
        account: &Arc<str>,
        moment: Timestamp,
        comment: Arc<str>,
    ) {
        let mut name = name.clone();
        if self.get(&name).is_some_and(|report| report.account != *account) {
            name = format!("{name} ({account})").into();
        }
        if self.position(&name).is_err() && self.0.len() >= SOURCES_MAX {
            name = OTHER_SOURCES.into();
        }
        match self.position(&name) {
            Ok(at) => self.0[at].1.count_one(account, moment, comment),
            Err(at) => {
                let report = SourceReport {
                    count: 1,
                    first_seen: moment,
                    last_seen: moment,
                    comment,
                    account: account.clone(),
                };
                self.0.reserve_exact(1);
                self.0.insert(at, (name, report));
            }
        }
    }

    /// Whether this account reports the entry.
    pub fn is_of(&self, account: &str) -> bool {
        self.0.iter().any(|(_, report)| *report.account == *account)
    }

    /// Takes back what this account reported; whether there was anything.
    pub(super) fn withdraw(&mut self, account: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(_, report)| *report.account != *account);
        self.0.len() < before
    }

    /// Takes back what was reported under this name, by whichever account; whether there was anything.
    pub(super) fn withdraw_source(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(known, report)| {
            let own = **known == *name || **known == *format!("{name} ({})", report.account);
            !own
        });
        self.0.len() < before
    }

    /// Holds texts once that are equal: the comment of the entry, and what `share` knows.
    pub(super) fn share_texts(&mut self, comment: &Arc<str>, mut share: impl FnMut(&str) -> Arc<str>) {
        for (name, report) in &mut self.0 {
            *name = share(name);
            report.account = share(&report.account);
            if report.comment == *comment {
                report.comment = comment.clone();
            }
        }
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name))
    }
}

impl SourceReport {
    fn count_one(&mut self, account: &Arc<str>, moment: Timestamp, comment: Arc<str>) {
        self.count = self.count.saturating_add(1);
        self.first_seen = self.first_seen.min(moment);
        if moment >= self.last_seen {
            self.last_seen = moment;
            self.comment = comment;
        }
        if self.account != *account {
            self.account = "".into();
        }
    }
}

impl<'a> IntoIterator for &'a Sources {
    type Item = (&'a Arc<str>, &'a SourceReport);
    type IntoIter = std::iter::Map<
        std::slice::Iter<'a, (Arc<str>, SourceReport)>,
        fn(&'a (Arc<str>, SourceReport)) -> (&'a Arc<str>, &'a SourceReport),
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(name, report)| (name, report))
    }
}
