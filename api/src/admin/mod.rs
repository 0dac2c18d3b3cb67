//! What operators do: look at the cluster, and change who is in it. Any node answers.

mod audit;
mod backup;
mod consumers;
mod members;
mod settings;
mod status;
mod undo;

pub(crate) use audit::{AuditLine, audit};
pub(crate) use backup::backup;
pub(crate) use consumers::consumers;
pub(crate) use members::{add_member, members, promote, remove_member, transfer_leader};
pub(crate) use settings::{change_settings, show_settings};
pub(crate) use status::{formation, init, snapshot, status};
pub(crate) use undo::undo;
