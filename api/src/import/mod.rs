//! Imports: public feeds, read by `stockade import` and, on a schedule, by the leader.
//!
//! `profile` says what is taken from where; `fetch` gets it, `format` reads it, `run` brings the list in step with it and
//! says how that went (`report`), `schedule` knows when; `manage` is `/admin/imports`. What an import reports stands on
//! the list under an account of its own, `import/NAME`: that is how a run knows what earlier ones said, whichever node
//! led then, and how only that is withdrawn.

mod difference;
mod fetch;
pub mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod manage;
mod profile;
mod report;
mod run;
mod schedule;

pub(crate) use manage::{ask, delete, go_on, list, put, show};
pub(crate) use report::figures;
pub(crate) use schedule::run as keep;
