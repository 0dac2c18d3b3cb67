//! Texts that many entries share (sources, accounts, tags), held once.

use std::sync::Arc;

use imbl::OrdSet;

/// The most texts held; later ones are simply not shared.
const TEXTS_MAX: usize = 16_384;

/// A bounded set of texts. It saves memory and decides nothing: two nodes may hold different ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Interner(OrdSet<Arc<str>>);

impl Interner {
    /// The same text, shared if it is known.
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let text: Arc<str> = text.into();
        if self.0.len() < TEXTS_MAX {
            self.0.insert(text.clone());
        }
        text
    }
}
