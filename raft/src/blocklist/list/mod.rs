//! The whole replicated state. It changes only in `List::apply`; a clone is cheap and is a still picture.

mod accounts;
mod allows;
mod answers;
mod apply;
mod blocking;
mod brake;
mod by_value;
mod expiry;
mod exporting;
mod feed;
mod feeds;
mod hooks;
mod imports;
mod interner;
mod membership;
mod memory;
mod modified;
mod nesting;
mod parts;
mod patch;
mod recent;
mod refounding;
mod rehearsal;
mod reports;
mod settings;
mod tombstones;
mod undo;
mod widths;
mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::account::Account;
use super::allow::Allow;
use super::audit::Class;
use super::cluster_info::ClusterInfo;
use super::command::Outcome;
use super::entry::Entry;
use super::feed::NamedFeed;
use super::hook::Hook;
use super::import::Import;
use super::kind::Kind;
use super::observable::Observable;
use super::record::{Change, OriginMark};
use super::settings::{ClusterSettings, Growth};
use super::timestamp::Timestamp;
use answers::Answers;
pub(super) use by_value::ByValue;
pub use exporting::{Cuts, Exported, Exporting};
pub use feed::{Feed, Gone, Touched};
pub(super) use interner::Interner;
use memory::Chapters;
pub use modified::Modified;
use recent::Recent;
pub use rehearsal::Rehearsal;
use tombstones::Tombstones;
use widths::Widths;
use zones::Zones;

/// The list at one index. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct List {
    entries: ByValue<Arc<Entry>>,
    accounts: OrdMap<Arc<str>, Arc<Account>>,
    origins: OrdMap<u64, OriginMark>,
    cluster: Arc<ClusterInfo>,
    last_changed: [u64; Kind::ALL.len()],
    modified: [Option<Modified>; Kind::ALL.len()],
    settings: Arc<ClusterSettings>,
    node_addresses: Arc<BTreeMap<u64, BTreeSet<IpAddr>>>,
    allows: ByValue<Arc<Allow>>,
    tombstones: Tombstones,
    feed_floors: [u64; Kind::ALL.len()],
    growth: OrdMap<Arc<str>, Growth>,
    audit: [Chapters; Class::ALL.len()],
    answers: Answers,
    feeds: OrdMap<Arc<str>, Arc<NamedFeed>>,
    hooks: OrdMap<Arc<str>, Arc<Hook>>,
    imports: OrdMap<Arc<str>, Arc<Import>>,
    // Derived from the above, never stored.
    counts: [usize; Kind::ALL.len()],
    widths: Widths,
    zones: Zones,
    allow_widths: Widths,
    allow_zones: Zones,
    by_expiry: OrdSet<(Timestamp, Observable)>,
    by_account: OrdMap<Arc<str>, u64>,
    tokens: OrdMap<[u8; 32], Arc<str>>,
    recent: Recent,
    interner: Interner,
    /// The lists that frozen feeds show, where they are known.
    stills: OrdMap<Arc<str>, Arc<List>>,
    /// Feeds that may freeze.
    brakes: usize,
}

/// What applying one batch did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// A slot a command, in order; `None` for one that had been applied before.
    pub outcomes: Vec<Option<Outcome>>,
    /// The batch began beyond the next sequence of its origin, or was of an old incarnation: nothing was done.
    pub rejected: bool,
    /// What changed in the state, at most one change a key, in the order of the keys.
    pub changes: Vec<Change>,
}

impl List {
    /// The entry of exactly this observable.
    pub fn get(&self, value: &Observable) -> Option<&Arc<Entry>> {
        self.entries.get(value)
    }

    /// The listed networks that contain this host or network, itself excepted, widest first. The cost is a
    /// lookup a prefix length in use, however many networks are listed.
    pub fn containing(&self, value: &Observable) -> Vec<&Arc<Entry>> {
        let Observable::Ip(network) = value else { return Vec::new() };
        nesting::around(&self.entries, &self.widths, *network).map(|(_, entry)| entry).collect()
    }

    /// All entries of a kind, in export order.
    pub fn entries(&self, kind: Kind) -> impl Iterator<Item = &Arc<Entry>> {
        let (from, to) = bounds(kind);
        self.entries.range(from, to).map(|(_, entry)| entry)
    }

    /// How many entries of a kind are listed.
    pub fn count(&self, kind: Kind) -> usize {
        self.counts[kind as usize]
    }

    /// How many entries of all kinds are listed.
    pub(crate) fn entry_count(&self) -> usize {
        self.counts.iter().sum()
    }

    /// The index of the last change to entries of this kind; 0 when there was none. The ground of ETags.
    pub fn last_changed(&self, kind: Kind) -> u64 {
        self.last_changed[kind as usize]
    }

    /// The second of the last change to exports of this kind, where it stands for one content alone. The ground of
    /// `Last-Modified`.
    pub fn modified(&self, kind: Kind) -> Option<Timestamp> {
        self.modified[kind as usize].and_then(Modified::date)
    }

    /// One account.
    pub fn account(&self, username: &str) -> Option<&Arc<Account>> {
        self.accounts.get(username)
    }

    /// The account that holds a token with this SHA-256.
    pub fn account_by_token(&self, digest: &[u8; 32]) -> Option<&Arc<Account>> {
        self.tokens.get(digest).and_then(|username| self.accounts.get(username))
    }

    /// All accounts by name.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.accounts.values()
    }

    /// Who the cluster is.
    pub fn cluster(&self) -> &ClusterInfo {
        &self.cluster
    }

    /// The version of the commands that the cluster takes; at least 1.
    pub fn version(&self) -> u32 {
        self.cluster.version.max(1)
    }

    /// What an admin decided for the whole cluster.
    pub fn settings(&self) -> &ClusterSettings {
        &self.settings
    }

    /// The addresses of the cluster's own nodes.
    pub fn node_addresses(&self) -> &BTreeMap<u64, BTreeSet<IpAddr>> {
        &self.node_addresses
    }

    /// One hook.
    pub fn hook(&self, name: &str) -> Option<&Arc<Hook>> {
        self.hooks.get(name)
    }

    /// All hooks by name.
    pub fn hooks(&self) -> impl Iterator<Item = &Arc<Hook>> {
        self.hooks.values()
    }

    /// One import.
    pub fn import(&self, name: &str) -> Option<&Arc<Import>> {
        self.imports.get(name)
    }

    /// All imports by name.
    pub fn imports(&self) -> impl Iterator<Item = &Arc<Import>> {
        self.imports.values()
    }

    /// How many entries stand on the list by this account.
    pub fn count_by_account(&self, account: &str) -> u64 {
        self.by_account.get(account).copied().unwrap_or(0)
    }

    /// How far the outbox of this node was applied.
    pub fn origin(&self, node: u64) -> Option<OriginMark> {
        self.origins.get(&node).copied()
    }
}

/// Two lists are equal when their records are.
impl PartialEq for List {
    fn eq(&self, other: &List) -> bool {
        self.entries == other.entries
            && self.accounts == other.accounts
            && self.origins == other.origins
            && self.cluster == other.cluster
            && self.last_changed == other.last_changed
            && self.allows == other.allows
            && self.tombstones == other.tombstones
            && self.feed_floors == other.feed_floors
            && self.growth == other.growth
            && self.audit == other.audit
            && self.answers == other.answers
            && self.feeds == other.feeds
            && self.hooks == other.hooks
            && self.imports == other.imports
            && self.settings == other.settings
            && self.node_addresses == other.node_addresses
    }
}

/// The range of the observables of one kind: an empty text sorts before every value of its kind.
fn bounds(kind: Kind) -> (Bound<Observable>, Bound<Observable>) {
    let empty: Arc<str> = "".into();
    let first = |kind: Kind| match kind {
        Kind::Ip => None,
        Kind::Domain => Some(Observable::Domain(empty.clone())),
        Kind::Url => Some(Observable::Url(empty.clone())),
        Kind::Hash => Some(Observable::Hash(empty.clone())),
        Kind::Email => Some(Observable::Email(empty.clone())),
        Kind::Username => Some(Observable::Username(empty.clone())),
    };
    let next = Kind::ALL.get(kind as usize + 1).copied().and_then(first);
    (first(kind).map_or(Bound::Unbounded, Bound::Included), next.map_or(Bound::Unbounded, Bound::Excluded))
}
