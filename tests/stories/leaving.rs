//! A node that leaves hands on first what it has accepted on its own word; it does not leave as long as it cannot.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use stockade_tests::{Answer, Wired, wait_for};

const WITHIN: Duration = Duration::from_secs(20);
const FLAGS: [&str; 4] = ["--write-timeout", "3", "--accept-after", "1"];
/// The leader waits longer than this: half of the time that a write may take.
const SOME_TIME: Duration = Duration::from_secs(1);
/// Reports that the node holds when it is to leave.
const REPORTS: u64 = 5;

/// A cluster in which one follower holds accepted reports: the leader reaches it, and it does not reach the leader.
struct Holding {
    wired: Wired,
    leader: usize,
    leaves: usize,
    stays: usize,
    /// The names of the requests that were answered 202.
    accepted: Vec<String>,
}

impl Holding {
    #[track_caller]
    fn start(seed: u64) -> Holding {
        let mut wired = Wired::start(3, seed, &FLAGS);
        let leader = wired.cluster.leader();
        let [leaves, stays] = wired.cluster.followers()[..] else { panic!("two follow") };
        wired.cluster.analyst(leader).post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);
        wired.cluster.wait_level();
        wired.hold_calls(leaves, leader, true);
        let mut holding = Holding { wired, leader, leaves, stays, accepted: Vec::new() };
        for host in 1..=REPORTS {
            holding.accept(host);
        }
        holding
    }

    /// A report that only the node that is to leave knows of.
    #[track_caller]
    fn accept(&mut self, host: u64) {
        let body = json!({"ip": format!("198.51.100.{host}")});
        let answer = self.wired.cluster.analyst(self.leaves).post("/ip/add", &body).expect(202);
        self.accepted.push(answer.json()["id"].as_str().expect("an id").to_owned());
        assert_eq!(self.count_on(self.leader), 1, "nobody else knows of it");
    }

    fn release(&self) {
        self.wired.hold_calls(self.leaves, self.leader, false);
    }

    fn remove(&self, through: usize) -> Answer {
        let nodes = &self.wired.cluster.nodes;
        nodes[through].operator().delete(&format!("/admin/members/{}", nodes[self.leaves].id()))
    }

    fn count_on(&self, number: usize) -> usize {
        let list = self.wired.cluster.analyst(number).get("/ip/all?format=txt").expect(200);
        list.text().lines().filter(|line| !line.is_empty()).count()
    }

    #[track_caller]
    fn pending(&self) -> u64 {
        let status = self.wired.cluster.nodes[self.leaves].status().expect("it answers");
        status["pending_commands"].as_u64().expect("a number")
    }

    /// Whoever stays has every accepted report, once.
    #[track_caller]
    fn all_of_it_is_on_those_that_stay(&mut self) {
        self.wired.cluster.nodes[self.leaves].kill();
        self.wired.cluster.wait_voters(2);
        self.wired.cluster.same_list_everywhere();
        for number in [self.leader, self.stays] {
            let client = self.wired.cluster.analyst(number);
            assert_eq!(self.count_on(number) as u64, REPORTS);
            for host in 1..=REPORTS {
                let entry = client.get(&format!("/ip/198.51.100.{host}?fields=sighting")).expect(200).json();
                // The first one was listed before.
                assert_eq!(entry[0]["sighting"], u64::from(host == 1), "198.51.100.{host}");
            }
            for id in &self.accepted {
                let told = client.get(&format!("/requests/{id}")).expect(200).json();
                assert_eq!(told["state"], "applied", "{id}");
            }
        }
    }
}

#[test]
fn a_node_that_holds_accepted_reports_hands_them_on_before_it_leaves() {
    let mut holding = Holding::start(1);
    assert_eq!(holding.pending(), REPORTS);
    let removed = thread::scope(|scope| {
        let asked = Instant::now();
        let removal = scope.spawn(|| holding.remove(holding.leader));
        wait_for("the leader waits for it", WITHIN, || {
            assert!(!removal.is_finished(), "it was not waited for");
            (asked.elapsed() > SOME_TIME).then_some(())
        });
        holding.release();
        removal.join().unwrap()
    });
    removed.expect(200);
    // From then on it promises nothing; soon it knows why.
    let late = json!({"domain": "late.test"});
    let leaves = holding.wired.cluster.analyst(holding.leaves);
    wait_for("it takes no writes", WITHIN, || {
        let answer = leaves.post("/domain/add", &late);
        assert_eq!(answer.status, 503, "{answer:?}");
        answer.message().contains("removed").then_some(())
    });
    leaves.get("/ip/198.51.100.1").expect(200);
    holding.all_of_it_is_on_those_that_stay();
}

#[test]
fn a_node_that_cannot_hand_on_what_it_accepted_stays() {
    let mut holding = Holding::start(2);
    // Asked through the leader, and through another node, which hands the question on.
    for through in [holding.leader, holding.stays] {
        let refused = holding.remove(through).expect(409);
        let message = refused.message();
        assert!(message.contains(&format!("{REPORTS} writes")) && message.contains("try again"), "{message}");
        assert_eq!(holding.pending(), REPORTS, "and nothing of it is lost");
        assert_eq!(holding.wired.cluster.voters(holding.leader).expect("it answers").len(), 3);
    }
    // The others are not kept waiting by it.
    holding
        .wired
        .cluster
        .analyst(holding.stays)
        .post("/domain/add", &json!({"domain": "a.test"}))
        .expect(201);

    holding.release();
    wait_for("everything is handed on", WITHIN, || (holding.pending() == 0).then_some(()));
    holding.remove(holding.stays).expect(200);
    holding.all_of_it_is_on_those_that_stay();
}
