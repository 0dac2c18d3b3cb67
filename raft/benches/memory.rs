//! What an entry costs in memory: the resident set of a process that holds a million, and one that holds none.

mod support;

use std::fs;
use std::process::Command;

use raft::blocklist::Kind;
use support::Filled;

const HOSTS: u32 = 1_000_000;

/// Measures one list when told its sources a host; otherwise starts itself for each, so that what one list has
/// freed does not hide what the next one takes.
#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn main() {
    let told = std::env::args().nth(1).and_then(|argument| argument.parse().ok());
    if let Some(sources) = told {
        let bytes = bytes_per_entry(sources);
        println!("{HOSTS} hosts with {sources} source(s): {bytes} bytes an entry");
        return;
    }
    let this = std::env::current_exe().expect("a program knows its own file");
    for sources in ["1", "3"] {
        let status = Command::new(&this).arg(sources).status().expect("this program starts");
        assert!(status.success(), "the measurement ended with {status}");
    }
}

fn bytes_per_entry(sources: u32) -> u64 {
    let before = resident_bytes();
    let mut filled = Filled::default();
    filled.add_hosts(HOSTS, sources);
    let grown = resident_bytes() - before;
    assert_eq!(filled.list.count(Kind::Ip), HOSTS as usize);
    grown / u64::from(HOSTS)
}

/// The second word of /proc/self/statm is in pages, of 4 KiB wherever this is measured.
fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * 4096
}
