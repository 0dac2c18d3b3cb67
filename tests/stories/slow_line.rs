//! Sites that are far from each other.

use std::time::{Duration, Instant};

use serde_json::json;
use stockade_tests::{Load, PASSWORD, Wired};

/// From one node to another.
const ONE_WAY: Duration = Duration::from_millis(30);
/// The fastest of so many counts: a busy machine slows some down.
const ADDS: usize = 10;
/// Less than the leader's answer is waited for.
const WRITTEN_WITHIN: Duration = Duration::from_secs(2);

#[test]
fn a_write_through_a_follower_takes_one_round_trip_and_is_seen_at_the_leader() {
    let mut wired = Wired::start(3, 1, &[]);
    let (leader, follower) = (wired.cluster.leader(), wired.cluster.followers()[0]);
    let (near, far) = (wired.cluster.analyst(follower), wired.cluster.analyst(leader));
    wired.slow_down(ONE_WAY);
    let mut times = Vec::new();
    for number in 0..ADDS {
        let address = format!("198.51.100.{number}");
        let began = Instant::now();
        near.post("/ip/add", &json!({"ip": address})).expect(201);
        times.push(began.elapsed());
        far.get(&format!("/ip/{address}?consistency=linearizable")).expect(200);
    }
    times.sort();
    // To the leader and back; not once more, to say that the entry is on disk and to hear that it is committed.
    assert!(times[0] >= 2 * ONE_WAY, "the line is not slow: {times:?}");
    assert!(times[0] < 3 * ONE_WAY, "{times:?}");
}

#[test]
fn writes_go_on_while_the_leaders_answers_do_not_arrive() {
    let mut wired = Wired::start(3, 1, &[]);
    let (leader, follower) = (wired.cluster.leader(), wired.cluster.followers()[0]);
    let urls = [wired.cluster.nodes[follower].url()];
    wired.hold_answers(leader, follower, true);
    let load = Load::start(&urls, "analyst", PASSWORD, 4);
    let analyst = wired.cluster.analyst(follower);
    // What is written comes back with the log, which is another line.
    for number in 0..ADDS {
        let began = Instant::now();
        analyst.post("/ip/add", &json!({"ip": format!("192.0.2.{number}")})).expect(201);
        assert!(began.elapsed() < WRITTEN_WITHIN, "add {number} took {:?}", began.elapsed());
    }
    wired.hold_answers(leader, follower, false);
    let ledger = load.stop();
    assert_eq!(ledger.unknown(), 0);
}
