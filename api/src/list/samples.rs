//! Lists for tests: they are written as a cluster writes them, one command at a time.

use raft::blocklist::{
    Actor, Batch, Command, Kind, List, NewAllow, Observable, Operation, Origin, Outcome, Report, Role,
    Timestamp,
};

/// The clock of the tests.
pub(crate) const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// A list and the one who writes to it.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) list: List,
    sent: u64,
}

impl Desk {
    /// Runs one command of an analyst, so many seconds before now.
    pub(crate) fn run(&mut self, seconds_ago: i64, account: &str, operation: Operation) -> Outcome {
        self.sent += 1;
        let actor = Actor { account: account.into(), role: Role::Analyst, address: "10.0.0.7".into() };
        let command = Command::new(NOW.plus_seconds(-seconds_ago), actor, operation);
        let origin = Origin { node: 1, incarnation: 1 };
        let batch = Batch { origin, first_sequence: self.sent, commands: vec![command] };
        self.list.apply(self.sent, &batch).outcomes.remove(0).expect("it is its turn")
    }

    /// Adds an address, or sights it.
    pub(crate) fn add(&mut self, seconds_ago: i64, account: &str, value: &str, source: &str, tags: &[&str]) {
        let report = Report {
            value: ip(value),
            comment: "".into(),
            source: source.into(),
            ttl: None,
            tags: tags.iter().map(|tag| (*tag).into()).collect(),
            seen: None,
        };
        self.run(seconds_ago, account, Operation::Add(vec![report]));
    }

    #[cfg(test)]
    pub(crate) fn delete(&mut self, value: &str) {
        self.run(0, "anna", Operation::Delete(vec![ip(value)]));
    }

    pub(crate) fn allow(&mut self, value: &str) {
        self.run(0, "anna", Operation::AllowAdd(vec![NewAllow { value: ip(value), comment: "".into() }]));
    }
}

pub(crate) fn ip(text: &str) -> Observable {
    Observable::parse(Kind::Ip, text).expect("an address")
}

/// Four entries that differ in all that can be asked for.
pub(crate) fn sample() -> List {
    let mut desk = Desk::default();
    desk.add(3000, "anna", "192.0.2.2", "ids-1", &["ssh"]);
    desk.add(2000, "anna", "198.51.100.0/24", "fw", &[]);
    desk.add(1000, "anna", "192.0.2.1", "ids-1", &["scan"]);
    desk.add(1000, "berta", "2001:db8::1", "ids-2", &["scan"]);
    desk.add(500, "anna", "192.0.2.2", "ids-1", &[]);
    desk.add(50, "berta", "192.0.2.1", "ids-2", &["ssh"]);
    desk.add(10, "anna", "192.0.2.2", "ids-1", &[]);
    desk.list
}
