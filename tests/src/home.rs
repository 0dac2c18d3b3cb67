//! A directory for one story: gone when it succeeds, kept when it fails.

use std::path::Path;
use std::thread;

use tempfile::TempDir;

/// A temporary directory that outlives a failed story.
#[derive(Debug)]
pub struct Home(Option<TempDir>);

impl Home {
    /// A new empty directory.
    pub fn new() -> Home {
        let dir = tempfile::Builder::new().prefix("stockade-story-").tempdir();
        Home(Some(dir.expect("a temporary directory can be made")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.as_ref().expect("it is there until it is dropped").path()
    }
}

impl Default for Home {
    fn default() -> Home {
        Home::new()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(dir) = self.0.take()
        {
            eprintln!("data and logs are kept in {}", dir.keep().display());
        }
    }
}
