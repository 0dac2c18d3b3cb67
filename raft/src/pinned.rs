//! The bytes of everything that is stored or sent, pinned: a test here that fails means that a node could
//! not read what an earlier build wrote. Append to enums, add a version; never change these lines. What nodes say to
//! each other is pinned where it is, in `network/message.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::blocklist::{
    Account, Actor, Batch, ClusterInfo, Command, Entry, Kind, List, Observable, Once, Operation, Origin,
    OriginMark, Record, Report, Role, Timestamp, Token,
};
use crate::cluster::{Address, Identity};
use crate::codec::{self, Content};
use crate::form;
use crate::store::{DiskMark, Kept, StateDigest};

#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    content: Content,
    value: &T,
    hex: &str,
) {
    assert_eq!(hex::encode(codec::encode(content, value).unwrap()), hex, "{value:?}");
    assert_eq!(codec::decode::<T>(content, &hex::decode(hex).unwrap()).unwrap(), *value);
}

fn ip(text: &str) -> Observable {
    Observable::parse(Kind::Ip, text).unwrap()
}

fn report() -> Report {
    Report {
        value: ip("192.0.2.1"),
        comment: "ssh".into(),
        source: "web01".into(),
        ttl: Some(60),
        tags: BTreeSet::from(["scan".into()]),
        seen: Some(Timestamp(1_000)),
    }
}

fn command(operation: Operation) -> Batch {
    let actor = Actor { account: "anna".into(), role: Role::Analyst, address: "10.0.0.7".into() };
    let command = Command::new(Timestamp(1_625_292_673_000), actor, operation);
    Batch { origin: Origin { node: 2, incarnation: 3 }, first_sequence: 4, commands: vec![command] }
}

fn account() -> Account {
    Account {
        username: "anna".into(),
        role: Role::Admin,
        password_hash: "$argon2id$".into(),
        tokens: vec![token()],
        created: Timestamp(5),
        revision: 9,
    }
}

fn token() -> Token {
    Token { name: "fw".into(), digest: [7; 32], created: Timestamp(6) }
}

/// The entry that a report makes.
fn entry() -> Arc<Entry> {
    let mut list = List::default();
    list.apply(8, &Batch { first_sequence: 1, ..command(Operation::Add(vec![report()])) });
    list.get(&report().value).expect("it was added").clone()
}

const LOG_ID: form::LogId = form::LogId { term: 1, node: 2, index: 3 };

fn address() -> Address {
    Address { peers: "n2:5001".into(), http: "http://n2:5000".into() }
}

#[test]
fn commands_keep_their_bytes() {
    let rows = [
        (
            Operation::Add(vec![report()]),
            "5d010102030401fdd01ffcd5f402000004616e6e61020831302e302e302e3700010000c00002012003737368057765623031017801047363616e01fbd00700",
        ),
        (
            Operation::Delete(vec![ip("192.0.2.0/24")]),
            "5d010102030401fdd01ffcd5f402000004616e6e61020831302e302e302e3701010000c00002001800",
        ),
        (
            Operation::CreateAccount {
                username: "anna".into(),
                password_hash: "$".into(),
                role: Role::Sensor,
            },
            "5d010102030401fdd01ffcd5f402000004616e6e61020831302e302e302e370204616e6e6101240100",
        ),
        (
            Operation::UpdateAccount {
                username: "anna".into(),
                password_hash: None,
                role: Some(Role::Reader),
            },
            "5d010102030401fdd01ffcd5f402000004616e6e61020831302e302e302e370304616e6e6100010000",
        ),
        (
            Operation::DeleteAccount("anna".into()),
            "5d010102030401fdd01ffcd5f402000004616e6e61020831302e302e302e370404616e6e6100",
        ),
        (
            Operation::PutToken { username: "anna".into(), token: token() },
            "5d010102030401fdd01ffcd5f402000004616e6e61020831302e302e302e370504616e6e6102667707070707070707070707070707070707070707070707070707070707070707070c00",
        ),
        (
            Operation::DeleteToken { username: "anna".into(), name: "fw".into() },
            "5d010102030401fdd01ffcd5f402000004616e6e61020831302e302e302e370604616e6e6102667700",
        ),
        (
            Operation::Found { cluster_id: [1; 16], peer_secret: [2; 32] },
            "5d010102030401fdd01ffcd5f402000004616e6e61020831302e302e302e370701010101010101010101010101010101020202020202020202020202020202020202020202020202020202020202020200",
        ),
        (
            Operation::AllocateNode { join_key: [3; 16] },
            "5d010102030401fdd01ffcd5f402000004616e6e61020831302e302e302e37080303030303030303030303030303030300",
        ),
    ];
    for (operation, hex) in rows {
        check(Content::Batch, &command(operation), hex);
    }
    let mut keyed = command(Operation::Delete(Vec::new()));
    keyed.commands[0].once = Some(Once { key: [1; 16], part: 2, request: [3; 16] });
    check(
        Content::Batch,
        &keyed,
        "5d010102030401fdd01ffcd5f402000004616e6e61020831302e302e302e37010001010101010101010101010101010101010203030303030303030303030303030303",
    );
}

#[test]
fn records_keep_their_bytes() {
    let cluster = ClusterInfo {
        cluster_id: [1; 16],
        peer_secret: [2; 32],
        last_node_id: 3,
        joins: BTreeMap::from([([4; 16], 3)]),
        version: 1,
    };
    let rows = [
        (
            Record::Entry(entry()),
            "5d0201000000c000020120fdd01ffcd5f4020000fdd01ffcd5f4020000000373736805776562303104616e6e6101fd90f4fdd5f402000001047363616e0105776562303101fbd007fbd0070373736804616e6e61080800",
        ),
        (
            Record::Account(Arc::new(account())),
            "5d02010104616e6e61030a246172676f6e326964240102667707070707070707070707070707070707070707070707070707070707070707070c0a09",
        ),
        (Record::Origin(2, OriginMark { incarnation: 3, sequence: 4 }), "5d020102020304"),
        (
            Record::Cluster(cluster.into()),
            "5d0201030101010101010101010101010101010102020202020202020202020202020202020202020202020202020202020202020301040404040404040404040404040404040301",
        ),
        (Record::LastChanged(Kind::Domain, 9), "5d0201040109"),
    ];
    for (record, hex) in rows {
        check(Content::Record, &record, hex);
    }
}

#[test]
fn files_and_log_entries_keep_their_bytes() {
    let identity = Identity {
        cluster_id: [1; 16],
        node_id: 2,
        peer_secret: [3; 32],
        learner: true,
        peers: vec![(1, address())],
    };
    check(
        Content::Identity,
        &identity,
        "5d040101010101010101010101010101010101020303030303030303030303030303030303030303030303030303030303030303010101076e323a353030310e687474703a2f2f6e323a35303030",
    );
    let mut digest = StateDigest::default();
    digest.put(b"one");
    let mark = DiskMark { last_applied: Some(LOG_ID), membership: Default::default(), digest };
    check(
        Content::DiskMark,
        &mark,
        "5d030101010203000000fe88cd66ee3a0b023c80bb4035adc39276feed31f43fd7adc043716e0cea34321287",
    );
    let Batch { commands, .. } = command(Operation::Delete(Vec::new()));
    let kept = Kept { incarnation: 3, sequence: 4, command: commands.into_iter().next().unwrap() };
    check(Content::Pending, &kept, "5d08010304fdd01ffcd5f402000004616e6e61020831302e302e302e37010000");
    let membership =
        openraft::Membership::new(vec![BTreeSet::from([2])], BTreeMap::from([(2, address())])).unwrap();
    let payloads = [
        (form::Payload::Blank, "5d060100"),
        (form::Payload::Batch(vec![1, 2, 3].into()), "5d06010103010203"),
        (
            form::Payload::Membership((&membership).into()),
            "5d0601020101020102076e323a353030310e687474703a2f2f6e323a35303030",
        ),
    ];
    for (payload, hex) in payloads {
        check(Content::LogPayload, &payload, hex);
    }
}

#[test]
fn what_is_not_ours_is_refused() {
    let good = codec::encode(Content::Batch, &command(Operation::Delete(Vec::new()))).unwrap();
    let mut other_version = good.clone();
    other_version[2] = 99;
    let rows: [(&[u8], &str); 5] = [
        (&[], "nothing"),
        (b"{\"json\":1}", "something else"),
        (&good[..good.len() - 1], "cut"),
        (&[good.as_slice(), b"x"].concat(), "followed by more"),
        (&other_version, "of another version"),
    ];
    for (bytes, what) in rows {
        assert!(codec::decode::<Batch>(Content::Batch, bytes).is_err(), "bytes that are {what}");
    }
    assert!(codec::decode::<Batch>(Content::Record, &good).is_err(), "an envelope of another kind");
}
