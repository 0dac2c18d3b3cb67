//! Domains, listed or allowed, by their labels from the right, so that all names below a domain stand together.

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;

use crate::blocklist::observable::Observable;

/// Derived, never stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Zones(OrdMap<Arc<str>, Observable>);

impl Zones {
    /// Takes in a domain; a value of another kind has no place here.
    pub(super) fn add(&mut self, value: &Observable) {
        if let Observable::Domain(name) = value {
            self.0.insert(key(name).into(), value.clone());
        }
    }

    pub(super) fn remove(&mut self, value: &Observable) {
        if let Observable::Domain(name) = value {
            self.0.remove(key(name).as_str());
        }
    }

    /// The first name below a domain, itself excepted.
    pub(super) fn below(&self, domain: &str) -> Option<&Observable> {
        let zone = key(domain);
        let behind = (Bound::Excluded(zone.as_str()), Bound::Unbounded);
        let next = self.0.range::<_, str>(behind).next();
        next.filter(|(name, _)| name.starts_with(&zone)).map(|(_, value)| value)
    }
}

/// `www.example.org` as `org.example.www.`: names below a domain begin with its key.
fn key(name: &str) -> String {
    name.rsplit('.').flat_map(|label| [label, "."]).collect()
}
