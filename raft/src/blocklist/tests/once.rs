//! A request that carries a key counts once, and is answered alike.

use super::fixtures::{Desk, actor, ip, report};
use crate::blocklist::{
    ANSWER_KEPT_SECONDS, ANSWERS_MAX, Actor, Line, Once, Operation, Outcome, Record, Refusal, Role,
};

fn sensor() -> Actor {
    actor("ossec1", Role::Sensor)
}

fn once(key: u8, request: u8, operation: Operation) -> Operation {
    Operation::Once(Once { key: [key; 16], part: 0, request: [request; 16], operation: Box::new(operation) })
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
    assert_eq!(desk.run(1, sensor(), once(1, 1, add("192.0.2.1"))), Outcome::Lines(vec![Line::Added]));
    assert_eq!(desk.run(2, sensor(), once(1, 1, add("192.0.2.1"))), repeated(vec![Line::Added]));
    assert_eq!(desk.entry("192.0.2.1").sighting, 0);
    // A refusal is an answer too, even when there is nothing to refuse any more.
    let delete = || once(2, 1, Operation::Delete(vec![ip("192.0.2.2")]));
    let first = desk.run(3, sensor(), delete());
    desk.add(4, report("192.0.2.2"));
    assert_eq!(desk.run(5, sensor(), delete()), Outcome::Repeated(Box::new(first)));
    // Another part of the same request is another command.
    let part = Once { key: [1; 16], part: 1, request: [1; 16], operation: Box::new(add("192.0.2.1")) };
    assert_eq!(desk.run(6, sensor(), Operation::Once(part)), Outcome::Lines(vec![Line::Sighted]));
}

#[test]
fn another_request_under_the_same_key_is_refused() {
    let mut desk = Desk::default();
    desk.run(1, sensor(), once(1, 1, add("192.0.2.1")));
    let other = desk.run(2, sensor(), once(1, 2, add("192.0.2.9")));
    assert!(matches!(other, Outcome::Refused(Refusal::KeyReused(_))), "{other:?}");
    assert!(desk.list.get(&ip("192.0.2.9")).is_none());
    // Keys of different accounts have nothing to do with each other.
    let other = desk.run(2, actor("ossec2", Role::Sensor), once(1, 2, add("192.0.2.9")));
    assert_eq!(other, Outcome::Lines(vec![Line::Added]));
}

#[test]
fn an_answer_is_kept_for_a_day_by_the_times_of_the_commands() {
    let mut desk = Desk::default();
    desk.run(1, sensor(), once(1, 1, add("192.0.2.1")));
    let end = 1 + ANSWER_KEPT_SECONDS;
    assert_eq!(desk.run(end - 1, sensor(), once(1, 1, add("192.0.2.1"))), repeated(vec![Line::Added]));
    assert_eq!(
        desk.run(end, sensor(), once(1, 1, add("192.0.2.1"))),
        Outcome::Lines(vec![Line::Sighted]),
        "it is over, whether it was forgotten or not"
    );
    desk.run(end + ANSWER_KEPT_SECONDS, sensor(), once(2, 1, add("192.0.2.1")));
    let kept = desk.list.records().filter(|record| matches!(record, Record::Answer(..))).count();
    assert_eq!(kept, 1, "what is over goes when the next one comes");
}

#[test]
fn the_oldest_answers_make_room() {
    let mut desk = Desk::default();
    for number in 0..=ANSWERS_MAX as u32 {
        let once =
            Once { key: [1; 16], part: number, request: [1; 16], operation: Box::new(add("192.0.2.1")) };
        desk.run(1 + i64::from(number) / 10_000, sensor(), Operation::Once(once));
    }
    let kept = desk.list.records().filter(|record| matches!(record, Record::Answer(..))).count();
    assert_eq!(kept, ANSWERS_MAX);
    let again = |part| Once { key: [1; 16], part, request: [1; 16], operation: Box::new(add("192.0.2.1")) };
    assert_eq!(desk.run(9, sensor(), Operation::Once(again(9_000))), repeated(vec![Line::Sighted]));
    assert_eq!(desk.run(9, sensor(), Operation::Once(again(0))), Outcome::Lines(vec![Line::Sighted]));
}

#[test]
fn a_key_around_a_key_is_refused() {
    let mut desk = Desk::default();
    let nested = desk.run(1, sensor(), once(1, 1, once(2, 1, add("192.0.2.1"))));
    assert!(matches!(nested, Outcome::Refused(Refusal::Guarded(_))), "{nested:?}");
    assert_eq!(desk.list.count(crate::blocklist::Kind::Ip), 0);
}
