//! Backups: the whole list at one index in one file, and a new cluster from it. The file is a snapshot without the
//! secret of the cluster. What waits on a node for a majority is not in it.
//!
//! A new cluster has another id and another secret, so that nodes of the old one, should they come back, are strangers
//! to it. Its only node has an id that the old cluster never gave out, and with it an outbox that nobody has numbered:
//! what the list counted before, it skips still. Its index begins far behind that of the backup, so that no index that
//! the old cluster reached after the backup means something else now.

use std::fs::File;
use std::io;
use std::path::Path;

use openraft::storage::RaftLogStorage;
use tokio::sync::OwnedSemaphorePermit;

use crate::blocklist::{List, Record};
use crate::cluster::Identity;
use crate::codec::{self, Content};
use crate::error::Error;
use crate::form;
use crate::node::Node;
use crate::store::{
    self, LogStore, SnapshotFile, SnapshotHeader, Snapshots, StateDigest, Unopened, encode_record,
};
use crate::types::{LogId, Vote};
use crate::{upkeep, version};

/// How far behind a backup the index goes on. The low 32 bits of an index are the serial of zones in DNS, which may
/// grow by less than half their range at once (RFC 1982).
const INDEX_GAP: u64 = 1 << 30;
/// The most bytes read at once.
const PART_BYTES: usize = 1 << 18;

/// A backup that this node has made. It takes room on the disk until it is dropped, and has no name there any more.
pub struct Backup {
    file: SnapshotFile,
    /// The index of the list in it.
    pub index: u64,
    /// Bytes of the whole file.
    pub len: u64,
    /// The next one is made when this one is gone.
    _turn: OwnedSemaphorePermit,
}

impl Backup {
    /// The bytes from an offset on, some of them at least; empty at the end. Blocks.
    pub fn read_at(&self, offset: u64) -> io::Result<Vec<u8>> {
        self.file.read_at(offset, PART_BYTES)
    }
}

/// Writes the list as it is on this node now; writes go on meanwhile.
pub(crate) async fn make(node: &Node) -> Result<Backup, Error> {
    let turn = node.backups.clone().try_acquire_owned().map_err(|_| Error::Unavailable {
        message: "another backup is being taken from this node".into(),
        retry_after: std::time::Duration::from_secs(5),
    })?;
    node.room_for_backup()?;
    let (picture, term, id) = (node.picture(), node.metrics().current_term, node.id());
    let snapshots = node.snapshots.clone();
    let written = tokio::task::spawn_blocking(move || {
        let list = picture.list.without_secret();
        let mut digest = StateDigest::default();
        for record in list.records() {
            digest.put(&encode_record(&record)?);
        }
        let last_log_id = Some(form::LogId { term, node: id, index: picture.index });
        let header = SnapshotHeader { last_log_id, membership: form::StoredMembership::default(), digest };
        let file = snapshots.write_nameless(&header, &list)?;
        Ok::<_, io::Error>(Backup { len: file.len()?, file, index: picture.index, _turn: turn })
    });
    let failed = |error: &dyn std::fmt::Display| Error::Unavailable {
        message: format!("the backup cannot be written: {error}"),
        retry_after: std::time::Duration::from_secs(60),
    };
    match written.await {
        Ok(written) => written.map_err(|error| failed(&error)),
        Err(error) => Err(failed(&error)),
    }
}

/// A backup in a file, read through and found whole.
pub struct CheckedBackup {
    list: List,
    last: form::LogId,
}

/// What a restored data directory holds.
#[derive(Clone, Copy, Debug)]
pub struct Restored {
    /// The id of the new cluster's only node.
    pub node_id: u64,
    /// The index it goes on at.
    pub index: u64,
}

impl CheckedBackup {
    /// Reads a backup. The errors are sentences for whoever has to do without it.
    pub fn open(path: &Path) -> Result<CheckedBackup, Error> {
        let named = |why: String| Error::Refused(format!("{}: {why}", path.display()));
        let file = SnapshotFile::open(path.into()).map_err(|error| named(error.to_string()))?;
        if file.header().is_err_and(|error| matches!(Unopened::from(error), Unopened::Damaged(_))) {
            return Err(named("this is no backup of Stockade, or its beginning is damaged".into()));
        }
        let mut known = 0;
        let checked = file.walk(|stored| {
            // A record of a newer version may be of a kind that is not known here.
            if let Ok(Record::Cluster(cluster)) = codec::decode(Content::Record, stored) {
                known = cluster.version;
            }
            Ok(())
        });
        checked.map_err(|error| {
            named(match Unopened::from(error) {
                Unopened::Damaged(why) => format!("the backup is damaged or cut short ({why})"),
                Unopened::Refused(error) => error.to_string(),
            })
        })?;
        version::check_version(known).map_err(&named)?;
        let newer = |error: io::Error| {
            named(format!(
                "the backup is whole, and of a newer version of Stockade: upgrade this program ({error})"
            ))
        };
        let (header, list) = file.load().map_err(newer)?;
        match header.last_log_id {
            Some(last) if list.cluster().last_node_id > 0 => Ok(CheckedBackup { list, last }),
            _ => Err(named("the backup is of a node that belonged to no cluster yet".into())),
        }
    }

    /// How many entries are in it, of all kinds.
    pub fn entries(&self) -> usize {
        crate::blocklist::Kind::ALL.into_iter().map(|kind| self.list.count(kind)).sum()
    }

    /// Its index.
    pub fn index(&self) -> u64 {
        self.last.index
    }

    /// Makes the first node of a new cluster in an empty data directory. Until all of it is there, the directory holds
    /// no node, and none starts in it.
    pub async fn restore(mut self, data: &Path) -> Result<Restored, Error> {
        let failed =
            |error: io::Error| Error::Stopped(format!("cannot restore into {}: {error}", data.display()));
        let index = self.last.index.saturating_add(INDEX_GAP);
        let identity = self.refound(index)?;
        let node_id = identity.node_id;
        store::begin_restoring(data).map_err(failed)?;

        // Whoever led the old cluster may have been elected again after the backup: this node begins one term later.
        let term = self.last.term.saturating_add(1);
        let last = form::LogId { term, node: node_id, index };
        let mut log = LogStore::open(&data.join("log")).map_err(|unopened| match unopened {
            Unopened::Damaged(why) => failed(io::Error::other(why)),
            Unopened::Refused(error) => failed(error),
        })?;
        log.save_vote(&Vote::new(term, node_id)).await.map_err(failed)?;
        log.purge(LogId::from(last)).await.map_err(failed)?;
        drop(log);

        let mut digest = StateDigest::default();
        for record in self.list.records() {
            digest.put(&encode_record(&record).map_err(failed)?);
        }
        let membership = form::StoredMembership::of_one(last, node_id);
        let header = SnapshotHeader { last_log_id: Some(last), membership, digest };
        let snapshots = Snapshots::open(&data.join("snapshots")).map_err(|unopened| match unopened {
            Unopened::Damaged(why) => failed(io::Error::other(why)),
            Unopened::Refused(error) => failed(error),
        })?;
        snapshots.write(&header, &self.list).map_err(failed)?;
        for dir in ["log", "snapshots"] {
            File::open(data.join(dir)).and_then(|dir| dir.sync_all()).map_err(failed)?;
        }
        store::finish_restoring(data, &identity).map_err(failed)?;
        Ok(Restored { node_id, index })
    }

    /// Gives the list a cluster of its own, and says who its first node is.
    fn refound(&mut self, index: u64) -> Result<Identity, Error> {
        let (mut cluster_id, mut peer_secret) = ([0; 16], [0; 32]);
        for bytes in [&mut cluster_id[..], &mut peer_secret[..]] {
            getrandom::fill(bytes).map_err(|error| Error::Stopped(format!("no random numbers: {error}")))?;
        }
        self.list.refound(cluster_id, peer_secret, index, upkeep::now());
        let node_id = self.list.cluster().last_node_id;
        Ok(Identity { cluster_id, node_id, peer_secret, learner: false, peers: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocklist::tests::batch;
    use crate::blocklist::{Actor, Batch, Command, Operation, Origin, Outcome, Role, Timestamp, VERSION};

    fn command(operation: Operation) -> Command {
        let actor = Actor { account: "".into(), role: Role::Admin, address: "".into() };
        Command::new(Timestamp(1000), actor, operation)
    }

    /// A founded list with a second node, after one more operation.
    fn list(last: Operation) -> List {
        let mut list = List::default();
        let commands = [
            Operation::Found { cluster_id: [1; 16], peer_secret: [2; 32] },
            Operation::AllocateNode { join_key: [3; 16] },
            last,
        ];
        for (index, operation) in (1..).zip(commands) {
            list.apply(index, &batch(index, vec![command(operation)]));
        }
        list
    }

    fn written(list: &List) -> (tempfile::TempDir, std::path::PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let mut digest = StateDigest::default();
        list.records().for_each(|record| digest.put(&encode_record(&record).unwrap()));
        let last_log_id = Some(form::LogId { term: 5, node: 2, index: 3 });
        let header = SnapshotHeader { last_log_id, membership: form::StoredMembership::default(), digest };
        let path = Snapshots::open(home.path()).unwrap().write(&header, list).unwrap().path().to_path_buf();
        (home, path)
    }

    #[test]
    fn a_backup_of_a_newer_version_is_refused_with_the_way_out() {
        let (_home, path) = written(&list(Operation::RaiseVersion(VERSION + 1)));
        let error = CheckedBackup::open(&path).err().expect("it is newer").to_string();
        assert!(error.contains("newer version: upgrade this node"), "{error}");
        let (_home, path) = written(&list(Operation::RaiseVersion(VERSION)));
        assert!(CheckedBackup::open(&path).is_ok());
        let (_home, path) = written(&List::default());
        let error = CheckedBackup::open(&path).err().expect("there is no cluster").to_string();
        assert!(error.contains("belonged to no cluster"), "{error}");
    }

    #[test]
    fn a_backup_holds_no_secret_of_the_cluster() {
        let list = list(Operation::Expire);
        assert_eq!(list.cluster().peer_secret, [2; 32]);
        let shown = list.without_secret();
        assert_eq!(shown.cluster().peer_secret, [0; 32]);
        assert_eq!(list.cluster().peer_secret, [2; 32], "the node keeps it");
    }

    #[test]
    fn a_new_cluster_gives_out_no_id_again_and_counts_nothing_twice() {
        let mut list = list(Operation::Expire);
        let index = 3 + INDEX_GAP;
        list.refound([7; 16], [8; 32], index, Timestamp(2000));
        assert_eq!(list.cluster().last_node_id, 3);
        assert_eq!(list.cluster().cluster_id, [7; 16]);
        // A batch of the old cluster is known still.
        let again = list.apply(index + 1, &batch(3, vec![command(Operation::Expire)]));
        assert_eq!(again.outcomes, [None]);
        // The new node's outbox begins.
        let origin = Origin { node: 3, incarnation: 1 };
        let commands = vec![command(Operation::AllocateNode { join_key: [3; 16] })];
        let applied = list.apply(index + 2, &Batch { origin, first_sequence: 1, commands });
        assert_eq!(applied.outcomes, [Some(Outcome::Node(4))], "the old join key is not known any more");
    }

    #[tokio::test]
    async fn a_restored_directory_holds_a_node_that_leads_at_once() {
        let (_home, path) = written(&list(Operation::Expire));
        let data = tempfile::tempdir().unwrap();
        let restored = CheckedBackup::open(&path).unwrap().restore(data.path()).await.unwrap();
        assert_eq!((restored.node_id, restored.index), (3, 3 + INDEX_GAP));
        for incarnation in 1..=2 {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let peers = listener.local_addr().unwrap().to_string();
            let address = crate::Address { peers, http: "http://127.0.0.1:1".into() };
            let settings = crate::Settings::of_a_test(data.path(), address);
            let cluster = crate::Cluster::start(settings, listener).await.unwrap();
            let written = cluster.propose(command(Operation::Expire)).await.unwrap();
            assert!(written.index > restored.index);
            let list = &cluster.picture().list;
            assert_eq!(list.origin(3).map(|mark| mark.incarnation), Some(incarnation));
            assert_eq!(list.cluster().last_node_id, 3, "it is not founded again");
            cluster.shutdown().await.unwrap();
        }
    }
}
