//! Short ways to say commands, and a list that is fed one command at a time.

use crate::blocklist::{
    Actor, Applied, Batch, Change, Command, Kind, Line, List, Observable, Operation, Origin, Outcome,
    Refusal, Report, Role, Timestamp, WholeEntry,
};

pub(super) fn ip(text: &str) -> Observable {
    Observable::parse(Kind::Ip, text).unwrap()
}

pub(super) fn report(value: &str) -> Report {
    Report {
        value: ip(value),
        comment: "Bad guy".into(),
        source: "198.51.100.9".into(),
        ttl: None,
        tags: [].into(),
        seen: None,
    }
}

pub(super) fn actor(account: &str, role: Role) -> Actor {
    Actor { account: account.into(), role, address: "203.0.113.250".into() }
}

pub(super) fn command(second: i64, actor: Actor, operation: Operation) -> Command {
    Command::new(Timestamp(second * 1000), actor, operation)
}

pub(crate) fn batch(first_sequence: u64, commands: Vec<Command>) -> Batch {
    Batch { origin: Origin { node: 1, incarnation: 1 }, first_sequence, commands }
}

/// A list with one outbox in front of it; the index of a batch is the number of its first command.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) list: List,
    pub(super) sent: u64,
}

impl Desk {
    /// Applies one command as one batch.
    pub(super) fn send(&mut self, command: Command) -> (Outcome, Vec<Change>) {
        self.sent += 1;
        let Applied { mut outcomes, rejected, changes } =
            self.list.apply(self.sent, &batch(self.sent, vec![command]));
        assert!(!rejected);
        (outcomes.remove(0).unwrap(), changes)
    }

    pub(super) fn run(&mut self, second: i64, actor: Actor, operation: Operation) -> Outcome {
        self.send(command(second, actor, operation)).0
    }

    /// One report of the analyst `pts2021` at this second.
    pub(super) fn add(&mut self, second: i64, report: Report) -> Line {
        self.line(second, actor("pts2021", Role::Analyst), Operation::Add(vec![report]))
    }

    /// The one line of an operation on one observable.
    pub(super) fn line(&mut self, second: i64, actor: Actor, operation: Operation) -> Line {
        match self.run(second, actor, operation) {
            Outcome::Lines(mut lines) if lines.len() == 1 => lines.remove(0),
            other => panic!("not one line: {other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn entry(&self, value: &str) -> WholeEntry {
        WholeEntry::from(&**self.list.get(&ip(value)).expect("listed"))
    }
}

pub(super) fn not_found(sentence: &str) -> Refusal {
    Refusal::NotFound(sentence.to_owned())
}
