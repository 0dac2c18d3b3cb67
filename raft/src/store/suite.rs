//! openraft's own storage suite, on our log, list and snapshots.

use std::sync::Arc;
use std::time::Duration;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::type_config::TypeConfigExt;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::blocklist::Origin;
use crate::outbox::{Limits, Outbox};
use crate::space::Space;
use crate::store::{Applier, Disk, Head, LogStore, PendingFile, Snapshots, StateMachine};
use crate::types::TypeConfig;

struct Stores;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for Stores {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let log = LogStore::open(&dir.path().join("log")).unwrap();
        let snapshots = Snapshots::open(&dir.path().join("snapshots")).unwrap();
        let (failed, _) = oneshot::channel();
        let (disk, mark, list, _) = Disk::open(&dir.path().join("list"), 1 << 20, failed).unwrap();
        let (file, kept) = PendingFile::open(dir.path()).unwrap();
        let limits = Limits {
            bytes_max: 1 << 20,
            age_max: Duration::from_secs(60),
            accept_after: Duration::from_secs(1),
        };
        let outbox = Outbox::new(Origin { node: 1, incarnation: 1 }, limits, file, kept);
        let applier = Applier {
            head: Arc::new(Head::new(list, mark)),
            passed: Default::default(),
            outbox: Arc::new(outbox),
        };
        let space = Arc::new(Space::open(dir.path(), 0).unwrap());
        Ok((dir, log, StateMachine::new(applier, disk, snapshots, space)))
    }
}

#[test]
fn our_stores_pass_the_suite_of_openraft() {
    TypeConfig::run(async { Suite::test_all(Stores).await }).unwrap();
}
