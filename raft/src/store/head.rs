//! The list that entries of the log are applied to, and the still picture of it that readers hold.
//!
//! A picture costs nothing to make, but what changes after it first copies each node of the maps on its way, once a
//! picture: to make one after every few thousand keys was a quarter of the time of a bulk import. So while nobody looks,
//! none is made. Invariants:
//!
//! 1. Whoever looks sees all that this node has applied, and so all that it has answered for.
//! 2. While somebody looks now and then, a look waits for nobody: a picture follows every group of entries. The first
//!    look after a while waits for the group that is being applied, if one is.
//! 3. What was decided (accounts, settings, feeds and the like) is in the last picture always: requests are let in by it,
//!    and that is no look.
//! 4. No picture is older than `OLD_AFTER` when more is applied, so that what it holds and the list does not is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::blocklist::{List, Timestamp};
use crate::cluster::Picture;
use crate::store::digest::StateDigest;
use crate::store::disk::DiskMark;

/// For so long after a look pictures are made for the next one.
const LOOKED_WITHIN: Duration = Duration::from_millis(100);
/// A picture that is as old is replaced with the next change.
const OLD_AFTER: Duration = Duration::from_secs(1);
/// An old picture is let go of on a thread of its own when so many changes came after it: it alone holds as many nodes.
const MANY_CHANGES: usize = 4096;

/// Shared by the one who applies and all who look.
pub(crate) struct Head {
    list: Mutex<Current>,
    picture: ArcSwap<Picture>,
    /// Somebody has looked since the last group of entries.
    looked: AtomicBool,
    index: AtomicU64,
    next_expiry: AtomicI64,
    /// The index, for those who wait for it.
    pub(crate) applied: watch::Sender<u64>,
}

/// The list as it is, and where that is.
pub(crate) struct Current {
    pub(crate) list: List,
    pub(crate) mark: DiskMark,
    looked_at: Option<Instant>,
    pictured_at: Instant,
    changed_since: usize,
}

impl Head {
    pub(crate) fn new(list: List, mark: DiskMark) -> Head {
        let current = Current { list, mark, looked_at: None, pictured_at: Instant::now(), changed_since: 0 };
        let head = Head {
            picture: ArcSwap::from_pointee(current.picture()),
            list: Mutex::new(current),
            looked: AtomicBool::new(false),
            index: AtomicU64::new(0),
            next_expiry: AtomicI64::new(i64::MAX),
            applied: watch::Sender::new(0),
        };
        head.tell(&head.list.lock());
        head
    }

    /// The list to apply a group of entries to. Who looks for the first time waits until it is let go of.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Current> {
        self.list.lock()
    }

    /// A group of entries is applied: from now on whoever looks sees it.
    pub(crate) fn moved(&self, current: &mut Current, changes: usize, decided: bool) {
        let now = Instant::now();
        current.changed_since += changes;
        if self.looked.swap(false, Ordering::Relaxed) {
            current.looked_at = Some(now);
        }
        let looked_at = |at: Instant| now.duration_since(at) < LOOKED_WITHIN;
        let is_old = now.duration_since(current.pictured_at) >= OLD_AFTER;
        if decided || is_old || current.looked_at.is_some_and(looked_at) {
            self.publish(current);
        }
        self.tell(current);
    }

    /// Another list takes its place.
    pub(crate) fn replace(&self, list: List, mark: DiskMark) {
        let current = &mut *self.list.lock();
        (current.list, current.mark) = (list, mark);
        self.publish(current);
        self.tell(current);
    }

    /// The list as it is.
    pub(crate) fn picture(&self) -> Arc<Picture> {
        if !self.looked.load(Ordering::Relaxed) {
            self.looked.store(true, Ordering::Relaxed);
        }
        // In this order: where a picture follows every group, the one that is there by then has this index.
        let index = self.index();
        let picture = self.picture.load_full();
        if picture.index >= index {
            return picture;
        }
        let mut current = self.list.lock();
        if self.picture.load().index < current.index() {
            self.publish(&mut current);
        }
        self.picture.load_full()
    }

    /// The last picture that was made: entries may be missing in it and older than they are, and so is its index; what
    /// was decided is as it is now.
    pub(crate) fn decided(&self) -> Arc<Picture> {
        self.picture.load_full()
    }

    /// The index that is applied.
    pub(crate) fn index(&self) -> u64 {
        self.index.load(Ordering::Acquire)
    }

    /// The digest of the list as it is, and its index.
    pub(crate) fn digest(&self) -> (u64, StateDigest) {
        let current = self.list.lock();
        (current.index(), current.mark.digest)
    }

    /// When the next entry leaves the list.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        let next = self.next_expiry.load(Ordering::Acquire);
        (next != i64::MAX).then_some(Timestamp(next))
    }

    fn publish(&self, current: &mut Current) {
        let old = self.picture.swap(Arc::new(current.picture()));
        current.pictured_at = Instant::now();
        let many = std::mem::take(&mut current.changed_since) >= MANY_CHANGES;
        match Handle::try_current() {
            Ok(runtime) if many => drop(runtime.spawn_blocking(|| drop(old))),
            _ => drop(old),
        }
    }

    /// Goes before anybody is answered for what was applied.
    fn tell(&self, current: &Current) {
        let next = current.list.next_expiry().map_or(i64::MAX, |Timestamp(next)| next);
        self.next_expiry.store(next, Ordering::Release);
        self.index.store(current.index(), Ordering::Release);
        self.applied.send_replace(current.index());
    }
}

impl Current {
    pub(crate) fn index(&self) -> u64 {
        self.mark.last_applied.map_or(0, |id| id.index)
    }

    fn picture(&self) -> Picture {
        Picture { list: self.list.clone(), index: self.index(), digest: self.mark.digest, pending: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::blocklist::tests::batch;
    use crate::blocklist::{Actor, Command, Kind, Observable, Operation, Report, Role};
    use crate::form;
    use crate::store::digest::Changes;

    fn empty() -> Head {
        Head::new(List::default(), DiskMark::default())
    }

    /// Applies one command, as the machine does; its index.
    fn apply(head: &Head, operation: Operation) -> u64 {
        let actor = Actor { account: "anna".into(), role: Role::Admin, address: "".into() };
        let command = Command::new(Timestamp(1000), actor, operation);
        let current = &mut *head.lock();
        let index = current.index() + 1;
        let rest_before = current.list.rest();
        let mut changes = Changes::default();
        changes.join(current.list.apply(index, &batch(index, vec![command])).changes);
        current.mark.last_applied = Some(form::LogId { term: 1, node: 1, index });
        let (count, decided) = (changes.len(), changes.decide());
        current.mark.digest.follow(&rest_before, &mut changes).unwrap();
        head.moved(current, count, decided);
        index
    }

    fn add(number: u32, ttl: Option<i64>) -> Operation {
        let value = Observable::host(std::net::Ipv4Addr::from(0x0100_0000 + number).into());
        let (comment, source, tags) = ("".into(), "web".into(), [].into());
        Operation::Add(vec![Report { value, comment, source, ttl, tags, seen: None }])
    }

    #[test]
    fn whoever_looks_sees_all_and_without_a_look_no_picture_is_made() {
        let head = empty();
        apply(&head, add(1, None));
        let index = apply(&head, add(2, None));
        assert_eq!(head.decided().index, 0, "nobody has looked");
        assert_eq!(head.index(), index);
        assert_eq!(*head.applied.borrow(), index);

        let seen = head.picture();
        assert_eq!((seen.index, seen.list.count(Kind::Ip)), (index, 2));
        let index = apply(&head, add(3, None));
        assert_eq!(head.decided().index, index, "somebody has looked a moment ago");
        assert_eq!(head.picture().list.count(Kind::Ip), 3);
        assert_eq!(seen.list.count(Kind::Ip), 2, "a picture stays as it is");
        assert_eq!(head.digest(), (index, head.picture().digest));
    }

    #[test]
    fn what_was_decided_is_known_without_a_look() {
        let head = empty();
        let account = Operation::CreateAccount {
            username: "bob".into(),
            password_hash: "x".into(),
            role: Role::Reader,
        };
        apply(&head, add(1, None));
        let index = apply(&head, account);
        assert!(head.decided().list.account("bob").is_some());
        apply(&head, add(2, None));
        assert_eq!(head.decided().index, index);
        apply(&head, Operation::DeleteAccount("bob".into()));
        assert!(head.decided().list.account("bob").is_none());
        let first = Observable::host([1, 0, 0, 1].into());
        apply(&head, Operation::Delete(vec![first.clone()]));
        assert!(head.decided().list.get(&first).is_some(), "an entry is nothing that was decided");
        assert!(head.picture().list.get(&first).is_none());
    }

    #[test]
    fn a_picture_does_not_get_old_while_more_is_applied() {
        let head = empty();
        apply(&head, add(1, None));
        head.lock().pictured_at -= OLD_AFTER;
        let index = apply(&head, add(2, None));
        assert_eq!(head.decided().index, index);
        apply(&head, add(3, None));
        assert_eq!(head.decided().index, index);
    }

    #[test]
    fn the_next_expiry_is_that_of_the_list_as_it_is() {
        let head = empty();
        assert_eq!(head.next_expiry(), None);
        apply(&head, add(1, Some(60)));
        assert_eq!(head.next_expiry(), Some(Timestamp(61_000)));
        apply(&head, add(2, Some(30)));
        assert_eq!(head.next_expiry(), Some(Timestamp(31_000)));
        let list = List::default();
        head.replace(list, DiskMark::default());
        assert_eq!((head.next_expiry(), head.index(), head.picture().index), (None, 0, 0));
    }

    #[test]
    fn no_look_is_behind_what_was_applied_before_it() {
        const APPLIED: u32 = 2000;
        let head = empty();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut last = 0;
                    while last < u64::from(APPLIED) {
                        let applied = head.index();
                        let seen = head.picture();
                        assert!(seen.index >= applied && seen.index >= last);
                        assert_eq!(seen.list.count(Kind::Ip) as u64, seen.index, "a picture of one index");
                        last = seen.index;
                    }
                });
            }
            for number in 0..APPLIED {
                // Those who look are gone for a while now and then, as far as the list can tell.
                if number.is_multiple_of(3) {
                    head.lock().looked_at = None;
                }
                apply(&head, add(number, None));
            }
        });
    }
}
