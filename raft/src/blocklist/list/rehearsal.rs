//! What would come of commands, tried on a copy: nothing of it is kept.

use super::List;
use crate::blocklist::command::{Batch, Command, Origin, Outcome};

/// An outbox that no node has.
const NOBODY: Origin = Origin { node: u64::MAX, incarnation: u64::MAX };

/// A copy of the list on which commands are tried, one after the other.
#[derive(Debug)]
pub struct Rehearsal {
    list: List,
    index: u64,
    sequence: u64,
}

impl Rehearsal {
    /// Begins with the list as it is at `index`; the copy is cheap.
    pub fn new(list: &List, index: u64) -> Rehearsal {
        Rehearsal { list: list.clone(), index, sequence: 0 }
    }

    /// The list as it would be.
    pub fn list(&self) -> &List {
        &self.list
    }

    /// What would come of these commands, after those tried before.
    pub fn run(&mut self, commands: Vec<Command>) -> Vec<Outcome> {
        self.index += 1;
        let count = commands.len() as u64;
        let batch = Batch { origin: NOBODY, first_sequence: self.sequence + 1, commands };
        self.sequence += count;
        self.list.apply(self.index, &batch).outcomes.into_iter().flatten().collect()
    }
}
