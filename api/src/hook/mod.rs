//! Webhooks: `POST /hook/<name>` takes any JSON and turns it into reports, as a mapping says that admins keep in the
//! replicated list.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod manage;
mod mapping;
mod pointer;
mod receive;

pub(crate) use manage::{delete, list, put, show};
pub(crate) use receive::receive;
