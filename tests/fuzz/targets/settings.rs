//! The settings file of a node. What is read of it is checked, or refused with a word of what is wrong; and the command
//! line counts more than the file.

#![no_main]

use std::fs;
use std::sync::LazyLock;

use clap::Parser;
use tempfile::TempDir;

#[path = "../../../node/src/settings.rs"]
mod settings;

use settings::{Flags, Settings};

#[derive(Parser)]
struct Node {
    #[command(flatten)]
    flags: Flags,
}

static DIR: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a directory"));

/// The settings of a node with this file and these flags.
fn settings(more: &[&str]) -> Result<Settings, String> {
    let file = DIR.path().join("settings.toml");
    let path = file.to_str().expect("a path in plain letters");
    let line = ["stockade", "--settings", path].into_iter().chain(more.iter().copied());
    Settings::resolve(Node::try_parse_from(line).expect("the flags are known").flags)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fs::write(DIR.path().join("settings.toml"), data).expect("a file");
    match settings(&[]) {
        Err(error) => assert!(!error.is_empty()),
        Ok(settings) => {
            assert!(settings.threads > 0 && settings.connections_max > 0 && settings.body_bytes_max > 0);
            assert!(settings.expect.is_none_or(|expect| expect >= settings.join.len()));
            assert!(settings.dnsbl.is_empty() || settings.dnsbl_zone.is_some());
            let flagged = self::settings(&["--log-keep", "7"]).expect("a flag is in the way of nothing");
            assert_eq!(flagged, Settings { log_keep_entries: 7, ..settings });
        }
    }
});
