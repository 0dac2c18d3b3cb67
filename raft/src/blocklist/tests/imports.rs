//! The list is pure: this reads its sources, and fails on what could read a clock, a disk, a network or
//! chance, or have another order in another process.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the sources of the list are.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/blocklist");
/// What may follow `use`.
const ROOTS: [&str; 12] = [
    "std",
    "crate::blocklist",
    "super",
    "serde",
    "ipnet",
    "imbl",
    "idna",
    "psl",
    "url",
    "time",
    "thiserror",
    "self",
];
/// What may stand nowhere, and what it would bring in.
const BANNED: [(&str, &str); 15] = [
    ("std::time", "a clock"),
    ("std::fs", "a disk"),
    ("std::env", "the settings of one process"),
    ("std::io", "a disk or a network"),
    ("std::process", "the process"),
    ("std::thread", "an order of its own"),
    ("std::sync::Mutex", "state that is not replicated"),
    ("std::sync::atomic", "state that is not replicated"),
    ("HashMap", "an order that differs between processes"),
    ("HashSet", "an order that differs between processes"),
    ("TcpStream", "a network"),
    ("ToSocketAddrs", "a network"),
    ("now_utc", "a clock"),
    ("now_local", "a clock"),
    ("thread_local", "state that is not replicated"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What is wrong with one source file.
fn faults(text: &str) -> Vec<String> {
    // The name of the small modules of a file, by which it may go on.
    let own: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let mut faults = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        let used = line.strip_prefix("pub use ").or_else(|| line.strip_prefix("use "));
        if let Some(used) = used {
            let starts = |root: &str| {
                used.strip_prefix(root).is_some_and(|rest| rest.starts_with([':', ';', ' ', '{']))
            };
            if !ROOTS.iter().chain(&own).any(|root| starts(root)) {
                faults.push(format!("`{line}` is none of the imports of a pure module"));
            }
        }
        for (word, what) in BANNED {
            if line.contains(word) {
                faults.push(format!("`{line}` brings in {what}"));
            }
        }
    }
    faults
}

#[test]
fn the_list_imports_only_pure_things() {
    let mut files = Vec::new();
    sources(Path::new(SOURCES), &mut files);
    assert!(files.len() > 10, "the sources are not where they were");
    let found: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let name = file.display().to_string();
            faults(&fs::read_to_string(file).unwrap())
                .into_iter()
                .map(move |fault| format!("{name}: {fault}"))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_check_can_fail() {
    for line in [
        "use std::time::SystemTime;",
        "use tokio::sync::mpsc;",
        "use crate::cluster::Cluster;",
        "pub use rand::random;",
        "let now = std::time::Instant::now();",
        "use std::collections::HashMap;",
        "let now = OffsetDateTime::now_utc();",
        "let seen = std::collections::HashSet::new();",
    ] {
        assert!(!faults(line).is_empty(), "{line}");
    }
    assert!(faults("mod kind;\npub use kind::Kind;\nuse super::Kind;\nuse std::net::IpAddr;").is_empty());
}
