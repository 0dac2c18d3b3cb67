//! A request that carries a key counts once, and is answered alike.

use super::fixtures::{Desk, actor, command, ip, report};
use crate::blocklist::{
    ANSWER_KEPT_SECONDS, ANSWERS_MAX, Actor, Command, Line, Once, Operation, Outcome, Record, Refusal, Role,
};

fn sensor() -> Actor {
    actor("ossec1", Role::Sensor)
}

/// Runs an operation once under a key.
fn run(
    desk: &mut Desk,
    second: i64,
    actor: Actor,
    (key, part, request): (u8, u32, u8),
    operation: Operation,
) -> Outcome {
    let once = Some(Once { key: [key; 16], part, request: [request; 16] });
    desk.send(Command { once, ..command(second, actor, operation) }).0
}

fn add(value: &str) -> Operation {
    Operation::Add(vec![report(value)])
}

fn repeated(lines: Vec<Line>) -> Outcome {
    Outcome::Repeated(Box::new(Outcome::Lines(lines)))
}

#[test]
fn a_repeat_changes_nothing_and_gets_the_first_answer() {
    let mut desk = Desk::default();
    assert_eq!(run(&mut desk, 1, sensor(), (1, 0, 1), add("192.0.2.1")), Outcome::Lines(vec![Line::Added]));
    assert_eq!(run(&mut desk, 2, sensor(), (1, 0, 1), add("192.0.2.1")), repeated(vec![Line::Added]));
    assert_eq!(desk.entry("192.0.2.1").sighting, 0);
    // A refusal is an answer too, even when there is nothing to refuse any more.
    let delete = || Operation::Delete(vec![ip("192.0.2.2")]);
    let first = run(&mut desk, 3, sensor(), (2, 0, 1), delete());
    desk.add(4, report("192.0.2.2"));
    assert_eq!(run(&mut desk, 5, sensor(), (2, 0, 1), delete()), Outcome::Repeated(Box::new(first)));
    // Another part of the same request is another command.
    let part = run(&mut desk, 6, sensor(), (1, 1, 1), add("192.0.2.1"));
    assert_eq!(part, Outcome::Lines(vec![Line::Sighted]));
}

#[test]
fn another_request_under_the_same_key_is_refused() {
    let mut desk = Desk::default();
    run(&mut desk, 1, sensor(), (1, 0, 1), add("192.0.2.1"));
    let other = run(&mut desk, 2, sensor(), (1, 0, 2), add("192.0.2.9"));
    assert!(matches!(other, Outcome::Refused(Refusal::KeyReused(_))), "{other:?}");
    assert!(desk.list.get(&ip("192.0.2.9")).is_none());
    // Keys of different accounts have nothing to do with each other.
    let other = run(&mut desk, 2, actor("ossec2", Role::Sensor), (1, 0, 2), add("192.0.2.9"));
    assert_eq!(other, Outcome::Lines(vec![Line::Added]));
}

#[test]
fn an_answer_is_kept_for_a_day_by_the_times_of_the_commands() {
    let mut desk = Desk::default();
    run(&mut desk, 1, sensor(), (1, 0, 1), add("192.0.2.1"));
    let end = 1 + ANSWER_KEPT_SECONDS;
    assert_eq!(run(&mut desk, end - 1, sensor(), (1, 0, 1), add("192.0.2.1")), repeated(vec![Line::Added]));
    assert_eq!(
        run(&mut desk, end, sensor(), (1, 0, 1), add("192.0.2.1")),
        Outcome::Lines(vec![Line::Sighted]),
        "it is over, whether it was forgotten or not"
    );
    run(&mut desk, end + ANSWER_KEPT_SECONDS, sensor(), (2, 0, 1), add("192.0.2.1"));
    let kept = desk.list.records().filter(|record| matches!(record, Record::Answer(..))).count();
    assert_eq!(kept, 1, "what is over goes when the next one comes");
}

#[test]
fn the_oldest_answers_make_room() {
    let mut desk = Desk::default();
    for number in 0..=ANSWERS_MAX as u32 {
        run(&mut desk, 1 + i64::from(number) / 10_000, sensor(), (1, number, 1), add("192.0.2.1"));
    }
    let kept = desk.list.records().filter(|record| matches!(record, Record::Answer(..))).count();
    assert_eq!(kept, ANSWERS_MAX);
    let mut again = |part| run(&mut desk, 9, sensor(), (1, part, 1), add("192.0.2.1"));
    assert_eq!(again(9_000), repeated(vec![Line::Sighted]));
    assert_eq!(again(0), Outcome::Lines(vec![Line::Sighted]));
}
