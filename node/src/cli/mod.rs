//! The command line: which command, and what its exit code says.

mod account;
mod allow;
mod backup;
mod chunks;
mod client;
mod entries;
mod export;
mod follow;
mod health;
mod import;
mod members;
mod output;
mod restore;
mod status;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::serve;
use crate::settings::{Flags, Settings};

/// A shared block list that every network segment can write to and every firewall can read.
///
/// Without a command it runs a node. The other commands talk to a node: STOCKADE_URL says where
/// (several, separated by commas, are tried in turn), STOCKADE_USER and STOCKADE_PASSWORD, or STOCKADE_TOKEN,
/// say who you are. Exit codes: 0 done or listed, 1 not listed or not healthy, 2 an error.
#[derive(Parser)]
#[command(name = "stockade", version, args_conflicts_with_subcommands = true)]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Subcommand)]
enum Command {
    /// Run a node; the same as no command
    Serve(Box<Flags>),
    /// Show the state of the node
    Status(status::Arguments),
    /// Show and change who is in the cluster
    Members(members::Arguments),
    /// Report values: they are listed, or counted as sighted
    Add(entries::Add),
    /// Remove values from the list, or withdraw one's own reports
    Delete(entries::Values),
    /// Look a value up; exit code 1 when it is not listed
    Get(entries::Get),
    /// Write the list, or what is asked for of it, to standard output or a file
    Export(export::Arguments),
    /// Keep a file or a firewall of this machine in step with the list, until it is stopped
    Follow(follow::Arguments),
    /// Report all values of a file or of standard input; a request whose answer was lost is sent again, and counts once
    Import(import::Arguments),
    /// Show and change what must never be blocked
    Allow(allow::Arguments),
    /// Make, show, change and delete accounts and their tokens
    Account(account::Arguments),
    /// Take a backup of the whole list from a node: entries, accounts, allow list, settings
    Backup(backup::Arguments),
    /// Make the first node of a new cluster from a backup, in an empty data directory
    Restore(restore::Arguments),
    /// Ask the node of this machine whether it is alive, for the health check of a container
    Health(health::Arguments),
}

/// How a command of the shell ended, when it was no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Done,
    NotListed,
    /// Docker knows no exit code of a health check but 0 and 1.
    Unhealthy,
}

/// Runs what the command line asks for.
pub(crate) fn run() -> ExitCode {
    let line = Line::parse();
    let result = match line.command {
        None => Settings::resolve(line.flags).and_then(serve::serve),
        Some(Command::Serve(flags)) => Settings::resolve(*flags).and_then(serve::serve),
        Some(command) => talk(command).map(|ended| match ended {
            Ended::Done => ExitCode::SUCCESS,
            Ended::NotListed | Ended::Unhealthy => ExitCode::from(1),
        }),
    };
    result.unwrap_or_else(|message| {
        output::error(&format!("stockade: {message}"));
        ExitCode::from(2)
    })
}

fn talk(command: Command) -> Result<Ended, String> {
    match command {
        Command::Serve(_) => Err("serve is not a request".into()),
        Command::Status(arguments) => arguments.run(),
        Command::Members(arguments) => arguments.run(),
        Command::Add(arguments) => arguments.run(),
        Command::Delete(arguments) => arguments.run(),
        Command::Get(arguments) => arguments.run(),
        Command::Export(arguments) => arguments.run(),
        Command::Follow(arguments) => arguments.run(),
        Command::Import(arguments) => arguments.run(),
        Command::Allow(arguments) => arguments.run(),
        Command::Account(arguments) => arguments.run(),
        Command::Backup(arguments) => arguments.run(),
        Command::Restore(arguments) => arguments.run(),
        Command::Health(arguments) => arguments.run(),
    }
}
