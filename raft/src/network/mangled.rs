//! Stored and sent bytes that somebody has damaged, or made up: they decode to an error or to a value that can be
//! worked with, never to a panic, and never to more memory than they have bytes for.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, proptest};
use proptest::sample::Index;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::blocklist::{
    Account, Actor, Allow, Batch, Command, Kind, List, NewAllow, Observable, Once, Operation, Origin, Patch,
    Record, Report, Role, Timestamp, Undo, Whose,
};
use crate::cluster::{Address, Identity};
use crate::codec::{self, Content};
use crate::form;
use crate::network::frame::{self, Frame, Route};
use crate::network::{Reply, Request};
use crate::store::{DiskMark, SnapshotHeader};

const ROUTE: Route = Route { cluster_id: [7; 16], from: 1, to: 2 };
const CONTENTS: [Content; 11] = [
    Content::Batch,
    Content::Record,
    Content::DiskMark,
    Content::Identity,
    Content::SnapshotHeader,
    Content::LogPayload,
    Content::Frame,
    Content::Ground,
    Content::Block,
    Content::Changes,
    Content::Pending,
];

fn value(kind: Kind, text: &str) -> Observable {
    Observable::parse(kind, text).unwrap()
}

fn report(value: Observable) -> Report {
    let tags = BTreeSet::from(["scan".into(), "ssh".into()]);
    let (comment, source) = ("brute force".into(), "web01".into());
    Report { value, comment, source, ttl: Some(60), tags, seen: Some(Timestamp(1_000)) }
}

/// One operation of each shape.
fn operations() -> Vec<Operation> {
    let host = value(Kind::Ip, "192.0.2.1");
    let network = value(Kind::Ip, "2001:db8::/48");
    let domain = value(Kind::Domain, "evil.example.com");
    let add = Operation::Add(vec![report(host.clone()), report(network.clone()), report(domain.clone())]);
    vec![
        add.clone(),
        Operation::Import { label: "feed".into(), reports: vec![report(network.clone())] },
        Operation::Delete(vec![host.clone(), domain.clone()]),
        Operation::AllowAdd(vec![NewAllow { value: network.clone(), comment: "office".into() }]),
        Operation::Patch(Patch {
            value: host,
            comment: Some("ssh".into()),
            tags: None,
            expires: Some(Some(Timestamp(5))),
        }),
        Operation::Undo(Undo { whose: Whose::Source("web01".into()), since: 0, after: Some(network) }),
        Operation::PutNodeAddresses { node: 1, addresses: ["192.0.2.7".parse().unwrap()].into() },
        Operation::PutSettings(crate::blocklist::ClusterSettings::default()),
        Operation::CreateAccount { username: "anna".into(), password_hash: "$".into(), role: Role::Sensor },
        Operation::Expire,
        Operation::PutHook { name: "hive".into(), mapping: "{}".into() },
        Operation::PutImport { name: "drop".into(), profile: "{}".into() },
    ]
}

fn batch(commands: Vec<Operation>) -> Batch {
    let actor = Actor { account: "anna".into(), role: Role::Admin, address: "10.0.0.7".into() };
    let time = Timestamp(1_625_292_673_000);
    let commands = (0..).zip(commands).map(|(part, operation)| Command {
        once: (part % 2 == 0).then_some(Once { key: [1; 16], part, request: [2; 16] }),
        ..Command::new(time, actor.clone(), operation)
    });
    let commands = commands.collect();
    Batch { origin: Origin { node: 2, incarnation: 1 }, first_sequence: 1, commands }
}

/// A list that has seen all operations.
fn list() -> List {
    let mut list = List::default();
    list.apply(1, &batch(operations()));
    list
}

fn encoded<T: Serialize>(content: Content, value: &T) -> Vec<u8> {
    codec::encode(content, value).unwrap()
}

/// Good bytes of everything that is stored or sent.
fn good() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> =
        operations().into_iter().map(|operation| encoded(Content::Batch, &batch(vec![operation]))).collect();
    let mut changed = List::default().apply(1, &batch(operations())).changes;
    changed.extend(list().apply(2, &Batch { first_sequence: 1 << 20, ..batch(operations()) }).changes);
    let records = changed.iter().filter_map(|change| change.record.as_ref());
    all.extend(records.map(|record| encoded(Content::Record, record)));
    let address = Address { peers: "n2:5001".into(), http: "http://n2:5000".into() };
    let framed = |message| Frame { route: ROUTE, number: 5, message };
    all.push(encoded(Content::DiskMark, &DiskMark::default()));
    all.push(encoded(Content::Frame, &framed(Request::PutMember { id: 2, address })));
    all.push(encoded(Content::Frame, &framed(Request::Propose(vec![1, 2, 3].into()))));
    let (vote, id) =
        (form::Vote { term: 3, node: 1, committed: true }, form::LogId { term: 3, node: 1, index: 9 });
    all.push(encoded(Content::Frame, &framed(Request::Flushed { vote, id })));
    all.push(encoded(
        Content::Frame,
        &Frame { route: ROUTE, number: 5, message: Reply::Members(Vec::new()) },
    ));
    all
}

/// Reads bytes as a value of a type; whatever it is can be written and read again.
fn read<T: Serialize + DeserializeOwned>(content: Content, bytes: &[u8]) -> Option<T> {
    let value = codec::decode::<T>(content, bytes).ok()?;
    let again = codec::encode(content, &value).unwrap();
    codec::decode::<T>(content, &again).unwrap();
    Some(value)
}

/// Whatever the bytes are: reads them as everything that a node reads, and works with what comes out.
fn work_with(bytes: &[u8]) {
    for content in CONTENTS {
        read::<DiskMark>(content, bytes);
        read::<Identity>(content, bytes);
        read::<form::Payload>(content, bytes);
        read::<SnapshotHeader>(content, bytes);
        if let Some(record) = read::<Record>(content, bytes) {
            let mut list = list();
            list.restore(record);
            look_at(&list);
        }
        if let Some(mut batch) = read::<Batch>(content, bytes) {
            let mut list = list();
            list.apply(2, &batch);
            // Also when it is not the turn of what came out.
            let mark = list.origin(batch.origin.node);
            batch.first_sequence = mark.map_or(1, |mark| mark.sequence.saturating_add(1));
            batch.origin.incarnation = mark.map_or(1, |mark| mark.incarnation);
            list.apply(3, &batch);
            look_at(&list);
        }
    }
    drop(frame::decode::<Request>(bytes, ROUTE));
    drop(frame::decode::<Reply>(bytes, ROUTE));
}

/// What exports, lookups and the change feed do with a list.
fn look_at(list: &List) {
    for kind in Kind::ALL {
        let lines = list.exported(kind).map(|line| line.value.to_string()).collect::<Vec<_>>();
        drop(lines);
        assert!(list.changes_since(kind, u64::MAX).is_ok_and(|feed| feed.removed.is_empty()));
        let _ = list.changes_since(kind, 0).map(|feed| feed.added.len());
        for entry in list.entries(kind) {
            drop((list.containing(&entry.value), list.allowing(&entry.value), entry.time_added.to_string()));
        }
    }
    drop(list.accounts().map(Arc::<Account>::clone).collect::<Vec<_>>());
    drop(list.allows().map(Arc::<Allow>::clone).collect::<Vec<_>>());
}

/// Good bytes with some of them changed, and a piece of other good bytes in them, or cut off.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let good = Arc::new(good());
    let changes = vec((any::<Index>(), any::<u8>()), 0..4);
    let piece = (any::<Index>(), any::<Index>(), any::<Index>(), any::<bool>());
    (any::<Index>(), changes, piece, any::<Index>(), any::<bool>()).prop_map(
        move |(which, changes, (other, from, at, paste), end, cut)| {
            let mut bytes = which.get(&good).clone();
            if paste {
                let other = other.get(&good);
                let piece = &other[from.index(other.len())..];
                let at = at.index(bytes.len());
                bytes.splice(at..at, piece.iter().copied());
            }
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if cut {
                bytes.truncate(end.index(bytes.len() + 1));
            }
            bytes
        },
    )
}

proptest! {
    #[test]
    fn damaged_bytes_are_an_error_or_a_value(bytes in mangled()) {
        work_with(&bytes);
    }

    #[test]
    fn bytes_without_any_sense_are_an_error_or_a_value(
        content in 0..CONTENTS.len(),
        payload in vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = encoded(CONTENTS[content], &());
        bytes.extend(payload);
        work_with(&bytes);
    }
}

#[test]
fn the_good_bytes_are_good() {
    for bytes in good() {
        let understood = CONTENTS.iter().any(|content| {
            read::<Batch>(*content, &bytes).is_some()
                || read::<Record>(*content, &bytes).is_some()
                || read::<DiskMark>(*content, &bytes).is_some()
        });
        let sent =
            frame::decode::<Request>(&bytes, ROUTE).is_ok() || frame::decode::<Reply>(&bytes, ROUTE).is_ok();
        assert!(understood || sent, "{bytes:?}");
    }
}

#[test]
fn a_length_beyond_the_bytes_takes_no_memory() {
    // Eight bytes of length, as much as there can be; then nothing.
    let length = [0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    for content in CONTENTS {
        let mut bytes = encoded(content, &());
        bytes.extend(length);
        assert!(codec::decode::<String>(content, &bytes).is_err());
        assert!(codec::decode::<Vec<u8>>(content, &bytes).is_err());
        assert!(codec::decode::<Vec<Report>>(content, &bytes).is_err());
        assert!(codec::decode::<bytes::Bytes>(content, &bytes).is_err());
        assert!(codec::decode::<BTreeSet<Arc<str>>>(content, &bytes).is_err());
    }
}

#[tokio::test]
async fn a_stranger_cannot_make_a_node_wait_for_a_long_message() {
    let mut long = (frame::STRANGER_FRAME_BYTES_MAX as u32 + 1).to_be_bytes().to_vec();
    long.extend(vec![0; 64]);
    for bytes in [long, u32::MAX.to_be_bytes().to_vec(), vec![0, 0, 0, 0], vec![0, 0]] {
        assert!(frame::read_plain::<Identity>(&mut bytes.as_slice()).await.is_err());
    }
}
