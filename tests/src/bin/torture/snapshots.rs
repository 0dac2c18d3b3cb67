//! The profile of snapshots: a long list, writers who never pause, snapshot and purge all the time.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use stockade_tests::{TestCluster, fill, hammer, waits};

/// Entries of the log between two snapshots, and what is left behind one: a purge a second or more.
const FLAGS: [&str; 6] = ["--snapshot-after", "500", "--log-keep", "100", "--write-timeout", "10"];
/// What a write may wait because of a snapshot.
const COST_MAX: Duration = Duration::from_millis(100);
/// Times that the wait is measured.
const ROUNDS: usize = 3;
/// The writers begin anew after so long, and what they were told is judged.
const LAP: Duration = Duration::from_secs(60);

/// Runs until the time is over, and says what it has seen.
pub(crate) fn torture(nodes: usize, writers: usize, entries: usize, lasting: Duration) -> ExitCode {
    // A thread of its own: when it fails it shows the nodes' logs and keeps their data.
    let ended = thread::spawn(move || run(nodes, writers, entries, lasting)).join();
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(_) => {
            println!("FINDING: the run broke off; the failure and the ends of the logs stand above");
            ExitCode::FAILURE
        }
    }
}

fn run(nodes: usize, writers: usize, entries: usize, lasting: Duration) -> bool {
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

    let (mut written, mut unknown, mut made, mut frozen) = (0, 0, 0, 0);
    let began = Instant::now();
    for lap in 0.. {
        let left = lasting.saturating_sub(began.elapsed()).min(LAP);
        if left.is_zero() {
            break;
        }
        let domain = format!("lap{lap}.test");
        let hammered = hammer(&mut cluster, writers, left, &domain);
        written += hammered.ledger.acknowledged();
        unknown += hammered.ledger.unknown();
        made += hammered.snapshots;
        frozen += hammered.frozen;
        cluster.wait_level();
        cluster.same_digest_everywhere();
        for number in 0..nodes {
            hammered.ledger.judge_ending(&cluster.analyst(number), &domain);
        }
        println!(
            "lap {lap}: {} writes ({:.0} a second), {} snapshots, all of it counted once on every node",
            hammered.ledger.acknowledged(),
            hammered.ledger.acknowledged() as f64 / left.as_secs_f64(),
            hammered.snapshots
        );
    }
    println!(
        "{written} writes acknowledged, {unknown} unknown, none lost, none doubled; {made} snapshots, a follower \
         brought up {frozen} times; no node lost"
    );
    !waited
}
