//! Putting records in and taking them out, with what is derived from them; nothing else touches the maps.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::apply::Touched;
use super::memory::Chapters;
use super::recent::Recent;
use super::{ByValue, Interner, List};
use crate::blocklist::account::Account;
use crate::blocklist::allow::Allow;
use crate::blocklist::audit::Class;
use crate::blocklist::cluster_info::ClusterInfo;
use crate::blocklist::entry::Entry;
use crate::blocklist::kind::Kind;
use crate::blocklist::observable::Observable;
use crate::blocklist::record::{Change, OriginMark, Record, RecordKey};
use crate::blocklist::settings::ClusterSettings;

impl List {
    /// Puts a stored record back; a list restored from all its records is the list.
    pub fn restore(&mut self, record: Record) {
        match record {
            Record::Entry(entry) => {
                self.recent.miss(entry.index);
                self.put_entry(entry);
            }
            Record::Account(account) => self.put_account(account),
            Record::Origin(node, mark) => self.put_origin(node, mark),
            Record::Cluster(cluster) => self.cluster = Arc::new(*cluster),
            Record::LastChanged(kind, index) => {
                self.recent.miss(index);
                self.last_changed[kind as usize] = index;
            }
            Record::Allow(allow) => self.put_allow(allow),
            Record::Tombstone(value, index) => self.tombstones.put(value, index),
            Record::FeedFloor(kind, index) => self.feed_floors[kind as usize] = index,
            Record::Growth(account, growth) => drop(self.growth.insert(account, growth)),
            Record::Audit(class, index, part, deeds) => {
                self.audit[class as usize].restore((index, part), deeds);
            }
            Record::AuditForgotten(class, index) => self.audit[class as usize].restore_forgotten(index),
            Record::Answer(key, answer) => self.answers.put(*key, answer),
            Record::Feed(feed) => self.put_feed(feed),
            Record::Hook(hook) => drop(self.hooks.insert(hook.name.clone(), hook)),
            Record::Import(import) => drop(self.imports.insert(import.name.clone(), import)),
            Record::Modified(kind, modified) => self.modified[kind as usize] = Some(modified),
            Record::Settings(settings) => self.settings = Arc::new(*settings),
            Record::NodeAddresses(node, addresses) => self.put_node_addresses(node, addresses),
        }
    }

    /// The whole state as records, in key order: what a snapshot holds.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let entries = self.entries.values().cloned().map(Record::Entry);
        let accounts = self.accounts.values().cloned().map(Record::Account);
        let origins = self.origins.iter().map(|(node, mark)| Record::Origin(*node, *mark));
        let cluster = self.cluster_record();
        let changed = Kind::ALL.into_iter().filter_map(|kind| self.last_changed_record(kind));
        let settings = self.settings_record();
        let tombstones = self.tombstones.iter();
        let tombstones = tombstones.map(|(value, index)| Record::Tombstone(value.clone(), index));
        let floors = Kind::ALL.into_iter().filter_map(|kind| self.feed_floor_record(kind));
        let allows = self.allows.values().cloned().map(Record::Allow);
        let nodes = self.node_addresses.iter();
        let nodes = nodes.map(|(node, addresses)| Record::NodeAddresses(*node, addresses.clone()));
        let growth = self.growth.iter().map(|(account, growth)| Record::Growth(account.clone(), *growth));
        let audit = Class::ALL.into_iter().flat_map(|class| {
            let chapters = self.audit[class as usize].iter();
            chapters.map(move |((index, part), deeds)| Record::Audit(class, index, part, deeds.clone()))
        });
        let forgotten = Class::ALL.into_iter().filter_map(|class| self.audit_forgotten_record(class));
        let answers = self.answers.iter();
        let answers = answers.map(|(key, answer)| Record::Answer(Box::new(key.clone()), answer.clone()));
        let feeds = self.feeds.values().cloned().map(Record::Feed);
        let hooks = self.hooks.values().cloned().map(Record::Hook);
        let imports = self.imports.values().cloned().map(Record::Import);
        let modified = Kind::ALL.into_iter().filter_map(|kind| self.modified_record(kind));
        entries
            .chain(accounts)
            .chain(origins)
            .chain(cluster)
            .chain(changed)
            .chain(settings)
            .chain(nodes)
            .chain(allows)
            .chain(tombstones)
            .chain(floors)
            .chain(growth)
            .chain(audit)
            .chain(forgotten)
            .chain(answers)
            .chain(feeds)
            .chain(hooks)
            .chain(imports)
            .chain(modified)
    }

    /// What became of a key that was touched.
    pub(super) fn change(&self, (key, touched): (RecordKey, Touched)) -> Change {
        let record = touched.entry.map(Record::Entry).or_else(|| self.record(&key));
        Change { key, before: touched.before, record }
    }

    /// The record of a key.
    pub fn record(&self, key: &RecordKey) -> Option<Record> {
        match key {
            RecordKey::Entry(value) => self.entries.get(value).cloned().map(Record::Entry),
            RecordKey::Account(username) => self.accounts.get(username).cloned().map(Record::Account),
            RecordKey::Origin(node) => self.origin(*node).map(|mark| Record::Origin(*node, mark)),
            RecordKey::Cluster => self.cluster_record(),
            RecordKey::LastChanged(kind) => self.last_changed_record(*kind),
            RecordKey::Allow(value) => self.allows.get(value).cloned().map(Record::Allow),
            RecordKey::Tombstone(value) => {
                let index = self.tombstones.get(value);
                index.map(|index| Record::Tombstone(value.clone(), index))
            }
            RecordKey::FeedFloor(kind) => self.feed_floor_record(*kind),
            RecordKey::Growth(account) => {
                self.growth.get(account).map(|growth| Record::Growth(account.clone(), *growth))
            }
            RecordKey::Audit(class, index, part) => {
                let deeds = self.audit[*class as usize].get((*index, *part)).cloned();
                deeds.map(|deeds| Record::Audit(*class, *index, *part, deeds))
            }
            RecordKey::AuditForgotten(class) => self.audit_forgotten_record(*class),
            RecordKey::Answer(key) => {
                self.answers.get(key).map(|answer| Record::Answer(key.clone(), answer.clone()))
            }
            RecordKey::Feed(name) => self.feeds.get(name).cloned().map(Record::Feed),
            RecordKey::Hook(name) => self.hooks.get(name).cloned().map(Record::Hook),
            RecordKey::Import(name) => self.imports.get(name).cloned().map(Record::Import),
            RecordKey::Modified(kind) => self.modified_record(*kind),
            RecordKey::Settings => self.settings_record(),
            RecordKey::NodeAddresses(node) => {
                let addresses = self.node_addresses.get(node).cloned();
                addresses.map(|addresses| Record::NodeAddresses(*node, addresses))
            }
        }
    }

    /// Gives what was listed before, and the entry as it is listed now.
    pub(super) fn put_entry(&mut self, mut entry: Arc<Entry>) -> (Option<Arc<Entry>>, Arc<Entry>) {
        Arc::make_mut(&mut entry).share(&mut self.interner);
        let listed = entry.clone();
        let value = entry.value.clone();
        let account = entry.account().clone();
        let expires = entry.expires().copied();
        let before = self.entries.insert(value.clone(), entry);
        self.move_expiry(&value, before.as_ref().and_then(|entry| entry.expires().copied()), expires);
        if let Some(before) = before.as_ref().filter(|before| *before.account() != account) {
            self.uncount(before.account());
        }
        if before.as_ref().is_none_or(|before| *before.account() != account) {
            *self.by_account.entry(account).or_insert(0) += 1;
        }
        if before.is_none() {
            self.counts[value.kind() as usize] += 1;
            self.zones.add(&value);
            if let Observable::Ip(network) = value {
                self.widths.add(network.net());
            }
        }
        (before, listed)
    }

    /// Gives what was listed.
    pub(super) fn remove_entry(&mut self, value: &Observable) -> Option<Arc<Entry>> {
        let entry = self.entries.remove(value)?;
        self.move_expiry(value, entry.expires().copied(), None);
        self.counts[value.kind() as usize] -= 1;
        self.uncount(entry.account());
        self.zones.remove(value);
        if let Observable::Ip(network) = value {
            self.widths.remove(network.net());
        }
        Some(entry)
    }

    /// What `Before::AsListed` is looked up in: all of it but the entries and the deeds, of which it is always told what
    /// they were, and what is derived. Of a map that is in it every node is held, and each that is changed then has to be
    /// copied.
    pub(crate) fn rest(&self) -> List {
        List {
            entries: ByValue::default(),
            audit: self.audit.each_ref().map(Chapters::without_deeds),
            by_expiry: OrdSet::default(),
            by_account: OrdMap::default(),
            recent: Recent::default(),
            interner: Interner::default(),
            ..self.clone()
        }
    }

    /// An account has one entry less.
    fn uncount(&mut self, account: &Arc<str>) {
        match self.count_by_account(account) {
            0 | 1 => drop(self.by_account.remove(account)),
            count => drop(self.by_account.insert(account.clone(), count - 1)),
        }
    }

    pub(super) fn put_account(&mut self, account: Arc<Account>) {
        self.remove_account(&account.username);
        for token in &account.tokens {
            self.tokens.insert(token.digest, account.username.clone());
        }
        self.accounts.insert(account.username.clone(), account);
    }

    pub(super) fn remove_account(&mut self, username: &str) {
        let Some(account) = self.accounts.remove(username) else { return };
        for token in &account.tokens {
            self.tokens.remove(&token.digest);
        }
    }

    pub(super) fn put_allow(&mut self, allow: Arc<Allow>) {
        let value = allow.value.clone();
        if self.allows.insert(value.clone(), allow).is_some() {
            return;
        }
        self.allow_zones.add(&value);
        if let Observable::Ip(network) = value {
            self.allow_widths.add(network.net());
        }
    }

    pub(super) fn remove_allow(&mut self, value: &Observable) {
        if self.allows.remove(value).is_none() {
            return;
        }
        self.allow_zones.remove(value);
        if let Observable::Ip(network) = value {
            self.allow_widths.remove(network.net());
        }
    }

    pub(super) fn put_origin(&mut self, node: u64, mark: OriginMark) {
        self.origins.insert(node, mark);
    }

    pub(super) fn put_node_addresses(&mut self, node: u64, addresses: BTreeSet<IpAddr>) {
        let nodes = Arc::make_mut(&mut self.node_addresses);
        if addresses.is_empty() {
            nodes.remove(&node);
        } else {
            nodes.insert(node, addresses);
        }
    }

    fn cluster_record(&self) -> Option<Record> {
        let founded = *self.cluster != ClusterInfo::default();
        founded.then(|| Record::Cluster(Box::new(ClusterInfo::clone(&self.cluster))))
    }

    fn settings_record(&self) -> Option<Record> {
        let decided = *self.settings != ClusterSettings::default();
        decided.then(|| Record::Settings(Box::new(ClusterSettings::clone(&self.settings))))
    }

    fn feed_floor_record(&self, kind: Kind) -> Option<Record> {
        let index = self.feed_floors[kind as usize];
        (index > 0).then_some(Record::FeedFloor(kind, index))
    }

    fn audit_forgotten_record(&self, class: Class) -> Option<Record> {
        let index = self.audit_forgotten(class);
        (index > 0).then_some(Record::AuditForgotten(class, index))
    }

    fn modified_record(&self, kind: Kind) -> Option<Record> {
        self.modified[kind as usize].map(|modified| Record::Modified(kind, modified))
    }

    fn last_changed_record(&self, kind: Kind) -> Option<Record> {
        let index = self.last_changed(kind);
        (index > 0).then_some(Record::LastChanged(kind, index))
    }
}
