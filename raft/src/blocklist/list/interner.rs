//! What many entries share (sources, accounts, comments, and who listed them), held once.

use std::sync::{Arc, LazyLock};

use imbl::OrdSet;

use crate::blocklist::entry::Reporter;

/// The most of each that is held; later ones are simply not shared.
const SHARED_MAX: usize = 16_384;

/// No text: it is not looked for each time.
pub(super) static NO_TEXT: LazyLock<Arc<str>> = LazyLock::new(|| "".into());

/// Bounded sets. They save memory and decide nothing: two nodes may hold different ones.
#[derive(Clone, Debug, Default)]
pub(in crate::blocklist) struct Interner {
    texts: OrdSet<Arc<str>>,
    /// Apart, so that comments that are all different leave room for what is always the same.
    comments: OrdSet<Arc<str>>,
    reporters: OrdSet<Arc<Reporter>>,
}

impl Interner {
    /// The same text, shared if it is known.
    pub(in crate::blocklist) fn text(&mut self, text: &str) -> Arc<str> {
        if text.is_empty() {
            return NO_TEXT.clone();
        }
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let text: Arc<str> = text.into();
        if self.texts.len() < SHARED_MAX {
            self.texts.insert(text.clone());
        }
        text
    }

    /// The same comment, shared if it is known.
    pub(in crate::blocklist) fn comment(&mut self, comment: &Arc<str>) -> Arc<str> {
        held(&mut self.comments, comment, Arc::clone)
    }

    /// This reporter, shared if it is known.
    pub(in crate::blocklist) fn reporter_of(&mut self, reporter: Reporter) -> Arc<Reporter> {
        match self.reporters.get(&reporter) {
            Some(known) => known.clone(),
            None => self.reporter(&Arc::new(reporter)),
        }
    }

    /// The same reporter, shared if it is known.
    pub(in crate::blocklist) fn reporter(&mut self, reporter: &Arc<Reporter>) -> Arc<Reporter> {
        let Interner { texts, reporters, .. } = self;
        held(reporters, reporter, |new| {
            Arc::new(new.with_texts(|text| held(texts, &text.into(), Arc::clone)))
        })
    }
}

fn held<T: Ord + ?Sized>(
    set: &mut OrdSet<Arc<T>>,
    one: &Arc<T>,
    keep: impl FnOnce(&Arc<T>) -> Arc<T>,
) -> Arc<T> {
    if let Some(known) = set.get(one) {
        return known.clone();
    }
    if set.len() >= SHARED_MAX {
        return one.clone();
    }
    let kept = keep(one);
    set.insert(kept.clone());
    kept
}
