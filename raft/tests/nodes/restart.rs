//! What a node does with the disk it finds when it starts.

use std::fs;
use std::path::Path;

use raft::blocklist::Kind;
use raft::{Cluster, Error};

use crate::support::{add, settings};

/// Starts the node of a directory, reports these values and stops it again; tells how many are listed then.
async fn run(data: &Path, values: &[&str]) -> Result<usize, Error> {
    let (settings, listener) = settings(data).await;
    if Cluster::identity(data)?.is_none() {
        Cluster::found(&settings)?;
    }
    let node = Cluster::start(settings, listener).await?;
    for value in values {
        node.propose(add(value)).await?;
    }
    let count = node.picture().list.count(Kind::Ip);
    node.shutdown().await?;
    Ok(count)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let path = item.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// Puts something into sled that is no record of ours.
fn damage(list: &Path) {
    let db = sled::Config::new().path(list).open().unwrap();
    db.insert(b"\x05\x00bad", b"not a record").unwrap();
    db.flush().unwrap();
}

#[tokio::test]
async fn a_restart_keeps_the_list() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &["192.0.2.1", "192.0.2.2"]).await.unwrap(), 2);
    assert_eq!(run(dir.path(), &["192.0.2.3"]).await.unwrap(), 3);
}

#[tokio::test]
async fn a_lost_or_damaged_list_is_rebuilt_from_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("list");
    run(dir.path(), &["192.0.2.1", "192.0.2.2"]).await.unwrap();
    fs::remove_dir_all(&list).unwrap();
    assert_eq!(run(dir.path(), &["192.0.2.3"]).await.unwrap(), 3, "after its directory was lost");
    damage(&list);
    assert_eq!(run(dir.path(), &["192.0.2.4"]).await.unwrap(), 4, "after its directory was damaged");
    assert!(dir.path().join("list.aside.1").exists(), "what was damaged is kept");
}

/// A node applies what the others have committed before it is on its own disk; a kill then leaves a list that
/// is ahead of the log.
#[tokio::test]
async fn a_list_ahead_of_the_log_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (log, old) = (dir.path().join("log"), dir.path().join("old-log"));
    run(dir.path(), &["192.0.2.1"]).await.unwrap();
    copy(&log, &old);
    run(dir.path(), &["192.0.2.2", "192.0.2.3"]).await.unwrap();
    fs::remove_dir_all(&log).unwrap();
    copy(&old, &log);
    assert_eq!(run(dir.path(), &["192.0.2.4"]).await.unwrap(), 4);
    assert_eq!(run(dir.path(), &[]).await.unwrap(), 4);
}

#[tokio::test]
async fn a_node_without_its_log_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    run(dir.path(), &["192.0.2.1"]).await.unwrap();
    fs::remove_dir_all(&log).unwrap();
    let gone = run(dir.path(), &[]).await.unwrap_err().to_string();
    assert!(gone.contains("remove the data directory and let the node join again"), "{gone}");
    fs::create_dir_all(&log).unwrap();
    let gone = run(dir.path(), &[]).await.unwrap_err().to_string();
    assert!(gone.contains("remove the data directory and let the node join again"), "{gone}");
    // A log that holds something, and nothing of this node.
    fs::write(log.join("note"), "").unwrap();
    let empty = run(dir.path(), &[]).await.unwrap_err().to_string();
    assert!(empty.contains("the log is empty and the list is not"), "{empty}");
}

#[tokio::test]
async fn a_part_of_a_data_directory_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["192.0.2.1"]).await.unwrap();
    for parts in
        [&["identity"][..], &["identity", "incarnation"], &["identity", "log"], &["identity", "snapshots"]]
    {
        let other = tempfile::tempdir().unwrap();
        for part in parts {
            let (from, to) = (dir.path().join(part), other.path().join(part));
            match from.is_dir() {
                true => copy(&from, &to),
                false => fs::copy(from, to).map(drop).unwrap(),
            }
        }
        let refused = run(other.path(), &[]).await.unwrap_err().to_string();
        assert!(refused.contains("data directory and let the node join again"), "{parts:?}: {refused}");
    }
    assert_eq!(run(dir.path(), &[]).await.unwrap(), 1);
}
