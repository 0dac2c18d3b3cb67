//! What the targets of `tests/fuzz` call, a function each: they read any bytes as a node does, and say what must be
//! true of what comes out. There for the fuzzers and for tests alone, which read the seeds with them.

mod files;
mod frames;
mod networks;
mod observables;
mod records;
#[cfg(test)]
mod seeds;

pub use files::files;
pub use frames::frames;
pub use networks::networks;
pub use observables::observables;
pub use records::records;

use crate::blocklist::{Actor, Batch, Command, List, Operation, Origin, Role, Timestamp};

/// The moment of all commands.
const TIME: Timestamp = Timestamp(1_795_000_000_000);

/// The first byte of an input, by which it says what the others are, and those. Seeds have a digit or a letter there.
fn chosen(data: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((usize::from(first.wrapping_sub(b'0')), rest))
}

/// What an input is made of: pieces, each with its length before it, in two bytes. The last one may be shorter.
fn pieces(mut data: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let [high, low, rest @ ..] = data {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (piece, after) = rest.split_at(len);
        pieces.push(piece);
        data = after;
    }
    pieces
}

/// A command of an admin.
fn command(operation: Operation) -> Command {
    let actor = Actor { account: "anna".into(), role: Role::Admin, address: "203.0.113.250".into() };
    Command::new(TIME, actor, operation)
}

/// Applies one operation at an index; each index has one.
fn apply(list: &mut List, index: u64, operation: Operation) {
    let origin = Origin { node: 1, incarnation: 1 };
    let applied =
        list.apply(index, &Batch { origin, first_sequence: index, commands: vec![command(operation)] });
    assert!(!applied.rejected, "it is the turn of {index}");
}
