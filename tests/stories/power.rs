//! The power goes. `kill -9` keeps what the kernel has in memory; here a node goes on with what was on its disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use stockade_tests::{Ledger, Load, Node, PASSWORD, TestCluster, wait_for};

/// Room for the log, the list and a snapshot of a few thousand entries, and for the reserve.
const VOLUME_MIB: u64 = 96;
const RESERVE: [&str; 2] = ["--disk-reserve-mib", "16"];

fn cluster_on_volumes(flags: &[&str]) -> (TestCluster, Load) {
    let flags = [&RESERVE, flags].concat();
    let cluster = TestCluster::start_after(3, &flags, |node| node.give_volume(VOLUME_MIB));
    let urls: Vec<String> = cluster.nodes.iter().map(Node::url).collect();
    let load = Load::start(&urls, "analyst", PASSWORD, 4);
    (cluster, load)
}

/// Waits until this many more log entries are applied on a node.
#[track_caller]
fn wait_written(node: &Node, entries: u64) {
    let applied = || node.status()?["applied_index"].as_u64();
    let before = wait_for("the node says where it stands", Duration::from_secs(10), applied);
    wait_for("the writers are at work", Duration::from_secs(15), || {
        (applied()? > before + entries).then_some(())
    });
}

#[track_caller]
fn judge(cluster: &mut TestCluster, ledger: &Ledger) {
    assert!(ledger.acknowledged() > 100, "there was load: {} writes", ledger.acknowledged());
    cluster.same_list_everywhere();
    for number in 0..3 {
        ledger.judge(&cluster.analyst(number).get("/ip/all?fields=value,sighting").expect(200).json());
    }
}

#[test]
fn a_node_that_loses_its_power_has_everything_it_acknowledged() {
    let (mut cluster, load) = cluster_on_volumes(&[]);
    let leader = cluster.leader();
    for victim in [(leader + 1) % 3, leader] {
        wait_written(&cluster.nodes[victim], 60);
        let node = &mut cluster.nodes[victim];
        node.freeze();
        node.copy_volume();
        node.kill();
        node.use_volume_copy();
        node.start_ready();
    }
    let ledger = load.stop();
    judge(&mut cluster, &ledger);
}

#[test]
fn a_power_cut_for_all_loses_no_acknowledged_write() {
    power_cut_for_all(&[]);
}

#[test]
fn a_power_cut_for_all_while_snapshots_are_made_and_the_log_is_purged_loses_nothing() {
    power_cut_for_all(&["--snapshot-after", "40", "--log-keep", "5"]);
}

/// The checks must be able to fail: with a disk that says that it has what it has not, they do.
#[test]
fn a_power_cut_on_a_disk_that_lies_is_found_out() {
    let (mut cluster, load) = cluster_on_volumes(&[]);
    for number in 0..3 {
        cluster.nodes[number].kill();
        cluster.nodes[number].start_tampered("fdatasync:retval=0");
        cluster.nodes[number].wait_ready();
    }
    wait_written(&cluster.nodes[0], 150);
    cut_power(&mut cluster);
    let ledger = load.stop();
    for node in &mut cluster.nodes {
        node.use_volume_copy();
        node.start();
    }
    // A node that ends because its log is not what it was has noticed as well.
    let judged = catch_unwind(AssertUnwindSafe(|| {
        for node in &mut cluster.nodes {
            node.wait_ready();
        }
        judge(&mut cluster, &ledger);
    }));
    assert!(judged.is_err(), "acknowledged writes are lost, and nobody noticed");
}

#[track_caller]
fn cut_power(cluster: &mut TestCluster) {
    for node in &cluster.nodes {
        node.freeze();
    }
    for node in &mut cluster.nodes {
        node.copy_volume();
        node.kill();
    }
}

#[track_caller]
fn power_cut_for_all(flags: &[&str]) {
    let (mut cluster, load) = cluster_on_volumes(flags);
    wait_written(&cluster.nodes[0], 150);
    cut_power(&mut cluster);
    let ledger = load.stop();
    for node in &mut cluster.nodes {
        node.use_volume_copy();
        node.start();
    }
    for node in &mut cluster.nodes {
        node.wait_ready();
    }
    judge(&mut cluster, &ledger);
}
