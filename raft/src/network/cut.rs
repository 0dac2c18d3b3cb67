//! Snapshots over lines that break: a peer that has a part of one is sent the rest, by whoever has the same.

use std::fs;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use openraft::storage::Snapshot;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::codec::Framed;

use crate::blocklist::{Actor, Batch, Command, Kind, List, Observable, Operation, Origin, Report};
use crate::blocklist::{Role, Timestamp};
use crate::cluster::{Address, Identity};
use crate::form;
use crate::network::client::{PeerClient, Peers};
use crate::network::frame::{self, Frame};
use crate::network::message::Announced;
use crate::network::{Callers, Denied, Handler, PeerServer, Places, Reply, Request, Told, handshake};
use crate::store::{SnapshotFile, SnapshotHeader, Snapshots, StateDigest, encode_record};

const CLUSTER: [u8; 16] = [7; 16];
const SECRET: [u8; 32] = [1; 32];
const WITHIN: Duration = Duration::from_secs(20);
const VOTE: form::Vote = form::Vote { term: 1, node: 1, committed: true };
/// With their comments, some parts of a snapshot.
const ENTRIES: u32 = 6_000;
const COMMENT_BYTES: usize = 500;

/// A node that takes snapshots and does nothing else.
struct Taker {
    snapshots: Snapshots,
    arrived: AtomicU64,
    installed: AtomicU64,
}

impl Handler for Taker {
    fn handle(self: Arc<Self>, _from: u64, request: Request) -> Pin<Box<dyn Future<Output = Reply> + Send>> {
        panic!("{request:?}")
    }

    fn snapshot_path(&self) -> io::Result<PathBuf> {
        Ok(self.snapshots.partial())
    }

    fn room_for_snapshot(&self, bytes: u64) -> io::Result<()> {
        self.arrived.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn install(
        self: Arc<Self>,
        vote: form::Vote,
        header: SnapshotHeader,
        snapshot: SnapshotFile,
    ) -> Pin<Box<dyn Future<Output = Reply> + Send>> {
        Box::pin(async move {
            match snapshot.load() {
                Ok(loaded) if loaded.0 == header => {
                    self.installed.fetch_add(1, Ordering::Relaxed);
                    Reply::Installed(vote)
                }
                other => Reply::Denied(Denied::Unavailable(format!("{:?}", other.map(drop)))),
            }
        })
    }
}

/// The node that takes, the directory of it and of the snapshot that is sent, and where it listens.
struct Ends {
    taker: Arc<Taker>,
    snapshot: SnapshotFile,
    dir: TempDir,
    address: SocketAddr,
    _server: PeerServer,
}

impl Ends {
    async fn meet() -> Ends {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = sent(&dir);
        let there = Snapshots::open(&dir.path().join("there")).unwrap();
        let taker = Taker { snapshots: there, arrived: AtomicU64::new(0), installed: AtomicU64::new(0) };
        let taker = Arc::new(taker);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (peer_secret, peers) = (SECRET, Vec::new());
        let identity = Identity { cluster_id: CLUSTER, node_id: 2, peer_secret, learner: false, peers };
        let _server = PeerServer::start(listener, identity, taker.clone());
        Ends { taker, snapshot, dir, address, _server }
    }

    fn announced(&self) -> Announced {
        let header = self.snapshot.header().unwrap();
        Announced { header, bytes: self.snapshot.len().unwrap(), checksum: self.snapshot.checksum().unwrap() }
    }

    /// One node sends a part of the snapshot, or of something else that it calls the same, and its line breaks.
    async fn send_a_part(&self, from: u64, part: Bytes) {
        let mut client = client(from, self.address);
        let there = client.call(Request::SnapshotGoesOn(self.announced()), WITHIN).await.unwrap();
        assert!(matches!(there, Reply::Arrived(0)), "{there:?}");
        let done = client.call(Request::SnapshotBytes(part), WITHIN).await.unwrap();
        assert!(matches!(done, Reply::Done), "{done:?}");
    }

    /// Files with what has arrived.
    fn partials(&self) -> usize {
        fs::read_dir(self.dir.path().join("there")).unwrap().count()
    }
}

fn client(from: u64, to: SocketAddr) -> PeerClient {
    let peers = Peers {
        cluster_id: CLUSTER,
        node_id: from,
        secret: SECRET,
        places: Places::default(),
        silent: Arc::default(),
        callers: Callers::default(),
        told: Told::default(),
    };
    peers.client(2, &Address { peers: to.to_string(), http: String::new() })
}

async fn send(from: u64, to: SocketAddr, snapshot: &SnapshotFile) -> io::Result<Reply> {
    let meta = snapshot.header().unwrap().meta();
    let snapshot = Snapshot { meta, snapshot: snapshot.clone() };
    client(from, to).send_snapshot(VOTE.into(), snapshot, WITHIN).await
}

/// A snapshot of some parts.
fn sent(dir: &TempDir) -> SnapshotFile {
    let report = |number: u32| Report {
        value: Observable::parse(Kind::Ip, &format!("45.0.{}.{}", number / 256, number % 256)).unwrap(),
        comment: format!("{number:COMMENT_BYTES$}").into(),
        source: "web01".into(),
        ttl: None,
        tags: [].into(),
        seen: None,
    };
    let actor = Actor { account: "anna".into(), role: Role::Analyst, address: "".into() };
    let operation = Operation::Add((0..ENTRIES).map(report).collect());
    let commands = vec![Command::new(Timestamp(1_000), actor, operation)];
    let mut list = List::default();
    list.apply(1, &Batch { origin: Origin { node: 1, incarnation: 1 }, first_sequence: 1, commands });
    let mut digest = StateDigest::default();
    list.records().for_each(|record| digest.put(&encode_record(&record).unwrap()));
    let last_log_id = Some(form::LogId { term: 1, node: 1, index: 1 });
    let header = SnapshotHeader { last_log_id, membership: form::StoredMembership::default(), digest };
    let snapshots = Snapshots::open(&dir.path().join("here")).unwrap();
    snapshots.write(&header, &list).unwrap()
}

#[tokio::test]
async fn what_has_arrived_is_not_sent_again_whoever_sends_the_rest() {
    let ends = Ends::meet().await;
    let (all, half) = (ends.snapshot.len().unwrap(), ends.snapshot.len().unwrap() / 2);
    let part = ends.snapshot.read_at(0, half as usize).unwrap();
    ends.send_a_part(3, part.into()).await;
    let reply = send(1, ends.address, &ends.snapshot).await.unwrap();
    assert!(matches!(reply, Reply::Installed(vote) if vote == VOTE), "{reply:?}");
    assert_eq!(ends.taker.installed.load(Ordering::Relaxed), 1);
    assert_eq!(ends.taker.arrived.load(Ordering::Relaxed), all, "every byte came once");
    assert_eq!(ends.partials(), 0);
}

#[tokio::test]
async fn a_part_that_is_damaged_is_thrown_away_with_all_the_rest() {
    let ends = Ends::meet().await;
    let half = ends.snapshot.len().unwrap() as usize / 2;
    let mut part = ends.snapshot.read_at(0, half).unwrap();
    part[half / 2] ^= 1;
    ends.send_a_part(1, part.into()).await;
    let reply = send(1, ends.address, &ends.snapshot).await.unwrap();
    assert!(matches!(reply, Reply::Denied(_)), "{reply:?}");
    assert_eq!(ends.partials(), 0);
    let reply = send(1, ends.address, &ends.snapshot).await.unwrap();
    assert!(matches!(reply, Reply::Installed(_)), "{reply:?}");
}

#[tokio::test]
async fn an_earlier_build_that_hangs_up_is_sent_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = sent(&dir);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let earlier = tokio::spawn(earlier_build(listener));
    let reply = send(1, address, &snapshot).await.unwrap();
    assert!(matches!(reply, Reply::Installed(_)), "{reply:?}");
    let taken = earlier.await.unwrap();
    assert!(taken == fs::read(snapshot.path()).unwrap(), "it got {} other bytes", taken.len());
}

#[tokio::test]
async fn an_earlier_build_is_taken_a_snapshot_from() {
    let ends = Ends::meet().await;
    let mut client = client(1, ends.address);
    let begun = client.call(Request::SnapshotBegin, WITHIN).await.unwrap();
    assert!(matches!(begun, Reply::Done), "{begun:?}");
    let bytes = fs::read(ends.snapshot.path()).unwrap();
    let taken = client.call(Request::SnapshotBytes(bytes.into()), WITHIN).await.unwrap();
    assert!(matches!(taken, Reply::Done), "{taken:?}");
    let end = Request::SnapshotEnd { vote: VOTE, header: ends.snapshot.header().unwrap() };
    let reply = client.call(end, WITHIN).await.unwrap();
    assert!(matches!(reply, Reply::Installed(_)), "{reply:?}");
}

/// What a node does that knows nothing of a snapshot that goes on; the bytes it was sent.
async fn earlier_build(listener: TcpListener) -> Vec<u8> {
    let mut taken = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let route = handshake::answer(&mut stream, CLUSTER, 2, &SECRET).await.unwrap();
        let mut frames = Framed::new(stream, frame::frames());
        while let Some(Ok(bytes)) = frames.next().await {
            let Frame { number, message, .. } = frame::decode::<Request>(&bytes, route).unwrap();
            let (reply, is_last) = match message {
                // Bytes that it cannot read.
                Request::SnapshotGoesOn(_) => break,
                Request::SnapshotBegin => (Reply::Done, false),
                Request::SnapshotBytes(bytes) => {
                    taken.extend_from_slice(&bytes);
                    (Reply::Done, false)
                }
                Request::SnapshotEnd { vote, .. } => (Reply::Installed(vote), true),
                other => panic!("{other:?}"),
            };
            let reply = frame::encode(&Frame { route: route.back(), number, message: reply }).unwrap();
            SinkExt::<Bytes>::send(&mut frames, reply).await.unwrap();
            if is_last {
                return taken;
            }
        }
    }
}
