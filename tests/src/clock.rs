//! A clock that is wrong: libfaketime between a node and its system's time. Its sense of how long things take stays.

use std::fs;
use std::path::PathBuf;

use crate::node::Node;

impl Node {
    /// The node's clock is ahead by so many seconds, from its next start on.
    #[track_caller]
    pub fn set_clock_ahead(&mut self, seconds: u64) {
        let library = library().expect("no libfaketime here: install Debian's package `libfaketime`");
        self.set_variable("LD_PRELOAD", &library.to_string_lossy());
        self.set_variable("FAKETIME", &format!("+{seconds}s"));
        self.set_variable("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}

/// Debian has a folder for each kind of processor.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
    folders.map(|folder| folder.path().join("faketime/libfaketime.so.1")).find(|library| library.is_file())
}
