//! Sites that are far from each other.

use std::time::{Duration, Instant};

use serde_json::json;
use stockade_tests::Wired;

/// From one node to another.
const ONE_WAY: Duration = Duration::from_millis(30);
/// The fastest of so many counts: a busy machine slows some down.
const ADDS: usize = 10;

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
