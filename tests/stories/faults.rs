//! Faults one by one and together, under a load whose history is judged.

use std::thread;
use std::time::Duration;

use serde_json::json;
use stockade_tests::{
    Action, Asked, Fault, History, Outcome, PASSWORD, Promise, Wired, Witnesses, same_values_in_every_format,
    wait_for,
};

/// What a story draws its chances from; the same for every run of it.
const SEED: u64 = 20_210_703;
/// Enough acknowledgements to call it load.
const SOME_WRITES: usize = 30;
/// After a fault ends, writes succeed again within this time.
const RECOVERED_WITHIN: Duration = Duration::from_secs(5);
/// Sessions at work.
const SESSIONS: usize = 6;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// What happens, given the number of the leader, and for how long.
type Round<'a> = (&'a dyn Fn(usize) -> Vec<Fault>, Duration);

/// Lets three nodes suffer one round of faults after the other, and judges what their users saw.
#[track_caller]
fn check(rounds: &[Round<'_>]) {
    let mut wired = Wired::start(3, SEED, &["--write-timeout", "3"]);
    let witnesses = Witnesses::start(&wired.urls(), "analyst", PASSWORD, SESSIONS, SEED);
    let mut recovery = Vec::new();
    for (faults, lasting) in rounds {
        let leader = wired.cluster.leader();
        let before = witnesses.history().acknowledged();
        wait_for("the writers are at work", Duration::from_secs(10), || {
            (witnesses.history().acknowledged() > before + SOME_WRITES).then_some(())
        });
        let began = witnesses.history().now();
        wired.suffer(&faults(leader), *lasting);
        let silence = witnesses.history().silence(began, witnesses.history().now());
        let recovered = witnesses.recovery(RECOVERED_WITHIN);
        assert!(
            recovered < RECOVERED_WITHIN,
            "no write on every node {recovered:?} after {:?}",
            faults(leader)
        );
        let faults = faults(leader);
        eprintln!("{faults:?} for {lasting:?}: {silence:.1?} without a write, recovered in {recovered:.1?}");
        recovery.push(recovered);
        wired.wait_ready();
    }
    let history = witnesses.stop();
    recovery.sort();
    eprintln!(
        "{} adds acknowledged, {} unknown, {} lookups; recovered in {:.1?} (median), {:.1?} (worst)",
        history.acknowledged(),
        history.unknown(),
        history.looked_up(),
        recovery[recovery.len() / 2],
        recovery[recovery.len() - 1],
    );
    judge(&mut wired, &history);
}

/// Judges what the users saw by the list of every node, once they have the same: a node that was apart until a moment
/// ago still has to hear what was acknowledged elsewhere.
#[track_caller]
fn judge(wired: &mut Wired, history: &History) {
    wired.cluster.same_list_everywhere();
    for number in 0..3 {
        let analyst = wired.cluster.analyst(number);
        history.judge(&analyst.get("/ip/all?fields=value,sighting").expect(200).json());
        same_values_in_every_format(&analyst);
    }
}

fn next(leader: usize) -> usize {
    (leader + 1) % 3
}

#[test]
fn a_leader_that_stops_for_a_moment_or_for_seconds() {
    let freeze = |leader| vec![Fault::Freeze(leader)];
    check(&[(&freeze, MS(200)), (&freeze, MS(2000)), (&freeze, MS(6000)), (&freeze, MS(200))]);
}

#[test]
fn a_leader_in_the_minority() {
    let apart = |leader| vec![Fault::Apart(vec![leader])];
    check(&[(&apart, MS(1000)), (&apart, MS(4000))]);
}

#[test]
fn a_node_that_is_apart_confirms_nothing_while_the_others_go_on() {
    let mut wired = Wired::start(3, SEED, &["--write-timeout", "3"]);
    let witnesses = Witnesses::start(&wired.urls(), "analyst", PASSWORD, SESSIONS, SEED);
    let apart = wired.cluster.leader();
    for fault in [Fault::Apart(vec![apart]), Fault::Mute(apart)] {
        let began = witnesses.history().now();
        wired.suffer(&[fault], MS(5000));
        let ended = witnesses.history().now();
        // What was on its way at the beginning may have been confirmed.
        let meanwhile = |asked: &Asked| asked.start > began + MS(1500) && asked.end < ended;
        let confirmed = |node: usize| {
            let requests = witnesses.history().requests();
            let now = requests.iter().filter(|asked| asked.node == node && asked.action == Action::LookupNow);
            now.filter(|asked| meanwhile(asked) && matches!(asked.outcome, Outcome::Reports(_))).count()
        };
        assert_eq!(confirmed(apart), 0, "the wires of the node are cut");
        assert!(confirmed(next(apart)) > 0 && confirmed(next(next(apart))) > 0, "and those alone");
    }
    judge(&mut wired, &witnesses.stop());
}

#[test]
fn a_wire_that_passes_one_way_only() {
    check(&[
        (&|leader| vec![Fault::OneWay { from: leader, to: next(leader) }], MS(3000)),
        (&|leader| vec![Fault::OneWay { from: next(leader), to: leader }], MS(3000)),
        (&|leader| vec![Fault::Deaf(leader)], MS(3000)),
        (&|leader| vec![Fault::Mute(leader)], MS(3000)),
    ]);
}

#[test]
fn a_leader_that_hears_nobody_is_replaced() {
    let mut wired = Wired::start(3, SEED, &["--write-timeout", "3"]);
    let witnesses = Witnesses::start(&wired.urls(), "analyst", PASSWORD, SESSIONS, SEED);
    let deaf = wired.cluster.leader();
    let began = witnesses.history().now();
    wired.suffer(&[Fault::Deaf(deaf)], MS(12_000));
    let ended = witnesses.history().now();
    let requests = witnesses.history().requests();
    let adds = requests.iter().filter(|asked| asked.action == Action::Add && asked.node != deaf);
    let late = adds.filter(|asked| asked.start > began + MS(7000) && asked.end < ended);
    let written = late.filter(|asked| matches!(asked.outcome, Outcome::Listed | Outcome::Sighted)).count();
    assert!(written > 0, "the others elect one that hears them, and go on");
    judge(&mut wired, &witnesses.stop());
}

#[test]
fn a_node_that_alone_sees_both_others() {
    check(&[
        (&|leader| vec![Fault::Bridge(leader)], MS(3000)),
        (&|leader| vec![Fault::Bridge(next(leader))], MS(4000)),
    ]);
}

#[test]
fn wires_that_come_and_go() {
    check(&[
        (&|leader| vec![Fault::Flapping(leader)], MS(4000)),
        (&|leader| vec![Fault::Flapping(next(leader))], MS(4000)),
    ]);
}

#[test]
fn wires_that_lose_a_part_of_what_is_sent() {
    check(&[(&|_| vec![Fault::Loss(5)], MS(4000)), (&|_| vec![Fault::Loss(20)], MS(5000))]);
}

#[test]
fn wires_that_are_slow_or_narrow() {
    check(&[
        (&|_| vec![Fault::Latency(50)], MS(3000)),
        (&|_| vec![Fault::Latency(200)], MS(4000)),
        (&|_| vec![Fault::Narrow(100_000)], MS(3000)),
    ]);
}

#[test]
fn nodes_killed_one_after_the_other_and_all_at_once() {
    check(&[
        (&|leader| vec![Fault::Kill(leader)], MS(1500)),
        (&|leader| vec![Fault::Kill(next(leader))], MS(300)),
        (&|leader| vec![Fault::Kill(leader)], MS(10)),
        (&|_| vec![Fault::KillAll], MS(500)),
        (&|_| vec![Fault::KillAll], MS(10)),
    ]);
}

#[test]
fn several_faults_at_the_same_time() {
    check(&[
        (&|leader| vec![Fault::Kill(leader), Fault::Loss(10), Fault::Latency(50)], MS(3000)),
        (&|leader| vec![Fault::Freeze(leader), Fault::Apart(vec![next(leader)])], MS(3000)),
        (
            &|leader| vec![Fault::Flapping(leader), Fault::Latency(100), Fault::Restart(next(leader))],
            MS(3000),
        ),
    ]);
}

#[test]
fn a_stale_read_that_passes_for_a_linearizable_one_is_found_out() {
    let mut wired = Wired::start(3, SEED, &[]);
    let leader = wired.cluster.leader();
    let (apart, other) = (next(leader), next(next(leader)));
    let (reader, writer) = (wired.cluster.analyst(apart), wired.cluster.analyst(other));
    let history = History::new();
    let record = |node, action, start, outcome| {
        let (end, address) = (history.now(), "198.51.100.1".to_owned());
        history.record(Asked { session: node, node, action, address, start, end, outcome, index: None });
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            wait_for("the node misses its leader", Duration::from_secs(10), || {
                reader.get("/ip/all?max_lag=1s").status.eq(&503).then_some(())
            });
            let start = history.now();
            writer.post("/ip/add", &json!({"ip": "198.51.100.1"})).expect(201);
            record(other, Action::Add, start, Outcome::Listed);
            // What the node has is old, and it would say so if it was asked.
            let start = history.now();
            reader.get("/ip/198.51.100.1").expect(404);
            record(apart, Action::LookupNow, start, Outcome::Reports(0));
        });
        wired.suffer(&[Fault::Apart(vec![apart])], MS(5000));
    });
    wired.cluster.same_list_everywhere();
    let findings = history.findings(&reader.get("/ip/all?fields=value,sighting").expect(200).json());
    let broken: Vec<Promise> = findings.iter().map(|finding| finding.promise).collect();
    assert_eq!(broken, [Promise::Linearizable]);
}
