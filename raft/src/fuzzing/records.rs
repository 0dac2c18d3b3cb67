//! What is stored, and what travels in the log: records, batches, marks, blocks.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{apply, chosen, command, pieces};
use crate::blocklist::{
    Applied, Batch, Kind, List, NewAllow, Observable, Operation, Origin, Record, Report, VERSION,
};
use crate::cluster::Identity;
use crate::codec::{self, Content};
use crate::form;
use crate::store::fuzzed::{Changes, changes_again, record_again, unpack};
use crate::store::{DiskMark, SnapshotHeader, StateDigest, encode_record};

/// A digit for the content, then its bytes. What is read is written again, no longer than it was, and a list that is
/// fed with it is a function of it: twice the same, followed by its digest, and whole in its records.
pub fn records(data: &[u8]) {
    let Some((content, bytes)) = chosen(data) else { return };
    match content % 8 {
        0 => drop(alike::<Batch>(Content::Batch, bytes).map(applied)),
        1 => restored(bytes),
        2 => drop(alike::<DiskMark>(Content::DiskMark, bytes)),
        3 => drop(alike::<Identity>(Content::Identity, bytes)),
        4 => drop(alike::<SnapshotHeader>(Content::SnapshotHeader, bytes)),
        5 => drop(alike::<form::Payload>(Content::LogPayload, bytes)),
        6 => {
            drop(alike::<Vec<Bytes>>(Content::Block, bytes));
            if let Some(written) = changes_again(bytes) {
                assert!(written.len() <= bytes.len(), "{} bytes became {}", bytes.len(), written.len());
                assert_eq!(changes_again(&written), Some(written.clone()));
            }
            drop(unpack(bytes).and_then(|block| codec::decode::<Vec<Bytes>>(Content::Block, &block)));
        }
        _ => assert!(record_again(bytes).is_none_or(|again| bytes.starts_with(&again)), "another record"),
    }
}

/// Reads a value, which takes no more bytes than it came in, and is the same when it is read again.
fn alike<T: Serialize + DeserializeOwned>(content: Content, bytes: &[u8]) -> Option<T> {
    let value = codec::decode::<T>(content, bytes).ok()?;
    let written = codec::encode(content, &value).expect("what was read can be written");
    assert!(written.len() <= bytes.len(), "{} bytes became {}", bytes.len(), written.len());
    let again = codec::decode::<T>(content, &written).expect("what was written can be read");
    assert_eq!(codec::encode(content, &again).expect("it can be written again"), written);
    Some(value)
}

/// A founded list with a host, a network and a domain, and something that is allowed.
pub(super) fn sample() -> List {
    let value = |kind, text: &str| Observable::parse(kind, text).expect("it is one");
    let report = |value| Report {
        value,
        comment: "brute force".into(),
        source: "web01".into(),
        ttl: Some(60),
        tags: ["ssh".into()].into(),
        seen: None,
    };
    let values = [
        value(Kind::Ip, "192.0.2.1"),
        value(Kind::Ip, "198.51.100.0/24"),
        value(Kind::Domain, "evil.example.com"),
    ];
    let allow = NewAllow { value: value(Kind::Ip, "198.51.100.7"), comment: "ours".into() };
    let operations = [
        Operation::Found { cluster_id: [7; 16], peer_secret: [1; 32] },
        Operation::AllocateNode { join_key: [3; 16] },
        Operation::RaiseVersion(VERSION),
        Operation::Add(values.into_iter().map(report).collect()),
        Operation::AllowAdd(vec![allow]),
        Operation::Delete(vec![value(Kind::Ip, "192.0.2.1")]),
    ];
    let mut list = List::default();
    (1..).zip(operations).for_each(|(index, operation)| apply(&mut list, index, operation));
    list
}

/// Applies a batch as it is, and again when it is its turn.
fn applied(mut batch: Batch) {
    let mut list = sample();
    step(&mut list, 10, &batch);
    let mark = list.origin(batch.origin.node);
    batch.first_sequence = mark.map_or(1, |mark| mark.sequence.saturating_add(1));
    batch.origin.incarnation = mark.map_or(1, |mark| mark.incarnation);
    step(&mut list, 11, &batch);
    look_at(&list);
    is_whole(&list);
}

fn step(list: &mut List, index: u64, batch: &Batch) {
    let before = list.clone();
    let Applied { outcomes, rejected, changes } = list.apply(index, batch);
    let mut other = before.clone();
    let again = other.apply(index, batch);
    assert!(again.outcomes == outcomes && again.changes == changes && other == *list, "another list");
    if rejected {
        assert!(changes.is_empty() && *list == before, "rejected, and not as it was");
        return;
    }
    assert_eq!(outcomes.len(), batch.commands.len());
    let mut joined = Changes::default();
    joined.join(changes);
    let mut digest = digest(&before);
    digest.follow(&before.rest(), &mut joined).expect("changes can be stored");
    assert_eq!(digest, self::digest(list), "the changes are not all that changed");
}

/// Records as a start finds them, in any order, upon a list.
fn restored(bytes: &[u8]) {
    let mut list = sample();
    for piece in pieces(bytes) {
        if let Some(record) = alike::<Record>(Content::Record, piece) {
            list.restore(record);
        }
    }
    look_at(&list);
    is_whole(&list);
    let origin = Origin { node: 9, incarnation: u64::MAX };
    let first_sequence = list.origin(9).map_or(1, |mark| mark.sequence.saturating_add(1));
    let host = Observable::parse(Kind::Ip, "192.0.2.1").expect("it is one");
    let commands = vec![command(Operation::Expire), command(Operation::Delete(vec![host]))];
    step(&mut list, u64::MAX, &Batch { origin, first_sequence, commands });
    look_at(&list);
}

fn digest(list: &List) -> StateDigest {
    let mut digest = StateDigest::default();
    list.records().for_each(|record| digest.put(&encode_record(&record).expect("a record can be stored")));
    digest
}

/// A list is what its records are.
pub(super) fn is_whole(list: &List) {
    let mut other = List::default();
    for record in list.records() {
        let stored = encode_record(&record).expect("a record can be stored");
        let again = codec::decode::<Record>(Content::Record, &stored).expect("and read");
        assert_eq!(again, record);
        other.restore(again);
    }
    assert_eq!(other, *list, "the records are not the list");
    let mut by_account: BTreeMap<&str, u64> = BTreeMap::new();
    for kind in Kind::ALL {
        assert_eq!(list.count(kind), list.entries(kind).count(), "{kind}");
        list.entries(kind).for_each(|entry| *by_account.entry(entry.account()).or_default() += 1);
    }
    assert!(
        by_account.iter().all(|(account, count)| list.count_by_account(account) == *count),
        "{by_account:?}"
    );
}

/// What exports, lookups and the change feed do with a list.
fn look_at(list: &List) {
    for kind in Kind::ALL {
        list.exported(kind).for_each(|line| drop(line.value.to_string()));
        let _ = list.changes_since(kind, u64::MAX);
        assert_eq!(list.changes_since(kind, 0).is_err(), list.changes_kept_since(kind) > 0);
        for entry in list.entries(kind) {
            drop((list.containing(&entry.value), list.allowing(&entry.value), entry.time_added.to_string()));
            let _ = (list.blocking(&entry.value), list.lists_within(&entry.value));
        }
    }
}
