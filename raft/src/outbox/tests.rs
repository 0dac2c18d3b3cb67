use futures_util::FutureExt;
use tempfile::TempDir;

use super::*;
use crate::blocklist::{Actor, Observable, Operation, Report, Role, Timestamp};

const ORIGIN: Origin = Origin { node: 1, incarnation: 3 };

fn limits() -> Limits {
    Limits { bytes_max: 1 << 20, age_max: Duration::from_secs(60), accept_after: Duration::from_millis(20) }
}

fn open(dir: &TempDir, limits: Limits) -> Outbox {
    let (file, kept) = PendingFile::open(dir.path()).unwrap();
    Outbox::new(ORIGIN, limits, file, kept)
}

fn outbox() -> (TempDir, Outbox) {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir, limits());
    (dir, outbox)
}

fn report(name: &str) -> Command {
    let value = Observable::Username(name.into());
    let empty: Arc<str> = "".into();
    let report = Report {
        value,
        comment: empty.clone(),
        source: empty.clone(),
        ttl: None,
        tags: [].into(),
        seen: None,
    };
    Command::new(
        Timestamp(i64::MAX / 4),
        Actor { account: empty.clone(), role: Role::Sensor, address: empty },
        Operation::Add(vec![report]),
    )
}

fn sequences(submitted: Vec<Submitted>) -> Vec<u64> {
    let sequence = |one| match one {
        Submitted::Accepted(id) => id.sequence,
        Submitted::Written(written) => panic!("{written:?}"),
    };
    submitted.into_iter().map(sequence).collect()
}

/// Long enough for any answer, short enough to fail.
const SOON: Duration = Duration::from_secs(5);

fn command(name: &str) -> Command {
    let actor = Actor { account: "".into(), role: Role::Admin, address: "".into() };
    Command::new(Timestamp(i64::MAX / 4), actor, Operation::DeleteAccount(name.into()))
}

fn names(batch: Option<EncodedBatch>) -> (u64, Vec<String>) {
    let batch: Batch = codec::decode(Content::Batch, &batch.expect("a batch").0).unwrap();
    let names = batch.commands.into_iter().map(|command| match command.operation {
        Operation::DeleteAccount(name) => name.to_string(),
        Operation::Add(reports) => reports[0].value.to_string(),
        other => panic!("{other:?}"),
    });
    (batch.first_sequence, names.collect())
}

#[test]
fn what_was_not_applied_is_sent_again_under_the_same_numbers() {
    let (_dir, outbox) = outbox();
    let mut answers = outbox.enqueue(vec![command("a"), command("b")]).unwrap();
    assert_eq!(names(outbox.next_batch().unwrap()), (1, vec!["a".into(), "b".into()]));
    assert!(outbox.next_batch().unwrap().is_none());
    outbox.applied(9, 1, vec![Some(Outcome::Done)]);
    let Submitted::Written(written) = answers[0].1.try_recv().unwrap().unwrap() else { panic!() };
    assert_eq!(written.index, 9);
    outbox.enqueue(vec![command("c")]).unwrap();
    outbox.reset_session();
    assert_eq!(names(outbox.next_batch().unwrap()), (2, vec!["b".into(), "c".into()]));
    assert!(answers[1].1.try_recv().is_err());
}

#[test]
fn a_batch_that_is_applied_twice_answers_once() {
    let (_dir, outbox) = outbox();
    outbox.enqueue(vec![command("a"), command("b")]).unwrap();
    outbox.next_batch().unwrap();
    outbox.applied(9, 1, vec![Some(Outcome::Done)]);
    outbox.applied(10, 1, vec![None, Some(Outcome::Done)]);
    assert_eq!(outbox.len(), 0);
}

#[tokio::test]
async fn a_command_that_no_leader_took_is_taken_back() {
    let (_dir, outbox) = outbox();
    let error = outbox.submit(vec![command("a")], Duration::from_millis(1)).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert_eq!(outbox.len(), 0);
}

#[tokio::test]
async fn a_command_that_was_handed_on_has_an_unknown_outcome() {
    let (_dir, outbox) = outbox();
    let submit = outbox.submit(vec![command("a")], Duration::from_millis(50));
    let hand_on = async {
        outbox.work().await;
        outbox.next_batch().unwrap();
    };
    let (answer, ()) = tokio::join!(submit, hand_on);
    assert!(matches!(answer.unwrap_err(), Error::OutcomeUnknown { id: Some(_), .. }));
    assert_eq!(outbox.len(), 1, "it stays until it is applied");
}

/// One command of so many reports.
fn heavy(name: &str, reports: usize) -> Command {
    let mut command = report(name);
    if let Operation::Add(list) = &mut command.operation {
        *list = vec![list[0].clone(); reports];
    }
    command
}

#[tokio::test]
async fn who_waits_for_company_is_not_woken_before_it_is_there() {
    let (_dir, outbox) = outbox();
    let wakes = || outbox.work().now_or_never().is_some();
    let enough = Unsent { commands: 3, weight: 10 };
    outbox.enqueue(vec![command("a")]).unwrap();
    assert!(wakes() && !wakes(), "the first of all");
    assert!(outbox.gathered(enough).now_or_never().is_none());
    outbox.enqueue(vec![command("b")]).unwrap();
    assert!(!wakes());
    outbox.enqueue(vec![command("c")]).unwrap();
    assert!(wakes());
    assert!(outbox.gathered(enough).now_or_never().is_some(), "it is here");

    outbox.next_batch().unwrap();
    assert_eq!(outbox.unsent(10), Unsent::default());
    outbox.enqueue(vec![command("d")]).unwrap();
    assert!(wakes(), "nothing more is waited for since the last look");
    assert!(outbox.gathered(enough).now_or_never().is_none());
    outbox.enqueue(vec![heavy("e", 9)]).unwrap();
    assert!(wakes(), "as heavy as many");
    outbox.next_batch().unwrap();
    assert!(outbox.gathered(enough).now_or_never().is_none());
    outbox.reset_session();
    assert!(wakes(), "all of it is to be sent again");
}

#[tokio::test]
async fn a_command_that_did_not_fit_the_batch_is_taken_back() {
    let (_dir, outbox) = outbox();
    outbox.enqueue(vec![heavy("a", BATCH_WEIGHT_MAX - 1)]).unwrap();
    let submit = outbox.submit(vec![heavy("b", 2)], Duration::from_millis(50));
    let hand_on = async {
        outbox.work().await;
        assert_eq!(names(outbox.next_batch().unwrap()), (1, vec!["a".into()]));
    };
    let (answer, ()) = tokio::join!(submit, hand_on);
    assert!(matches!(answer.unwrap_err(), Error::Unavailable { .. }), "nobody has seen it");
    assert_eq!(outbox.len(), 1);
    outbox.reset_session();
    assert_eq!(names(outbox.next_batch().unwrap()), (1, vec!["a".into()]), "and nobody will");

    // What is heavier than a batch goes alone.
    outbox.enqueue(vec![heavy("c", BATCH_WEIGHT_MAX + 1), heavy("d", 1)]).unwrap();
    assert_eq!(names(outbox.next_batch().unwrap()), (2, vec!["c".into()]));
    assert_eq!(names(outbox.next_batch().unwrap()), (3, vec!["d".into()]));
}

#[test]
fn too_many_waiting_commands_are_refused() {
    let (_dir, outbox) = outbox();
    let many = (0..COMMANDS_MAX).map(|_| command("a")).collect();
    outbox.enqueue(many).unwrap();
    assert!(matches!(outbox.enqueue(vec![command("b")]), Err(Error::Overloaded(_))));
}

#[tokio::test]
async fn reports_without_a_majority_go_to_disk_with_all_numbered_commands() {
    let (dir, outbox) = outbox();
    // One command is on its way to a leader that is gone; nobody knows what became of it.
    let mut lost = outbox.enqueue(vec![command("a")]).unwrap();
    outbox.next_batch().unwrap();
    let accepted = outbox.submit_reports(vec![report("b"), report("c")], SOON).await.unwrap();
    assert_eq!(sequences(accepted), [2, 3]);
    assert!(lost[0].1.try_recv().is_err(), "it was no report, and its caller waits on");
    assert_eq!(outbox.depth().commands, 3);

    // The next run goes on with the same numbers, and so do new reports.
    drop(outbox);
    let outbox = open(&dir, limits());
    assert_eq!(outbox.pending_after(0).unwrap().reports.len(), 2, "a deletion is not shown");
    assert_eq!(sequences(outbox.submit_reports(vec![report("d")], SOON).await.unwrap()), [4]);
    outbox.prepare().await.unwrap();
    assert_eq!(names(outbox.next_batch().unwrap()), (1, ["a", "b", "c", "d"].map(String::from).to_vec()));

    // Applied, they are gone from the disk before anything else is handed on.
    outbox.applied(7, 1, vec![Some(Outcome::Done); 4]);
    outbox.enqueue(vec![command("e")]).unwrap();
    assert!(outbox.next_batch().unwrap().is_none(), "not before the file is empty");
    outbox.prepare().await.unwrap();
    assert_eq!(names(outbox.next_batch().unwrap()), (5, vec!["e".into()]));
    drop(outbox);
    assert_eq!(PendingFile::open(dir.path()).unwrap().1, []);
}

#[tokio::test]
async fn what_is_handed_on_while_something_is_kept_is_kept_first() {
    let (dir, outbox) = outbox();
    outbox.submit_reports(vec![report("a"), report("b")], SOON).await.unwrap();
    let mut waits = outbox.enqueue(vec![command("c")]).unwrap();
    assert_eq!(names(outbox.next_batch().unwrap()), (1, vec!["a".into(), "b".into()]));
    outbox.prepare().await.unwrap();
    assert!(outbox.next_batch().unwrap().is_none(), "what is no report waits until there is a majority");
    outbox.applied(7, 1, vec![Some(Outcome::Done)]);
    outbox.prepare().await.unwrap();
    assert_eq!(names(outbox.next_batch().unwrap()), (3, vec!["c".into()]));
    assert!(waits[0].1.try_recv().is_err(), "only reports are accepted");
    drop(outbox);
    let kept: Vec<u64> = PendingFile::open(dir.path()).unwrap().1.iter().map(|kept| kept.sequence).collect();
    assert_eq!(kept, [1, 2, 3], "the file is emptied as a whole");
    // Applied ones are known from the list, and are not sent again.
    let outbox = open(&dir, limits());
    let mut list = List::default();
    list.apply(7, &Batch { origin: ORIGIN, first_sequence: 1, commands: vec![report("a")] });
    outbox.overtaken(&list);
    assert_eq!(names(outbox.next_batch().unwrap()), (2, vec!["b".into(), "c".into()]));
}

#[tokio::test]
async fn a_snapshot_that_holds_all_that_is_kept_has_the_file_emptied() {
    let (dir, outbox) = outbox();
    outbox.submit_reports(vec![report("a")], SOON).await.unwrap();
    outbox.work().await;
    assert!(outbox.work().now_or_never().is_none(), "whoever hands on has nothing to do");
    let mut list = List::default();
    list.apply(7, &Batch { origin: ORIGIN, first_sequence: 1, commands: vec![report("a")] });
    outbox.overtaken(&list);
    assert!(outbox.work().now_or_never().is_some());
    outbox.prepare().await.unwrap();
    assert_eq!(PendingFile::open(dir.path()).unwrap().1, []);
}

#[tokio::test]
async fn at_the_limit_a_report_is_refused_and_gets_no_number() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir, Limits { bytes_max: 200, ..limits() });
    outbox.submit_reports(vec![report("a")], SOON).await.unwrap();
    let long = "x".repeat(200);
    let refused = outbox.submit_reports(vec![report(&long)], SOON).await.unwrap_err();
    assert!(matches!(refused, Error::Full(_)), "{refused:?}");
    assert_eq!(outbox.len(), 1);
    assert_eq!(sequences(outbox.submit_reports(vec![report("b")], SOON).await.unwrap()), [2]);

    let old = open(&tempfile::tempdir().unwrap(), Limits { age_max: Duration::ZERO, ..limits() });
    let ancient = Command { time: Timestamp(0), ..report("a") };
    old.submit_reports(vec![ancient], SOON).await.unwrap();
    let refused = old.submit_reports(vec![report("b")], SOON).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_node_that_is_about_to_leave_accepts_nothing_more() {
    let (_dir, outbox) = outbox();
    outbox.submit_reports(vec![report("a")], SOON).await.unwrap();
    // What is on its way to the disk counts like what is there.
    let marked = outbox.enqueue(vec![report("b")]).unwrap()[0].0;
    assert!(outbox.accept_soon(&[marked]));
    assert_eq!(outbox.settle_up(SOON), 2);
    let timeout = Duration::from_millis(50);
    let refused = outbox.submit_reports(vec![report("c")], timeout).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused:?}");
    assert_eq!(outbox.len(), 2, "and it was taken back");

    // It stays after all.
    assert_eq!(outbox.settle_up(Duration::ZERO), 2);
    assert_eq!(sequences(outbox.submit_reports(vec![report("d")], SOON).await.unwrap()), [3]);
}

#[tokio::test]
async fn what_became_of_a_command_is_told() {
    let (_dir, outbox) = outbox();
    outbox.submit_reports(vec![report("a")], SOON).await.unwrap();
    let id = |sequence| RequestId { origin: ORIGIN, sequence };
    let list = List::default();
    assert_eq!(outbox.request(id(1), &list), RequestState::Pending);
    assert_eq!(outbox.request(id(2), &list), RequestState::Unknown);
    outbox.applied(9, 1, vec![Some(Outcome::Done)]);
    let applied = RequestState::Applied { index: Some(9), outcome: Some(Outcome::Done) };
    assert_eq!(outbox.request(id(1), &list), applied);

    // Of other nodes, what the list knows.
    let mut list = List::default();
    let other = Origin { node: 2, incarnation: 5 };
    list.apply(7, &Batch { origin: other, first_sequence: 1, commands: vec![report("a")] });
    let of = |origin, sequence| outbox.request(RequestId { origin, sequence }, &list);
    assert_eq!(of(other, 1), RequestState::Applied { index: None, outcome: None });
    assert_eq!(of(other, 2), RequestState::Pending);
    assert_eq!(of(Origin { node: 2, incarnation: 4 }, 1), RequestState::Unknown);
    assert_eq!(of(Origin { node: 3, incarnation: 1 }, 1), RequestState::Unknown);
}
