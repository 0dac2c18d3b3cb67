//! How nodes talk to each other: their own TCP port, length-prefixed frames, a handshake that proves the
//! peer secret on both sides, and the cluster's id and both node ids in every message.

mod arriving;
mod callers;
mod client;
mod commits;
mod connection;
#[cfg(test)]
mod cut;
mod frame;
mod handshake;
#[cfg(test)]
mod mangled;
mod message;
mod places;
mod server;
mod told;

pub(crate) use callers::{Callers, Calling};
pub(crate) use client::{PeerClient, Peers, call_timeout};
pub(crate) use message::{Appended, Denied, Reply, Request};
pub(crate) use places::Places;
pub(crate) use server::{Handler, PeerServer};
pub(crate) use told::Told;

/// The parsers of what peers say, for the fuzzers.
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzed {
    pub(crate) use super::frame::{Frame, Route, decode, encode, frames, read_plain};
    pub(crate) use super::handshake::{answer, call};
}
