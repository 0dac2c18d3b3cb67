//! The files of a data directory: see `raft::fuzzing::files`.

#![no_main]

use std::sync::LazyLock;

use tempfile::TempDir;

/// In memory where there is such a place, since each input makes files.
static DIR: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a directory"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| raft::fuzzing::files(&DIR.path().join("data"), data));
