//! The files of a data directory: see `raft::fuzzing::files`.

#![no_main]

use std::panic;
use std::sync::LazyLock;

use tempfile::TempDir;

/// The package whose panics at damage are taken for what they are, and no finding.
const PANICS_AT_DAMAGE: [&str; 2] = ["/raft-log-", "/chunked-wal-"];

/// In memory where there is such a place, since each input makes files.
static DIR: LazyLock<TempDir> = LazyLock::new(|| {
    let finding = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let file = panic.location().map(|location| location.file()).unwrap_or_default();
        if !PANICS_AT_DAMAGE.iter().any(|package| file.contains(package)) {
            finding(panic);
        }
    }));
    TempDir::new().expect("a directory")
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| raft::fuzzing::files(&DIR.path().join("data"), data));
