//! A cluster whose nodes reach each other over wires that the story controls, and the faults it suffers.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::callers::{ProcessId, caller};
use crate::cluster::TestCluster;
use crate::faults::Fault;
use crate::line::Line;
use crate::node::Node;
use crate::proxy::Proxy;
use crate::wait::pause;

/// Between two turns of a fault that comes and goes.
const TURN: Duration = Duration::from_millis(300);

/// Voters, each of them reached by each other one over a wire of its own.
pub struct Wired {
    /// The nodes.
    pub cluster: TestCluster,
    /// The way to each node; one wire for each caller.
    proxies: Vec<Proxy>,
}

impl Wired {
    /// A running cluster with an analyst, with more flags for every node.
    #[track_caller]
    pub fn start(count: usize, seed: u64, flags: &[&str]) -> Wired {
        let (mut cluster, mut proxies) = (TestCluster::empty(), Vec::new());
        let processes: Arc<Mutex<Vec<ProcessId>>> = Arc::default();
        for number in 0..count {
            cluster.prepare(&[]);
            let node = &cluster.nodes[number];
            processes.lock().expect("nobody panics with the lock").push(node.process_id());
            let known = processes.clone();
            // Whoever is none of them, and a node that has just died, comes over the last wire.
            let callers = move |stream: &_| {
                let known = known.lock().expect("nobody panics with the lock");
                caller(stream, &known).unwrap_or(count)
            };
            let proxy = Proxy::with_callers(
                &node.peers_address(),
                count + 1,
                seed ^ number as u64,
                Box::new(callers),
            );
            let (advertised, first) = (proxy.address(), cluster.nodes[0].url());
            let mut arguments = vec!["--advertise-peers", advertised.as_str()];
            arguments.extend(flags);
            if number > 0 {
                arguments.extend(["--join", first.as_str()]);
            }
            proxies.push(proxy);
            cluster.nodes[number].set_arguments(&arguments);
            cluster.nodes[number].start_ready();
        }
        cluster.wait_voters(count);
        cluster.register("analyst", "analyst");
        Wired { cluster, proxies }
    }

    /// The URLs of all nodes.
    pub fn urls(&self) -> Vec<String> {
        self.cluster.nodes.iter().map(Node::url).collect()
    }

    /// Lets the cluster suffer faults at the same time, for a time; they have ended when this returns.
    #[track_caller]
    pub fn suffer(&mut self, faults: &[Fault], lasting: Duration) {
        for fault in faults {
            fault.strike(&mut self.cluster);
        }
        let began = Instant::now();
        let mut turn = 0;
        loop {
            self.set_wires(|from, to| {
                faults.iter().fold(Line::default(), |line, fault| line.and(fault.line(from, to, turn)))
            });
            let left = lasting.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            pause(left.min(TURN));
            turn += 1;
        }
        self.set_wires(|_, _| Line::default());
        for fault in faults {
            fault.lift(&mut self.cluster);
        }
    }

    /// What becomes of what one node sends to another, by their numbers.
    fn set_wires(&self, line: impl Fn(usize, usize) -> Line) {
        for (target, proxy) in self.proxies.iter().enumerate() {
            for caller in 0..self.proxies.len() {
                proxy.set_there(caller, line(caller, target));
                proxy.set_back(caller, line(target, caller));
            }
        }
    }

    /// Whether what one node asks another for is held on its way; what the other one asks, and its answers, pass.
    pub fn hold_calls(&self, from: usize, to: usize, held: bool) {
        self.proxies[to].set_there(from, Line { held, ..Line::default() });
    }

    /// From now on what one node sends to another takes so long.
    pub fn slow_down(&self, delay: Duration) {
        self.set_wires(|_, _| Line { delay, ..Line::default() });
    }

    /// Whether what one node answers to another is held on its way.
    pub fn hold_answers(&self, from: usize, to: usize, held: bool) {
        self.proxies[from].set_back(to, Line { held, ..Line::default() });
    }

    /// Waits until all nodes are ready again.
    #[track_caller]
    pub fn wait_ready(&mut self) {
        for node in &mut self.cluster.nodes {
            node.wait_ready();
        }
    }
}
