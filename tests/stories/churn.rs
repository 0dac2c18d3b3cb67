//! Nodes come and go while everybody writes.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use stockade_tests::{Answer, Cli, Ledger, Load, Node, PASSWORD, TestCluster, wait_for};

const WITHIN: Duration = Duration::from_secs(20);
const FLAGS: [&str; 2] = ["--write-timeout", "5"];

fn load(cluster: &TestCluster, numbers: &[usize]) -> Load {
    let urls: Vec<String> = numbers.iter().map(|&number| cluster.nodes[number].url()).collect();
    Load::start_trying(2, &urls, "analyst", PASSWORD, 3)
}

#[track_caller]
fn is_judged(cluster: &mut TestCluster, ledger: &Ledger) {
    assert!(ledger.acknowledged() > 50, "there was load: {} writes", ledger.acknowledged());
    cluster.same_list_everywhere();
    for number in cluster.running() {
        ledger.judge(&cluster.analyst(number).get("/ip/all?fields=value,sighting").expect(200).json());
    }
}

#[track_caller]
fn applied(cluster: &TestCluster, number: usize) -> u64 {
    wait_for("the node says where it stands", WITHIN, || {
        cluster.nodes[number].status()?["applied_index"].as_u64()
    })
}

#[track_caller]
fn goes_on(cluster: &TestCluster, number: usize) {
    let before = applied(cluster, number);
    wait_for("the writers are at work", WITHIN, || (applied(cluster, number) > before + 20).then_some(()));
}

fn remove(node: &Node, id: u64) -> Answer {
    node.operator().delete(&format!("/admin/members/{id}"))
}

#[test]
fn a_node_joins_and_a_follower_and_the_leader_leave_under_load() {
    let mut cluster = TestCluster::start_with(3, &FLAGS);
    let (leader, followers) = (cluster.leader(), cluster.followers());
    // The writers keep to the one that stays, and to the one that joins at the end.
    let (leaves, stays) = (followers[0], followers[1]);
    let writers = load(&cluster, &[stays]);
    goes_on(&cluster, stays);

    let new = cluster.join(&FLAGS);
    cluster.nodes[new].wait_ready();
    wait_for("it votes", WITHIN, || (cluster.voters(stays)?.len() == 4).then_some(()));
    goes_on(&cluster, stays);

    let id = cluster.nodes[leaves].id();
    remove(&cluster.nodes[new], id).expect(200);
    cluster.nodes[leaves].kill();
    wait_for("the follower is out", WITHIN, || (cluster.voters(stays)?.len() == 3).then_some(()));
    goes_on(&cluster, stays);

    let id = cluster.nodes[leader].id();
    remove(&cluster.nodes[stays], id).expect(200);
    wait_for("the leader is out", WITHIN, || (cluster.voters(stays)?.len() == 2).then_some(()));
    cluster.nodes[leader].kill();
    goes_on(&cluster, stays);

    let ledger = writers.stop();
    is_judged(&mut cluster, &ledger);
}

#[test]
fn a_dead_node_is_replaced_under_load_and_no_healthy_one_can_be_removed_meanwhile() {
    let mut cluster = TestCluster::start_with(3, &FLAGS);
    let (leader, followers) = (cluster.leader(), cluster.followers());
    let (dead, healthy) = (followers[0], followers[1]);
    let (dead_id, healthy_id) = (cluster.nodes[dead].id(), cluster.nodes[healthy].id());
    let writers = load(&cluster, &[leader, healthy]);
    goes_on(&cluster, leader);
    cluster.nodes[dead].kill();

    // One healthy node and a dead one would be left: no majority.
    wait_for("the removal of a healthy node is refused", WITHIN, || {
        let answer = remove(&cluster.nodes[healthy], healthy_id);
        assert_ne!(answer.status / 100, 2, "the healthy node was removed: {answer:?}");
        (answer.status == 409 && answer.message().contains("majority")).then_some(())
    });
    goes_on(&cluster, leader);

    // The operator sees who is dead.
    let shown = cluster.nodes[healthy].operator().get("/admin/members").expect(200).json();
    for member in shown.as_array().unwrap() {
        assert_eq!(member["healthy"], json!(member["id"] != dead_id), "{shown}");
    }
    assert!(silent_ms(&shown, dead_id) > 2000, "{shown}");
    let table = Cli::of(&cluster.nodes[healthy], "analyst").run(&["members"]).expect(0).output;
    let silent: Vec<&str> = table.lines().filter(|line| line.contains(" silent for ")).collect();
    assert!(silent.len() == 1 && silent[0].trim_start().starts_with(&dead_id.to_string()), "{table}");
    assert_eq!(table.lines().filter(|line| line.contains(" healthy ")).count(), 2, "{table}");
    let metrics = cluster.nodes[leader].anonymous().get("/metrics").expect(200);
    assert!(metrics.text().contains("stockade_unreachable_voters 1\n"), "{}", metrics.text());

    remove(&cluster.nodes[healthy], dead_id).expect(200);
    let fresh = cluster.join(&FLAGS);
    cluster.nodes[fresh].wait_ready();
    cluster.wait_voters_under_load(healthy, 3);
    goes_on(&cluster, fresh);
    let ledger = writers.stop();
    is_judged(&mut cluster, &ledger);
    let shown = cluster.nodes[healthy].operator().get("/admin/members").expect(200).json();
    assert!(shown.as_array().unwrap().iter().all(|member| member["healthy"] == true), "{shown}");
}

fn silent_ms(members: &Value, id: u64) -> u64 {
    let mut members = members.as_array().unwrap().iter();
    members.find(|member| member["id"] == id).unwrap()["last_heard_ms"].as_u64().unwrap()
}

#[test]
fn two_admins_who_change_the_members_at_once_do_not_undo_each_other() {
    let mut cluster = TestCluster::start_with(3, &FLAGS);
    let learners: Vec<usize> = (0..2).map(|_| cluster.join(&["--learner", FLAGS[0], FLAGS[1]])).collect();
    for &learner in &learners {
        cluster.nodes[learner].wait_ready();
    }
    let ids: Vec<u64> = cluster.nodes.iter().map(Node::id).collect();
    let voters = cluster.voters(0).unwrap();
    let writers = load(&cluster, &[0, 1, 2]);
    goes_on(&cluster, 0);

    // Each adds a voter and takes one away, again and again, through a node of its own.
    let wishes = [(0, ids[learners[0]]), (1, ids[learners[1]])];
    let told: Vec<Vec<(bool, u16)>> = thread::scope(|scope| {
        let admins: Vec<_> = wishes
            .iter()
            .map(|&(through, id)| {
                let node = &cluster.nodes[through];
                scope.spawn(move || {
                    let promoted = node.operator().post(&format!("/admin/members/{id}/promote"), &json!({}));
                    let removed = remove(node, id);
                    for answer in [&promoted, &removed] {
                        assert!(answer.status == 200 || !answer.message().is_empty(), "{answer:?}");
                    }
                    vec![(true, promoted.status), (false, removed.status)]
                })
            })
            .collect();
        admins.into_iter().map(|admin| admin.join().unwrap()).collect()
    });

    // What was answered with 200 is in force.
    for ((_, id), answers) in wishes.iter().zip(&told) {
        assert_eq!(answers, &[(true, 200), (false, 200)], "node {id}");
    }
    cluster.wait_voters_under_load(0, 3);
    assert_eq!(cluster.voters(0).unwrap(), voters);

    // And the same with promotions alone: both stay voters.
    for &learner in &learners {
        cluster.nodes[learner].kill();
        cluster.nodes[learner].wipe();
        cluster.nodes[learner].start_ready();
    }
    let wishes: Vec<(usize, u64)> =
        learners.iter().map(|&learner| cluster.nodes[learner].id()).enumerate().collect();
    thread::scope(|scope| {
        for &(through, id) in &wishes {
            let node = &cluster.nodes[through];
            scope.spawn(move || {
                node.operator().post(&format!("/admin/members/{id}/promote"), &json!({})).expect(200);
            });
        }
    });
    cluster.wait_voters_under_load(0, 5);
    let ledger = writers.stop();
    is_judged(&mut cluster, &ledger);
}

#[test]
fn two_admins_cannot_take_away_the_majority_together() {
    let mut cluster = TestCluster::start_with(4, &FLAGS);
    let leader = cluster.leader();
    let [dead, one, two] = cluster.followers()[..] else { panic!("three follow") };
    let ids = [cluster.nodes[one].id(), cluster.nodes[two].id()];
    cluster.nodes[dead].kill();
    let writers = load(&cluster, &[leader]);
    goes_on(&cluster, leader);

    // Either may go; with both gone, one healthy node and the dead one would be left.
    let answers: Vec<Answer> = thread::scope(|scope| {
        let node = &cluster.nodes[leader];
        let admins = ids.map(|id| scope.spawn(move || remove(node, id)));
        admins.into_iter().map(|admin| admin.join().unwrap()).collect()
    });
    let removed = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().find(|answer| answer.status == 409);
    assert_eq!(removed, 1, "{answers:?}");
    assert!(refused.is_some_and(|answer| answer.message().contains("majority")), "{answers:?}");
    goes_on(&cluster, leader);
    cluster.wait_voters_under_load(leader, 3);
    assert_eq!(writers.stop().failed, Vec::<String>::new());
}
