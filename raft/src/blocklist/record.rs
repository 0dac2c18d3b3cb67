//! The state as records: what is stored on disk and sent in a snapshot.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::allow::Allow;
use super::answers::{Answer, AnswerKey};
use super::audit::{Class, Deed};
use super::cluster_info::ClusterInfo;
use super::entry::Entry;
use super::feed::NamedFeed;
use super::hook::Hook;
use super::import::Import;
use super::kind::Kind;
use super::list::{List, Modified};
use super::observable::Observable;
use super::settings::{ClusterSettings, Growth};

/// One record of the state. Stored: grows at its end. Nearly all are entries, and what is rare and large is in a box: a
/// bulk import moves thousands of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// An entry.
    Entry(Arc<Entry>),
    /// An account.
    Account(Arc<Account>),
    /// How far a node's outbox was applied.
    Origin(u64, OriginMark),
    /// Who the cluster is.
    Cluster(Box<ClusterInfo>),
    /// The index of the last change to entries of a kind.
    LastChanged(Kind, u64),
    /// The settings of the cluster, where they are not the default ones.
    Settings(Box<ClusterSettings>),
    /// The addresses of a node.
    NodeAddresses(u64, BTreeSet<IpAddr>),
    /// An entry of the allow list.
    Allow(Arc<Allow>),
    /// An observable that left the list, and the index at which it did.
    Tombstone(Observable, u64),
    /// The oldest index since which the changes of a kind are known.
    FeedFloor(Kind, u64),
    /// The window of the growth brake for an account.
    Growth(Arc<str>, Growth),
    /// Deeds of one class at an index, and the number of this part of them.
    Audit(Class, u64, u32, Arc<Vec<Deed>>),
    /// The last index of which deeds of a class were forgotten.
    AuditForgotten(Class, u64),
    /// A kept answer.
    Answer(Box<AnswerKey>, Arc<Answer>),
    /// A feed.
    Feed(Arc<NamedFeed>),
    /// A hook.
    Hook(Arc<Hook>),
    /// An import.
    Import(Arc<Import>),
    /// When entries of a kind changed last.
    Modified(Kind, Modified),
}

/// The key of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKey {
    /// Of an entry.
    Entry(Observable),
    /// Of an account.
    Account(Arc<str>),
    /// Of an outbox mark.
    Origin(u64),
    /// Of the cluster's identity.
    Cluster,
    /// Of a kind's last change.
    LastChanged(Kind),
    /// Of the settings of the cluster.
    Settings,
    /// Of the addresses of a node.
    NodeAddresses(u64),
    /// Of an entry of the allow list.
    Allow(Observable),
    /// Of a removed observable.
    Tombstone(Observable),
    /// Of a kind's oldest known change.
    FeedFloor(Kind),
    /// Of the window of the growth brake for an account.
    Growth(Arc<str>),
    /// Of a part of the deeds of a class at an index.
    Audit(Class, u64, u32),
    /// Of the last index of which deeds of a class were forgotten.
    AuditForgotten(Class),
    /// Of a kept answer.
    Answer(Box<AnswerKey>),
    /// Of a feed.
    Feed(Arc<str>),
    /// Of a hook.
    Hook(Arc<str>),
    /// Of an import.
    Import(Arc<str>),
    /// Of when entries of a kind changed last.
    Modified(Kind),
}

/// What became of one key of the state.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The key.
    pub key: RecordKey,
    /// What it was before.
    pub before: Before,
    /// The record is now this; none when it is gone.
    pub record: Option<Record>,
}

/// What a key was before it was changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Before {
    /// There was no such record.
    Nothing,
    /// This entry. Of entries it is always told what they were, or that there were none.
    Entry(Arc<Entry>),
    /// These deeds; it is always told of them, too.
    Deeds(Arc<Vec<Deed>>),
    /// What the list before has under this key; what `List::rest` leaves will do.
    AsListed,
}

impl Before {
    /// Of an entry that may not have been listed.
    pub(super) fn of(entry: Option<Arc<Entry>>) -> Before {
        entry.map_or(Before::Nothing, Before::Entry)
    }

    /// The record of this key, with the rest of the list before.
    pub(crate) fn record(self, key: &RecordKey, rest: &List) -> Option<Record> {
        match (self, key) {
            (Before::Entry(entry), _) => Some(Record::Entry(entry)),
            (Before::Deeds(deeds), RecordKey::Audit(class, index, part)) => {
                Some(Record::Audit(*class, *index, *part, deeds))
            }
            (Before::Nothing | Before::Deeds(_), _) => None,
            (Before::AsListed, key) => rest.record(key),
        }
    }
}

/// How far the outbox of a node was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginMark {
    /// Its current incarnation.
    pub incarnation: u64,
    /// The last sequence applied.
    pub sequence: u64,
}

impl RecordKey {
    /// Whether it is of something that somebody has decided, or that says how to read the rest; what comes and goes
    /// with reports is not.
    pub(crate) fn is_decided(&self) -> bool {
        match self {
            RecordKey::Entry(_)
            | RecordKey::Origin(_)
            | RecordKey::LastChanged(_)
            | RecordKey::Modified(_)
            | RecordKey::Tombstone(_)
            | RecordKey::Growth(_)
            | RecordKey::Audit(..)
            | RecordKey::AuditForgotten(_)
            | RecordKey::Answer(_) => false,
            RecordKey::Account(_)
            | RecordKey::Cluster
            | RecordKey::Settings
            | RecordKey::NodeAddresses(_)
            | RecordKey::Allow(_)
            | RecordKey::FeedFloor(_)
            | RecordKey::Feed(_)
            | RecordKey::Hook(_)
            | RecordKey::Import(_) => true,
        }
    }
}

impl Record {
    /// The key this record is stored under.
    pub fn key(&self) -> RecordKey {
        match self {
            Record::Entry(entry) => RecordKey::Entry(entry.value.clone()),
            Record::Account(account) => RecordKey::Account(account.username.clone()),
            Record::Origin(node, _) => RecordKey::Origin(*node),
            Record::Cluster(_) => RecordKey::Cluster,
            Record::LastChanged(kind, _) => RecordKey::LastChanged(*kind),
            Record::Settings(_) => RecordKey::Settings,
            Record::NodeAddresses(node, _) => RecordKey::NodeAddresses(*node),
            Record::Allow(allow) => RecordKey::Allow(allow.value.clone()),
            Record::Tombstone(value, _) => RecordKey::Tombstone(value.clone()),
            Record::FeedFloor(kind, _) => RecordKey::FeedFloor(*kind),
            Record::Growth(account, _) => RecordKey::Growth(account.clone()),
            Record::Audit(class, index, part, _) => RecordKey::Audit(*class, *index, *part),
            Record::AuditForgotten(class, _) => RecordKey::AuditForgotten(*class),
            Record::Answer(key, _) => RecordKey::Answer(key.clone()),
            Record::Feed(feed) => RecordKey::Feed(feed.name.clone()),
            Record::Hook(hook) => RecordKey::Hook(hook.name.clone()),
            Record::Import(import) => RecordKey::Import(import.name.clone()),
            Record::Modified(kind, _) => RecordKey::Modified(*kind),
        }
    }
}
