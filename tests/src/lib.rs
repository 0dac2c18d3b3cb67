//! Black-box stories on real processes: what a story needs to start nodes, talk to them and break them.
//!
//! Nothing here knows the crates under test. A story sees what a user sees: a binary, its ports, its files.

mod binary;
mod callers;
mod chance;
mod cli;
mod client;
mod clock;
mod cluster;
mod enclosed;
mod events;
mod faults;
mod follower;
mod history;
mod home;
mod line;
mod load;
mod machine;
mod node;
mod packets;
mod parity;
mod ports;
mod proxy;
mod raw;
mod sensor;
mod volume;
mod wait;
mod wheels;
mod wired;
mod workspace;

pub use binary::binary;
pub use chance::Chance;
pub use cli::{Cli, Ran};
pub use client::{Answer, Client, Request};
pub use cluster::{PASSWORD, TOKEN, TestCluster};
pub use enclosed::Enclosed;
pub use events::{Event, Events};
pub use faults::Fault;
pub use follower::{Follower, Page};
pub use history::{Action, Finding, History, Outcome, Promise, Request as Asked, Witnesses};
pub use home::Home;
pub use line::Line;
pub use load::{Ledger, Load};
pub use machine::Machine;
pub use node::{Node, copy_directory};
pub use packets::{Echo, Packets};
pub use parity::same_values_in_every_format;
pub use ports::Port;
pub use proxy::Proxy;
pub use raw::{analyst_header, read_answer, send_raw};
pub use sensor::{Reported, Sensor, run};
pub use volume::Volume;
pub use wait::wait_for;
pub use wheels::wheel;
pub use wired::Wired;
pub use workspace::workspace;
