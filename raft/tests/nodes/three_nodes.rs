//! Three nodes, over real sockets and disks, without HTTP.

use raft::blocklist::{Kind, Observable};
use raft::{Address, Cluster, Freshness, MemberRole};
use tempfile::TempDir;

use crate::support::{add, settings, until};

fn directories() -> Vec<TempDir> {
    (0..3).map(|_| tempfile::tempdir().unwrap()).collect()
}

/// Three voters.
async fn three(dirs: &[TempDir]) -> Vec<Cluster> {
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
    nodes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_on_a_follower_is_read_on_every_node_and_survives_a_change_of_leader() {
    let dirs = directories();
    let nodes = three(&dirs).await;
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

/// Many admins on all nodes at once: whatever was answered is in force.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_the_members_do_not_undo_each_other() {
    const ADMINS: u8 = 12;
    let dirs = directories();
    let nodes = three(&dirs).await;
    let learners = |node: &Cluster| {
        let members = node.status().members.into_iter();
        let mut ids: Vec<u64> =
            members.filter(|member| member.role == MemberRole::Learner).map(|member| member.id).collect();
        ids.sort();
        ids
    };
    // Learners that are nowhere: they cost nobody anything.
    let taken_in = (0..ADMINS).map(|admin| {
        let node = nodes[usize::from(admin) % 3].clone();
        let address = Address { peers: format!("127.0.0.1:{}", 1 + admin), http: "http://x".into() };
        tokio::spawn(async move { node.add_member([100 + admin; 16], address, true).await.unwrap().node_id })
    });
    let mut ids = Vec::new();
    for admin in taken_in.collect::<Vec<_>>() {
        ids.push(admin.await.unwrap());
    }
    ids.sort();
    until("every learner is in on every node", || nodes.iter().all(|node| learners(node) == ids)).await;

    // Half of them leave, while leadership changes hands.
    let leave = ids.iter().step_by(2).zip(0..).map(|(id, admin): (_, usize)| {
        let (node, id) = (nodes[admin % 3].clone(), *id);
        tokio::spawn(async move { node.remove_member(id).await })
    });
    let leave: Vec<_> = leave.collect();
    nodes[0].transfer_leader(None).await.unwrap();
    for admin in leave {
        admin.await.unwrap().unwrap();
    }
    let left: Vec<u64> = ids.iter().skip(1).step_by(2).copied().collect();
    until("those are out on every node", || nodes.iter().all(|node| learners(node) == left)).await;
    for node in &nodes {
        node.shutdown().await.unwrap();
    }
}
