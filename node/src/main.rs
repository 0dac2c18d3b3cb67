//! `stockade`: one process of the cluster, and the command line that talks to it.

mod cli;
mod data;
mod formation;
mod open_files;

mod serve;
mod settings;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
