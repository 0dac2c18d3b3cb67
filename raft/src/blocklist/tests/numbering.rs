//! Outboxes and their sequences; node ids. What is sent again counts once, what is missing stops the rest.

use super::fixtures::{actor, batch, command, ip, report};
use crate::blocklist::{
    Actor, Batch, Command, Kind, List, Operation, Origin, OriginMark, Outcome, Refusal, Role,
};

fn add() -> Command {
    command(1, actor("pts2021", Role::Analyst), Operation::Add(vec![report("192.0.2.1")]))
}

fn of(incarnation: u64, first_sequence: u64, count: usize) -> Batch {
    let origin = Origin { node: 1, incarnation };
    Batch { origin, ..batch(first_sequence, vec![add(); count]) }
}

/// What a batch does to a list that had three commands of incarnation 5: how many of its commands are
/// done, or nothing when it is rejected.
#[track_caller]
fn check(sent: Batch, done: Option<usize>, reason: &str) {
    let mut list = List::default();
    list.apply(1, &of(5, 1, 3));
    let before = list.clone();
    let applied = list.apply(2, &sent);
    let counted = applied.outcomes.iter().flatten().count();
    assert_eq!((!applied.rejected).then_some(counted), done, "{reason}");
    if done.is_none_or(|done| done == 0) {
        assert_eq!((&list, applied.changes.len()), (&before, 0), "{reason}");
    } else {
        let last = sent.first_sequence + sent.commands.len() as u64 - 1;
        let mark = OriginMark { incarnation: sent.origin.incarnation, sequence: last };
        assert_eq!(list.origin(1), Some(mark), "{reason}");
        assert_eq!(list.get(&ip("192.0.2.1")).unwrap().sighting as usize, 2 + counted, "{reason}");
    }
}

#[test]
fn commands_count_once_and_in_order() {
    check(of(5, 4, 2), Some(2), "the next ones");
    check(of(5, 1, 3), Some(0), "all of it again");
    check(of(5, 2, 4), Some(2), "half of it again");
    check(of(5, 3, 1), Some(0), "the last again");
    check(of(5, 5, 1), None, "one is missing");
    check(of(5, 9, 0), None, "missing, and empty");
    check(of(5, 4, 0), Some(0), "nothing in it");
    check(of(5, 0, 2), Some(0), "sequences begin at 1");
    check(of(6, 1, 1), Some(1), "a new outbox");
    check(of(9, 1, 1), Some(1), "a later outbox");
    check(of(6, 2, 1), None, "a new outbox whose first command is missing");
    check(of(6, 4, 1), None, "a new outbox does not go on where the old one was");
    check(of(4, 1, 1), None, "an outbox that was given up");
    check(of(4, 4, 1), None, "an outbox that was given up");
}

#[test]
fn outboxes_of_several_nodes_do_not_meet() {
    let mut list = List::default();
    for node in [1, 2, 3] {
        let sent = Batch { origin: Origin { node, incarnation: node }, ..of(0, 1, 1) };
        assert_eq!(list.apply(node, &sent).outcomes.len(), 1);
    }
    assert_eq!(list.get(&ip("192.0.2.1")).unwrap().sighting, 2);
    let first = Batch { origin: Origin { node: 9, incarnation: 1 }, ..of(0, 2, 1) };
    assert!(list.apply(4, &first).rejected, "the first ever is 1");
}

#[test]
fn the_last_sequence_of_all_is_no_overflow() {
    let mut list = List::default();
    let mark = OriginMark { incarnation: 5, sequence: u64::MAX - 1 };
    list.restore(crate::blocklist::Record::Origin(1, mark));
    let applied = list.apply(1, &of(5, u64::MAX, 2));
    assert_eq!(applied.outcomes.iter().flatten().count(), 1);
}

fn cluster(list: &mut List, operation: Operation) -> Outcome {
    let sequence = list.origin(1).map_or(0, |mark| mark.sequence) + 1;
    let nobody = Actor { address: "".into(), ..actor("", Role::Admin) };
    list.apply(sequence, &batch(sequence, vec![command(1, nobody, operation)])).outcomes.remove(0).unwrap()
}

#[test]
fn a_cluster_is_founded_once_and_gives_each_node_id_once() {
    let mut list = List::default();
    let found = |id| Operation::Found { cluster_id: [id; 16], peer_secret: [id; 32] };
    let allocate = |key| Operation::AllocateNode { join_key: [key; 16] };
    assert!(matches!(cluster(&mut list, allocate(1)), Outcome::Refused(Refusal::Conflict(_))));
    assert_eq!(cluster(&mut list, found(7)), Outcome::Done);
    assert!(matches!(cluster(&mut list, found(8)), Outcome::Refused(Refusal::Conflict(_))));
    assert_eq!((list.cluster().cluster_id, list.cluster().last_node_id), ([7; 16], 1));

    assert_eq!(cluster(&mut list, allocate(1)), Outcome::Node(2));
    assert_eq!(cluster(&mut list, allocate(2)), Outcome::Node(3));
    assert_eq!(cluster(&mut list, allocate(1)), Outcome::Node(2), "tried again");
}

#[test]
fn join_keys_are_remembered_up_to_a_limit() {
    let mut list = List::default();
    cluster(&mut list, Operation::Found { cluster_id: [7; 16], peer_secret: [7; 32] });
    for number in 0..1030u128 {
        cluster(&mut list, Operation::AllocateNode { join_key: number.to_le_bytes() });
    }
    assert_eq!((list.cluster().joins.len(), list.cluster().last_node_id), (1024, 1031));
    assert!(!list.cluster().joins.contains_key(&5u128.to_le_bytes()), "the oldest are forgotten");
    assert!(list.cluster().joins.contains_key(&6u128.to_le_bytes()));
}

#[test]
fn a_clone_holds_still() {
    let mut list = List::default();
    list.apply(1, &of(5, 1, 1));
    let picture = list.clone();
    list.apply(2, &of(5, 2, 1));
    assert_eq!(picture.get(&ip("192.0.2.1")).unwrap().sighting, 0);
    assert_eq!(list.get(&ip("192.0.2.1")).unwrap().sighting, 1);
    assert_eq!(picture.count(Kind::Ip), 1);
}
