//! Applying a batch: each command once, in order, whatever is sent again. No clock, no chance, no settings of
//! one node: the same batches give the same list everywhere.

use std::sync::Arc;

use super::memory::{CHAPTER_SUBJECTS, Place};
use super::modified::{DATED_FROM, Modified};
use super::{Applied, List};
use crate::blocklist::account::Role;
use crate::blocklist::audit::{Action, Class, Deed, Subject};
use crate::blocklist::command::{Actor, Batch, Command, Operation, Outcome, Refusal};
use crate::blocklist::entry::Entry;
use crate::blocklist::kind::Kind;
use crate::blocklist::observable::Observable;
use crate::blocklist::record::{Before, OriginMark, RecordKey};
use crate::blocklist::timestamp::Timestamp;

/// What any batch touches: its origin, its kinds.
const KEYS_A_BATCH: usize = 8;

/// The list while a batch is applied to it, and the keys touched so far.
pub(super) struct Applying<'a> {
    pub(super) list: &'a mut List,
    pub(super) index: u64,
    /// The time of the command that is being applied.
    time: Timestamp,
    /// The account and the address of the last deed, as they are shared: most of a batch are of few callers.
    caller: Option<(Arc<str>, Arc<str>)>,
    /// Where it was noted: most go to the same place, which is touched once then.
    noted: Option<(Class, Place)>,
    /// In the order in which it was touched, some of it several times.
    touched: Vec<(RecordKey, Touched)>,
}

/// What is known of a record that was touched.
pub(super) struct Touched {
    /// What it was when it was first touched.
    pub(super) before: Before,
    /// The entry that it is since it was last touched, where somebody had it in hand.
    pub(super) entry: Option<Arc<Entry>>,
}

impl List {
    /// Applies one batch at `index`. Total: a refusal is an outcome.
    pub fn apply(&mut self, index: u64, batch: &Batch) -> Applied {
        let Some(last) = self.last_sequence(batch) else {
            return Applied { rejected: true, ..Applied::default() };
        };
        // An add touches its entry and the audit, which forgets something for that now and then.
        let keys: usize = batch.commands.iter().map(|command| command.operation.weight() + 1).sum();
        let touched = Vec::with_capacity(keys + keys / 8 + KEYS_A_BATCH);
        let time = Timestamp::default();
        let mut applying = Applying { list: self, index, time, caller: None, noted: None, touched };
        let mut outcomes = Vec::with_capacity(batch.commands.len());
        let mut reached = last;
        for (command, offset) in batch.commands.iter().zip(0..) {
            let sequence = batch.first_sequence.saturating_add(offset);
            if sequence <= reached {
                outcomes.push(None);
            } else {
                outcomes.push(Some(applying.run(command)));
                reached = sequence;
            }
        }
        if reached > last {
            let mark = OriginMark { incarnation: batch.origin.incarnation, sequence: reached };
            applying.list.put_origin(batch.origin.node, mark);
            applying.touch(RecordKey::Origin(batch.origin.node));
        }
        let touched = by_key(applying.touched);
        let values = touched.iter().filter_map(|(key, _)| match key {
            RecordKey::Entry(value) => Some(value.clone()),
            _ => None,
        });
        self.recent.note(index, values.collect());
        let changes = touched.into_iter().map(|touched| self.change(touched)).collect();
        Applied { outcomes, rejected: false, changes }
    }

    /// The last sequence applied of the outbox that this batch is from; `None` when the batch must not be
    /// applied: it is of an outbox that was given up, or commands before it are missing.
    fn last_sequence(&self, batch: &Batch) -> Option<u64> {
        let mark = self.origin(batch.origin.node);
        let known = mark.map_or(0, |mark| mark.incarnation);
        let last = match mark {
            Some(mark) if mark.incarnation == batch.origin.incarnation => mark.sequence,
            Some(_) if batch.origin.incarnation < known => return None,
            // A new outbox is applied from its first command or not at all.
            _ if batch.first_sequence != 1 => return None,
            _ => 0,
        };
        (batch.first_sequence <= last.saturating_add(1)).then_some(last)
    }
}

impl Applying<'_> {
    fn run(&mut self, command: &Command) -> Outcome {
        self.time = command.time;
        let before = self.before_feeds();
        let outcome = match &command.once {
            Some(once) => self.once(command, once),
            None => self.run_operation(command.time, &command.actor, &command.operation),
        };
        if let Some(before) = before {
            self.judge_feeds(command.time, &command.actor, before);
        }
        outcome
    }

    pub(super) fn run_operation(&mut self, time: Timestamp, actor: &Actor, operation: &Operation) -> Outcome {
        let result = match operation {
            Operation::Add(reports) => self.add(time, actor, reports, None),
            Operation::Import { label, reports } => self.add(time, actor, reports, Some(label)),
            Operation::Delete(values) => self.delete(time, actor, values),
            Operation::CreateAccount { username, password_hash, role } => {
                self.create_account(time, actor, username, password_hash, *role)
            }
            Operation::UpdateAccount { username, password_hash, role } => {
                self.update_account(actor, username, password_hash.as_ref(), *role)
            }
            Operation::DeleteAccount(username) => self.delete_account(actor, username),
            Operation::PutToken { username, token } => self.put_token(actor, username, token),
            Operation::DeleteToken { username, name } => self.delete_token(actor, username, name),
            Operation::Found { cluster_id, peer_secret } => self.found(actor, *cluster_id, *peer_secret),
            Operation::AllocateNode { join_key } => self.allocate_node(actor, *join_key),
            Operation::Expire => self.expire(time, actor),
            Operation::Sight(reports) => self.sight(time, actor, reports),
            Operation::Patch(patch) => self.patch(actor, patch),
            Operation::AllowAdd(allows) => self.allow_add(time, actor, allows),
            Operation::AllowDelete(values) => self.allow_delete(actor, values),
            Operation::Undo(undo) => self.undo(actor, undo),
            Operation::RaiseVersion(version) => self.raise_version(actor, *version),
            Operation::PutFeed { name, feed } => self.make_feed(time, actor, name, feed),
            Operation::DeleteFeed(name) => self.delete_feed(actor, name),
            Operation::PublishFeed(name) => self.publish_feed(time, actor, name),
            Operation::PutHook { name, mapping } => self.put_hook(time, actor, name, mapping),
            Operation::DeleteHook(name) => self.delete_hook(actor, name),
            Operation::PutImport { name, profile } => self.put_import(time, actor, name, profile),
            Operation::DeleteImport(name) => self.delete_import(actor, name),
            Operation::AskImport { name, approved } => self.ask_import(time, actor, name, *approved),
            Operation::NoteImport(run) => self.note_import(actor, run),
            Operation::Claim { label, reports } => self.claim(time, actor, label, reports),
            Operation::Withdraw(values) => self.withdraw(time, actor, values),
            Operation::PutSettings(settings) => self.put_settings(actor, settings),
            Operation::PutNodeAddresses { node, addresses } => {
                self.put_node_addresses(actor, *node, addresses)
            }
        };
        result.unwrap_or_else(Outcome::Refused)
    }

    /// Notes that something other than an entry is changed.
    pub(super) fn touch(&mut self, key: RecordKey) {
        self.touch_known(key, Before::AsListed, None);
    }

    /// Notes what a record was before this command, and what an entry is since.
    fn touch_known(&mut self, key: RecordKey, before: Before, entry: Option<Arc<Entry>>) {
        self.touched.push((key, Touched { before, entry }));
    }

    /// Remembers what was done to some values; nothing when there are none.
    pub(super) fn note_values(
        &mut self,
        actor: &Actor,
        action: Action,
        values: impl Iterator<Item = Observable>,
        detail: &str,
    ) {
        self.note(actor, action, values.map(Subject::Value).collect(), detail);
    }

    /// Remembers what was done to something that has a name.
    pub(super) fn note_name(&mut self, actor: &Actor, action: Action, name: &str, detail: &str) {
        self.note(actor, action, vec![Subject::Name(name.into())], detail);
    }

    fn note(&mut self, actor: &Actor, action: Action, subjects: Vec<Subject>, detail: &str) {
        let (time, class) = (self.time, action.class());
        let (account, address) = self.shared_caller(actor);
        let detail = self.list.interner.text(detail);
        for some in subjects.chunks(CHAPTER_SUBJECTS) {
            let (account, address, detail) = (account.clone(), address.clone(), detail.clone());
            let deed = Deed { time, account, address, action, subjects: some.to_vec(), detail };
            let place = self.list.audit[class as usize].add(self.index, deed);
            if self.noted.replace((class, place)) != Some((class, place)) {
                // No other batch has this index.
                self.touch_known(RecordKey::Audit(class, place.0, place.1), Before::Nothing, None);
            }
        }
        while let Some(((index, part), deeds)) = self.list.audit[class as usize].forget_surplus(class.most())
        {
            self.touch_known(RecordKey::Audit(class, index, part), Before::Deeds(deeds), None);
            self.touch(RecordKey::AuditForgotten(class));
        }
    }

    fn shared_caller(&mut self, actor: &Actor) -> (Arc<str>, Arc<str>) {
        let known = self
            .caller
            .as_ref()
            .filter(|(account, address)| **account == *actor.account && **address == *actor.address);
        if let Some(known) = known {
            return known.clone();
        }
        let [account, address] = [&actor.account, &actor.address].map(|text| self.list.interner.text(text));
        self.caller.insert((account, address)).clone()
    }

    /// Notes that exports of this kind may be other ones now.
    pub(super) fn touch_kind(&mut self, kind: Kind) {
        let further = self.list.last_changed[kind as usize] == self.index;
        if self.list.version() >= DATED_FROM {
            let modified = &mut self.list.modified[kind as usize];
            let before = modified.replace(Modified::next(*modified, self.time, further));
            if !further || before.is_none() {
                self.touch(RecordKey::Modified(kind));
            }
        }
        // No other batch has this index: further changes of this one have nothing to add.
        if !further {
            self.list.last_changed[kind as usize] = self.index;
            self.touch(RecordKey::LastChanged(kind));
        }
    }

    /// Notes what the entry of this observable was before this command and is now.
    pub(super) fn touch_entry(
        &mut self,
        value: &Observable,
        before: Option<Arc<Entry>>,
        now: Option<Arc<Entry>>,
    ) {
        self.touch_kind(value.kind());
        self.touch_known(RecordKey::Entry(value.clone()), Before::of(before), now);
    }
}

/// What was touched, once a key and in the order of the keys: what it was before the first time, and is since the last.
fn by_key(mut touched: Vec<(RecordKey, Touched)>) -> Vec<(RecordKey, Touched)> {
    // Of equal keys it keeps the order.
    touched.sort_by(|(one, _), (other, _)| one.cmp(other));
    touched.dedup_by(|(next, again), (key, first)| {
        let same = next == key;
        if same {
            first.entry = again.entry.take();
        }
        same
    });
    touched
}

/// The cluster itself and the registration token act without an account, and may do what an admin may.
pub(super) fn check_admin(actor: &Actor, what: &str) -> Result<(), Refusal> {
    let allowed = actor.account.is_empty() || actor.role == Role::Admin;
    if allowed { Ok(()) } else { Err(forbidden(actor, what)) }
}

/// The refusal of an actor whose role is too weak.
pub(super) fn forbidden(actor: &Actor, what: &str) -> Refusal {
    Refusal::Forbidden(format!("the role `{}` may not {what}", actor.role))
}
