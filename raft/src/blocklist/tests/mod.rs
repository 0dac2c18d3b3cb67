//! What the list promises, rule by rule; `replay` holds the promises that every history must keep.

mod fixtures;

mod accounts;
mod allowing;
mod auditing;
mod by_value;
mod deleting;
mod entries;
mod expiring;
mod feeds;
mod following;
mod guards;
mod hooks;
mod imports;
mod lookup;
mod moments;
mod numbering;
mod once;
mod parsing;
mod patching;
mod replay;
mod reporting;
mod stored;
mod taking_in;
mod undoing;

pub(crate) use fixtures::batch;
pub(crate) use replay::history;
