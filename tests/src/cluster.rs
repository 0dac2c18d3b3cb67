//! A cluster of real processes, founded by its first node and joined by the others.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::home::Home;
use crate::node::Node;
use crate::wait::wait_for;

/// The registration token of every test cluster.
pub const TOKEN: &str = "SuperSecretToken";
/// The password of every account the harness registers.
pub const PASSWORD: &str = "SecretPW";
/// The analyst that `TestCluster::start` registers.
pub(crate) const ANALYST: &str = "analyst";
/// How long a cluster may take to come to an agreement about itself.
const AGREED_WITHIN: Duration = Duration::from_secs(30);
/// Looks in a row that have to find the same voters.
const LOOKS: usize = 5;
/// Looks in a row that have to find the same index.
const LOOKS_AT_REST: usize = 25;

/// Nodes of one cluster. They end with the story, before their directory goes.
pub struct TestCluster {
    /// The nodes, in the order they were added.
    pub nodes: Vec<Node>,
    home: Home,
}

impl TestCluster {
    /// No nodes yet.
    pub fn empty() -> TestCluster {
        TestCluster { nodes: Vec::new(), home: Home::new() }
    }

    /// A running cluster of `count` voters.
    #[track_caller]
    pub fn start(count: usize) -> TestCluster {
        TestCluster::start_with(count, &[])
    }

    /// The same, with more flags for every node.
    #[track_caller]
    pub fn start_with(count: usize, flags: &[&str]) -> TestCluster {
        TestCluster::start_after(count, flags, |_| {})
    }

    /// The same, with something to be done to every node before it starts for the first time.
    #[track_caller]
    pub fn start_after(count: usize, flags: &[&str], mut before: impl FnMut(&mut Node)) -> TestCluster {
        let mut cluster = TestCluster::empty();
        let first = cluster.prepare(flags);
        before(&mut cluster.nodes[first]);
        cluster.nodes[first].start_ready();
        for _ in 1..count {
            let number = cluster.prepare_to_join(flags);
            before(&mut cluster.nodes[number]);
            cluster.nodes[number].start();
        }
        for node in &mut cluster.nodes {
            node.wait_ready();
        }
        cluster.wait_voters(count);
        cluster.register(ANALYST, "analyst");
        cluster
    }

    /// A new node, not started.
    pub fn prepare(&mut self, flags: &[&str]) -> usize {
        let number = self.nodes.len();
        let mut node = Node::prepare(self.home.path(), &format!("node-{}", number + 1), TOKEN);
        node.set_arguments(flags);
        self.nodes.push(node);
        number
    }

    /// A new node that asks the ones before it to be taken in; started, not waited for.
    #[track_caller]
    pub fn join(&mut self, flags: &[&str]) -> usize {
        let number = self.prepare_to_join(flags);
        self.nodes[number].start();
        number
    }

    fn prepare_to_join(&mut self, flags: &[&str]) -> usize {
        let urls: Vec<String> = self.nodes.iter().map(Node::url).collect();
        let number = self.prepare(&[]);
        let mut arguments = vec!["--join"];
        arguments.extend(urls.iter().map(String::as_str));
        arguments.extend(flags);
        self.nodes[number].set_arguments(&arguments);
        number
    }

    /// Registers an account; every node knows it afterwards.
    #[track_caller]
    pub fn register(&self, username: &str, role: &str) {
        let body = json!({"username": username, "password": PASSWORD, "role": role});
        let index = self.nodes[0].operator().post("/user/register", &body).expect(201).index();
        self.wait_applied(index);
    }

    /// A client of the analyst on one node.
    pub fn analyst(&self, number: usize) -> Client {
        self.client(number, ANALYST)
    }

    /// A client of a registered account on one node.
    pub fn client(&self, number: usize, username: &str) -> Client {
        self.nodes[number].anonymous().basic(username, PASSWORD)
    }

    /// The number of the node that leads, once the running nodes agree on it.
    #[track_caller]
    pub fn leader(&mut self) -> usize {
        let running = self.running();
        wait_for("the running nodes agree on a leader", AGREED_WITHIN, || {
            let statuses: Vec<Value> =
                running.iter().map(|&number| self.nodes[number].status()).collect::<Option<_>>()?;
            let leader = statuses[0]["leader"].as_u64()?;
            let agreed = statuses.iter().all(|status| status["leader"].as_u64() == Some(leader));
            let position = statuses.iter().position(|status| status["node_id"].as_u64() == Some(leader))?;
            (agreed && statuses[position]["state"] == "leader").then(|| running[position])
        })
    }

    /// The numbers of the running nodes that do not lead.
    #[track_caller]
    pub fn followers(&mut self) -> Vec<usize> {
        let leader = self.leader();
        self.running().into_iter().filter(|&number| number != leader).collect()
    }

    /// The numbers of the nodes whose process is there.
    pub fn running(&mut self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&number| self.nodes[number].is_running()).collect()
    }

    /// The voters as one node sees them, by id.
    pub fn voters(&self, number: usize) -> Option<Vec<u64>> {
        voters(&self.nodes[number].status()?)
    }

    /// Waits until every running node sees the same voters, this many, and no change of them is under way: a
    /// node that is killed in the middle of one may be needed for it.
    #[track_caller]
    pub fn wait_voters(&mut self, count: usize) {
        let running = self.running();
        let mut looks = 0;
        wait_for(&format!("every node sees {count} voters"), AGREED_WITHIN, || {
            let seen: Option<Vec<Vec<u64>>> =
                running.iter().map(|&number| self.settled_voters(number)).collect();
            let settled =
                seen.is_some_and(|seen| seen[0].len() == count && seen.iter().all(|ids| *ids == seen[0]));
            // Between the two steps of a change a single look finds nothing under way.
            looks = if settled { looks + 1 } else { 0 };
            (looks == LOOKS).then_some(())
        });
    }

    /// Waits until one node sees this many voters and no change of them is under way; while there is load, nothing
    /// stands still.
    #[track_caller]
    pub fn wait_voters_under_load(&self, number: usize, count: usize) {
        wait_for(&format!("{} sees {count} voters", self.nodes[number].name()), AGREED_WITHIN, || {
            let status = self.nodes[number].status()?;
            (status["changing"] == false && voters(&status)?.len() == count).then_some(())
        });
    }

    /// The voters as one node sees them, when everything in its log is committed and applied.
    fn settled_voters(&self, number: usize) -> Option<Vec<u64>> {
        let status = self.nodes[number].status()?;
        let end = &status["last_log_index"];
        (status["committed_index"] == *end && status["applied_index"] == *end).then(|| voters(&status))?
    }

    /// Waits until every running node has applied an index.
    #[track_caller]
    pub fn wait_applied(&self, index: u64) {
        for node in &self.nodes {
            wait_for(&format!("{} has applied {index}", node.name()), AGREED_WITHIN, || {
                let applied = match node.status() {
                    Some(status) => status["applied_index"].as_u64()?,
                    None => node.down().then_some(u64::MAX)?,
                };
                (applied >= index).then_some(())
            });
        }
    }

    /// The index at which a young cluster has come to rest. Until then its nodes make their own addresses known, and
    /// followers are sent back to the whole list by each.
    #[track_caller]
    pub fn wait_rest(&self) -> u64 {
        let (mut index, mut looks) = (0, 0);
        wait_for("nothing moves the index any more", AGREED_WITHIN, || {
            let seen = self.analyst(0).get("/ip/all?limit=1").expect(200).index();
            looks = if seen == index { looks + 1 } else { 0 };
            index = seen;
            (looks == LOOKS_AT_REST).then_some(index)
        })
    }

    /// Waits until the running nodes stand at the same index, and gives that.
    #[track_caller]
    pub fn wait_level(&mut self) -> u64 {
        let running = self.running();
        wait_for("the running nodes stand at the same index", AGREED_WITHIN, || {
            let applied = |number: &usize| {
                let status = self.nodes[*number].status()?;
                // What waits for a majority is in this node's exports alone.
                if status["pending_commands"] == 0 { status["applied_index"].as_u64() } else { None }
            };
            let indexes: Vec<u64> = running.iter().map(applied).collect::<Option<_>>()?;
            indexes.iter().all(|index| *index == indexes[0]).then_some(indexes[0])
        })
    }

    /// Checks that the running nodes hold the same state: the digest that each gives of all it has, accounts and
    /// the allow list too, at the index at which the others stand.
    #[track_caller]
    pub fn same_digest_everywhere(&mut self) {
        let running = self.running();
        let digests = wait_for("the running nodes stand at the same index", AGREED_WITHIN, || {
            let seen = |number: &usize| {
                let status = self.nodes[*number].status()?;
                Some((status["applied_index"].as_u64()?, status["digest"].as_str()?.to_owned()))
            };
            let seen: Vec<(u64, String)> = running.iter().map(seen).collect::<Option<_>>()?;
            seen.iter().all(|(index, _)| *index == seen[0].0).then_some(seen)
        });
        for (number, (index, digest)) in running.iter().zip(&digests) {
            let first = &digests[0].1;
            assert!(digest == first, "node {number} and node {} differ at {index}", running[0]);
        }
    }

    /// Checks that the running nodes give the same list, every field of it, and returns it.
    #[track_caller]
    pub fn same_list_everywhere(&mut self) -> String {
        const EVERYTHING: &str = "/ip/all?format=csv&fields=value,time_added,time_updated,sighting,comment,source,\
                                  sources,account,expires,tags,index";
        self.same_digest_everywhere();
        let running = self.running();
        // What a frozen node still had in hand may come between the lists: those of one index, in which nothing waits for
        // a majority, are the same.
        let lists = wait_for("the running nodes give lists of the same index", AGREED_WITHIN, || {
            let list = |&number: &usize| {
                let answer = self.analyst(number).get(EVERYTHING).expect(200);
                let index = answer.header("stockade-index").expect("every list has its index").to_owned();
                answer.header("stockade-pending").is_none().then(|| (index, answer.text().to_owned()))
            };
            let lists: Vec<(String, String)> = running.iter().map(list).collect::<Option<_>>()?;
            lists.iter().all(|(index, _)| *index == lists[0].0).then_some(lists)
        });
        let (index, first) = &lists[0];
        for (number, (_, list)) in running.iter().zip(&lists) {
            assert!(list == first, "node {number} and node {} hold different lists at {index}", running[0]);
        }
        first.clone()
    }
}

fn voters(status: &Value) -> Option<Vec<u64>> {
    let members = status["members"].as_array()?;
    members.iter().filter(|member| member["role"] == "voter").map(|member| member["id"].as_u64()).collect()
}
