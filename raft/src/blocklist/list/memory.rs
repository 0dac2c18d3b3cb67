//! The audit as it is kept: chapters of deeds by index, each small enough for one value on disk.

use std::sync::Arc;

use imbl::OrdMap;

use super::List;
use crate::blocklist::audit::{Class, Deed, Subject};
use crate::blocklist::observable::Observable;

/// Subjects of one deed, and subjects after which the next deed of the same index begins a chapter of its own: a
/// chapter of the longest URLs stays below 64 KiB.
pub(super) const CHAPTER_SUBJECTS: usize = 16;

/// Where a chapter stands: the index, and its number there.
pub(super) type Place = (u64, u32);

/// The deeds of one class, in the order in which they were done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Chapters {
    by_place: OrdMap<Place, Arc<Vec<Deed>>>,
    subjects: usize,
    /// The last index of which something was forgotten.
    forgotten: u64,
}

impl Chapters {
    /// Adds a deed at an index; where it went. It depends on the deeds alone, not on how they were batched.
    pub(super) fn add(&mut self, index: u64, deed: Deed) -> Place {
        self.subjects += deed.subjects.len();
        let last = self.by_place.get_max().map(|(place, _)| *place).filter(|(at, _)| *at == index);
        let place = last.unwrap_or((index, 0));
        if let Some(deeds) = self.by_place.get_mut(&place) {
            if subjects(deeds) < CHAPTER_SUBJECTS {
                Arc::make_mut(deeds).push(deed);
                return place;
            }
            let next = (index, place.1.saturating_add(1));
            self.by_place.insert(next, Arc::new(vec![deed]));
            return next;
        }
        self.by_place.insert(place, Arc::new(vec![deed]));
        place
    }

    /// Puts a stored chapter back, in place of what stood there.
    pub(super) fn restore(&mut self, place: Place, deeds: Arc<Vec<Deed>>) {
        self.subjects += subjects(&deeds);
        if let Some(before) = self.by_place.insert(place, deeds) {
            self.subjects -= subjects(&before);
        }
    }

    pub(super) fn restore_forgotten(&mut self, index: u64) {
        self.forgotten = index;
    }

    /// Forgets the oldest chapter when there are too many subjects, and gives it; never the only one.
    pub(super) fn forget_surplus(&mut self, most: usize) -> Option<(Place, Arc<Vec<Deed>>)> {
        if self.subjects <= most || self.by_place.len() < 2 {
            return None;
        }
        let place = *self.by_place.get_min().map(|(place, _)| place)?;
        let deeds = self.by_place.remove(&place)?;
        self.subjects -= subjects(&deeds);
        self.forgotten = place.0;
        Some((place, deeds))
    }

    /// What was forgotten of it, and no chapter.
    pub(super) fn without_deeds(&self) -> Chapters {
        Chapters { forgotten: self.forgotten, ..Chapters::default() }
    }

    pub(super) fn get(&self, place: Place) -> Option<&Arc<Vec<Deed>>> {
        self.by_place.get(&place)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &Arc<Vec<Deed>>)> {
        self.by_place.iter().map(|(place, deeds)| (*place, deeds))
    }

    /// The last index of which something was forgotten; 0 when nothing was.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The deeds after an index, oldest first, with their indexes.
    fn after(&self, index: u64) -> impl Iterator<Item = (u64, &Deed)> {
        let chapters = self.by_place.range((index.saturating_add(1), 0)..);
        chapters.flat_map(|((index, _), deeds)| deeds.iter().map(|deed| (*index, deed)))
    }
}

fn subjects(deeds: &[Deed]) -> usize {
    deeds.iter().map(|deed| deed.subjects.len()).sum()
}

impl List {
    /// What was done after an index, in the order of the indexes; reports before decisions of the same one.
    pub fn audit_after(&self, index: u64) -> impl Iterator<Item = (u64, &Deed)> {
        let mut reports = self.audit[Class::Reports as usize].after(index).peekable();
        let mut decisions = self.audit[Class::Decisions as usize].after(index).peekable();
        std::iter::from_fn(move || match (reports.peek(), decisions.peek()) {
            (Some((first, _)), Some((second, _))) if second < first => decisions.next(),
            (None, _) => decisions.next(),
            _ => reports.next(),
        })
    }

    /// The last index of which a deed of this class was forgotten; 0 when all of them are known.
    pub fn audit_forgotten(&self, class: Class) -> u64 {
        self.audit[class as usize].forgotten()
    }

    /// What is remembered of one observable, oldest first.
    pub fn history<'l>(&'l self, value: &'l Observable) -> impl Iterator<Item = (u64, &'l Deed)> {
        let about = move |deed: &Deed| {
            deed.subjects.iter().any(|subject| matches!(subject, Subject::Value(known) if known == value))
        };
        self.audit_after(0).filter(move |(_, deed)| about(deed))
    }
}
