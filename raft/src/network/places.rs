//! Where members that have moved say they are, until the membership says so too. A leader that they cannot do
//! without may know them only where they were.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// The peers' addresses that members have told, by id. Only hints: a handshake proves who is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Mutex<BTreeMap<u64, String>>>);

impl Places {
    /// Notes where a member says it is.
    pub(crate) fn note(&self, member: u64, address: &str) {
        self.0.lock().insert(member, address.to_owned());
    }

    /// Where a member says it is, when that is not the address that was tried.
    pub(crate) fn other_than(&self, member: u64, tried: &str) -> Option<String> {
        self.0.lock().get(&member).filter(|address| *address != tried).cloned()
    }
}
