//! Black-box stories on real processes: what a story needs to start nodes, talk to them and break them.
//!
//! Nothing here knows the crates under test. A story sees what a user sees: a binary, its ports, its files.

mod binary;
mod cli;
mod client;
mod cluster;
mod events;
mod home;
mod load;
mod node;
mod ports;
mod proxy;
mod volume;
mod wait;
mod workspace;

pub use binary::binary;
pub use cli::{Cli, Ran};
pub use client::{Answer, Client, Request};
pub use cluster::{PASSWORD, TOKEN, TestCluster};
pub use events::{Event, Events};
pub use home::Home;
pub use load::{Ledger, Load};
pub use node::{Node, copy_directory};
pub use ports::Port;
pub use proxy::Proxy;
pub use volume::Volume;
pub use wait::wait_for;
pub use workspace::workspace;
