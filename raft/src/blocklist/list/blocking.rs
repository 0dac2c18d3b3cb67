//! What one host or domain meets: whether an export blocks it, and by which entry. It agrees with `exported`, at the
//! cost of a lookup.

use std::sync::Arc;

use super::List;
use super::allows::parents;
use super::nesting::{around, within};
use crate::blocklist::entry::Entry;
use crate::blocklist::observable::Observable;

impl List {
    /// The entry by which an export blocks this value: its own, else that of the nearest network around it, or of the
    /// nearest domain above it.
    pub fn blocking(&self, value: &Observable) -> Option<&Arc<Entry>> {
        if let Observable::Domain(name) = value {
            let shown = |value: &Observable| self.get(value).filter(|_| self.allowing(value).is_none());
            return shown(value).or_else(|| parents(name).find_map(|parent| shown(&parent)));
        }
        let entry = self.get(value).or_else(|| self.containing(value).pop())?;
        (self.exported_as(value) == [value.clone()]).then_some(entry)
    }

    /// Whether anything of a network is listed, or a name below a domain. What an export leaves out counts.
    pub fn lists_within(&self, value: &Observable) -> bool {
        match value {
            Observable::Ip(network) => {
                within(&self.entries, *network).next().is_some()
                    || around(&self.entries, &self.widths, *network).next().is_some()
            }
            Observable::Domain(name) => self.zones.below(name).is_some(),
            _ => false,
        }
    }
}
