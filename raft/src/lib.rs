//! The list and the agreement on it.

pub mod blocklist;
#[expect(dead_code, reason = "the store and the network that it is for are yet to come")]
mod codec;
