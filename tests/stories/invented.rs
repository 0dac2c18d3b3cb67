//! Requests that are nearly right, thousands of them, from seeds: whatever comes, the answer is one that the
//! documentation knows, the nodes live, and their lists stay equal. `STOCKADE_SEED=n` sends one of them again,
//! `STOCKADE_SEEDS=n` so many.

use std::collections::BTreeMap;
use std::env;
use std::thread;
use std::time::Duration;

use serde_json::json;
use stockade_tests::{ROUTES, TOKEN, TestCluster, invent, send_raw, send_raw_and_end, wait_for};

/// Requests of an ordinary run.
const REQUESTS: u64 = 6000;
/// Those who send them, side by side.
const SENDERS: u64 = 4;
const WITHIN: Duration = Duration::from_secs(20);
/// The statuses that are documented.
const STATUSES: [u16; 19] =
    [200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 422, 431, 503, 507];

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Sends the request of a seed, and gives the status of its answer.
#[track_caller]
fn send(address: &str, seed: u64) -> Option<u16> {
    let request = invent(seed, TOKEN);
    let shown = || {
        let text = String::from_utf8_lossy(&request.bytes[..request.bytes.len().min(1500)]).into_owned();
        format!("STOCKADE_SEED={seed} sends it again: {text:?}")
    };
    let answer = match request.ends_early {
        true => send_raw_and_end(address, &request.bytes),
        false => send_raw(address, &request.bytes),
    };
    let Some(answer) = answer else {
        assert!(request.ends_early, "no answer; {}", shown());
        return None;
    };
    assert!(STATUSES.contains(&answer.status), "an unknown status: {answer:?}; {}", shown());
    if request.bytes.starts_with(b"HEAD ") {
        // What is refused as no HTTP at all has no method either.
        assert!(answer.body.is_empty() || answer.status == 400, "{answer:?}; {}", shown());
    } else if answer.status >= 400 {
        let body: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
        let message = body.as_ref().and_then(|body| body["message"].as_str()).unwrap_or_default();
        assert!(!message.is_empty(), "an error without a message: {answer:?}; {}", shown());
    }
    Some(answer.status)
}

#[test]
fn whatever_is_asked_is_answered_and_the_lists_stay_equal() {
    let mut cluster = TestCluster::start_with(3, &["--write-timeout", "2", "--body-max-mib", "1"]);
    cluster.register("bob", "sensor");
    let addresses: Vec<String> = cluster.nodes.iter().map(|node| node.http_address()).collect();
    let seeds = match number("STOCKADE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STOCKADE_SEEDS").unwrap_or(REQUESTS),
    };
    let told: Vec<BTreeMap<Option<u16>, u64>> = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (addresses, seeds) = (&addresses, seeds.clone());
                scope.spawn(move || {
                    let mut told = BTreeMap::new();
                    for seed in seeds.filter(|seed| seed % SENDERS == sender) {
                        let status = send(&addresses[seed as usize % addresses.len()], seed);
                        *told.entry(status).or_default() += 1;
                    }
                    told
                })
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    let mut all: BTreeMap<Option<u16>, u64> = BTreeMap::new();
    for (status, count) in told.into_iter().flatten() {
        *all.entry(status).or_default() += count;
    }
    eprintln!("{} routes, answers: {all:?}", ROUTES.len());
    if number("STOCKADE_SEED").is_none() {
        for status in [200, 201, 400, 401, 404, 405, 415, 422] {
            assert!(all.contains_key(&Some(status)), "nothing was answered with {status}: {all:?}");
        }
    }

    assert_eq!(cluster.running().len(), 3);
    for node in &cluster.nodes {
        assert!(!node.log().contains("panicked"), "{}", node.log());
    }
    cluster.wait_level();
    cluster.same_digest_everywhere();
    let client = cluster.analyst(1);
    client.get("/ip/all?format=txt").expect(200);
    wait_for("writes go on", WITHIN, || {
        let added = client.post("/username/add", &json!({"username": "the-last-one"}));
        (added.status == 201 || added.status == 200).then_some(())
    });
}
