//! `stockade`: one process of the cluster, and the command line that talks to it.

mod agreement;
mod cli;
mod data;
mod formation;
mod open_files;

mod serve;
mod settings;
mod telemetry;

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Measured with a million entries imported on three nodes: a sixth less memory and a seventh less time than with
/// the C library's, which also keeps what was freed after a large body.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    cli::run()
}
