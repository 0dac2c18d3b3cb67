//! Three nodes, over real sockets and disks, without HTTP.

use raft::blocklist::{Kind, Observable};
use raft::{Cluster, Freshness, MemberRole};

use crate::support::{add, settings, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_on_a_follower_is_read_on_every_node_and_survives_a_change_of_leader() {
    let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let (first, listener) = settings(dirs[0].path()).await;
    Cluster::found(&first).unwrap();
    let mut nodes = vec![Cluster::start(first, listener).await.unwrap()];
    for dir in &dirs[1..] {
        let (settings, listener) = settings(dir.path()).await;
        let ticket =
            nodes[0].add_member([nodes.len() as u8; 16], settings.address.clone(), false).await.unwrap();
        Cluster::accept(&settings, &ticket).unwrap();
        nodes.push(Cluster::start(settings, listener).await.unwrap());
    }
    let voters = |node: &Cluster| {
        node.status().members.iter().filter(|member| member.role == MemberRole::Voter).count()
    };
    until("three voters", || nodes.iter().all(|node| voters(node) == 3)).await;

    let written = nodes[2].propose(add("192.0.2.1")).await.unwrap();
    let fresh = Freshness { min_index: Some(written.index), ..Freshness::default() };
    for node in &nodes {
        let picture = node.read(&fresh).await.unwrap();
        assert_eq!(picture.list.count(Kind::Ip), 1);
    }

    let leader = nodes[0].transfer_leader(None).await.unwrap();
    assert_ne!(leader, 1);
    for node in &nodes {
        node.propose(add("192.0.2.1")).await.unwrap();
    }
    let linearizable = Freshness { linearizable: true, ..Freshness::default() };
    for node in &nodes {
        let picture = node.read(&linearizable).await.unwrap();
        let value = Observable::parse(Kind::Ip, "192.0.2.1").unwrap();
        assert_eq!(picture.list.get(&value).unwrap().sighting, 3);
    }
    for node in &nodes {
        node.shutdown().await.unwrap();
    }
}
