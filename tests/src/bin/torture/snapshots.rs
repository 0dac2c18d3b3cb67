//! The profile of snapshots: a long list, writers who never pause, snapshot and purge all the time.

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use stockade_tests::{Hammered, Tally, TestCluster, fill, hammer, waits};

/// Entries of the log between two snapshots, and what is left behind one: a purge a second or more.
const FLAGS: [&str; 6] = ["--snapshot-after", "200", "--log-keep", "50", "--write-timeout", "10"];
/// Values that are added again and again.
const VALUES: u32 = 60_000;
/// What a write may wait because of a snapshot.
const COST_MAX: Duration = Duration::from_millis(100);
/// Times that the wait is measured.
const ROUNDS: usize = 3;
/// The writers stop after so long, and what they were told is judged.
const LAP: Duration = Duration::from_secs(60);

/// Runs until the time is over, and says what it has seen.
pub(crate) fn torture(nodes: usize, connections: usize, entries: usize, lasting: Duration) -> ExitCode {
    // A thread of its own: when it fails it shows the nodes' logs and keeps their data.
    let ended = thread::spawn(move || run(nodes, connections, entries, lasting)).join();
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(_) => {
            println!("FINDING: the run broke off; the failure and the ends of the logs stand above");
            ExitCode::FAILURE
        }
    }
}

fn run(nodes: usize, connections: usize, entries: usize, lasting: Duration) -> bool {
    let mut cluster = TestCluster::start_with(nodes, &FLAGS);
    let through = cluster.followers()[0];
    let began = Instant::now();
    fill(&cluster.analyst(through), entries);
    cluster.wait_level();
    println!("{entries} entries are on every node after {:.1?}", began.elapsed());

    let rounds: Vec<_> = (0..ROUNDS).map(|round| waits(&cluster, round)).collect();
    for waits in &rounds {
        println!(
            "snapshots of all nodes at once took {:.1?}; {} writes meanwhile, the longest {:.1?} (before: {:.1?})",
            waits.snapshots, waits.writes, waits.during, waits.before
        );
    }
    // Whatever else runs on the machine makes a write wait, too: a snapshot would do so every time.
    let waited = rounds.iter().all(|waits| waits.cost() > COST_MAX);
    if waited {
        println!("FINDING: a write waits for a snapshot");
    }

    let (mut all, tally) = (Hammered::default(), Arc::new(Tally::new(VALUES)));
    let began = Instant::now();
    for lap in 0.. {
        let left = lasting.saturating_sub(began.elapsed()).min(LAP);
        if left.is_zero() {
            break;
        }
        let hammered = hammer(&mut cluster, connections, left, &tally);
        println!("lap {lap}: {hammered}");
        cluster.wait_level();
        cluster.same_digest_everywhere();
        for number in 0..nodes {
            tally.judge(&cluster.analyst(number));
        }
        all.join(hammered);
    }
    println!("{all}; all of it counted once on every node, and no node lost");
    !waited
}
