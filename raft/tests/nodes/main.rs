//! Whole nodes in one process, over real sockets and disks, without HTTP.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod restart;
mod support;
mod three_nodes;
