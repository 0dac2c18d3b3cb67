//! A spare learner takes the place of a voter that is dead for long, where an admin has decided so.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stockade_tests::{Load, PASSWORD, TestCluster, wait_for};

const WITHIN: Duration = Duration::from_secs(20);
const AFTER: u64 = 5;

#[test]
fn a_spare_learner_takes_the_place_of_a_dead_voter() {
    let mut cluster = TestCluster::start(3);
    let spare = cluster.join(&["--learner"]);
    cluster.nodes[spare].wait_ready();
    let spare_id = cluster.nodes[spare].id();

    // It is off until somebody decides, and an election is no death.
    let settings = "/admin/settings";
    let shown = cluster.nodes[0].operator().get(settings).expect(200).json();
    assert_eq!(shown["replace_dead_after_seconds"], Value::Null);
    let operator = cluster.nodes[0].operator();
    let decide = |after: u64| {
        let body = json!({"replace_dead_after_seconds": after});
        operator.request("PUT", settings).json(&body).send()
    };
    assert!(decide(1).expect(422).message().contains("at least"), "too soon");
    assert_eq!(decide(AFTER).expect(200).json()["replace_dead_after_seconds"], AFTER);

    // The one that leads dies: who follows it must not take it for a member of which it knows nothing yet.
    let dead = cluster.leader();
    let left: Vec<usize> = (0..3).filter(|&number| number != dead).collect();
    let dead_id = cluster.nodes[dead].id();
    let urls: Vec<String> = left.iter().map(|&number| cluster.nodes[number].url()).collect();
    let load = Load::start_trying(2, &urls, "analyst", PASSWORD, 2);
    let killed = Instant::now();
    cluster.nodes[dead].kill();
    wait_for("the learner votes, and the dead one is out", WITHIN, || {
        let voters = cluster.voters(left[0])?;
        let replaced = voters.contains(&spare_id) && !voters.contains(&dead_id);
        assert!(!replaced || killed.elapsed() >= Duration::from_secs(AFTER - 1), "too soon");
        (replaced && voters.len() == 3).then_some(())
    });
    cluster.wait_voters_under_load(left[0], 3);
    let term = |cluster: &TestCluster| cluster.nodes[left[0]].status().expect("it answers")["term"].clone();
    let before = term(&cluster);

    // It comes back, is told what happened, and disturbs nobody.
    cluster.nodes[dead].start();
    wait_for("it is told what to do", WITHIN, || {
        let log = cluster.nodes[dead].log();
        (log.contains("was removed from the cluster") && log.contains("--join")).then_some(())
    });
    assert_eq!(term(&cluster), before, "no election was forced on the others");
    let ledger = load.stop();
    assert_eq!(ledger.failed, Vec::<String>::new());

    // As it was told.
    cluster.nodes[dead].kill();
    cluster.nodes[dead].wipe();
    let first = cluster.nodes[left[0]].url();
    cluster.nodes[dead].set_arguments(&["--join", &first]);
    cluster.nodes[dead].start_ready();
    cluster.wait_voters(4);
    cluster.same_list_everywhere();
    ledger.judge(&cluster.analyst(dead).get("/ip/all?fields=value,sighting").expect(200).json());
}

#[test]
fn without_a_spare_a_dead_voter_keeps_its_place() {
    let mut cluster = TestCluster::start(3);
    let body = json!({"replace_dead_after_seconds": AFTER});
    cluster.nodes[0].operator().request("PUT", "/admin/settings").json(&body).send().expect(200);
    let (leader, dead) = (cluster.leader(), cluster.followers()[0]);
    let id = cluster.nodes[dead].id();
    cluster.nodes[dead].kill();
    wait_for("it is silent for longer than that", WITHIN, || {
        let shown = cluster.nodes[leader].operator().get("/admin/members").expect(200).json();
        let member = shown.as_array()?.iter().find(|member| member["id"] == id).cloned()?;
        (member["last_heard_ms"].as_u64()? > (AFTER + 2) * 1000).then_some(())
    });
    assert_eq!(cluster.voters(leader).map(|voters| voters.len()), Some(3));
    let members = cluster.nodes[leader].status().unwrap()["members"].clone();
    assert!(members.as_array().unwrap().iter().any(|member| member["healthy"] == false), "{members}");
    cluster.nodes[dead].start_ready();
    cluster.same_list_everywhere();
}
