//! Which binary the stories run.

use std::env;
use std::path::PathBuf;

use crate::workspace::workspace;

/// `$STOCKADE_BIN`, else the release build beside the workspace, else the debug build.
#[track_caller]
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("STOCKADE_BIN") {
        return PathBuf::from(path);
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    ["release", "debug"]
        .into_iter()
        .map(|profile| target.join(profile).join("stockade"))
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!("no stockade binary under {}: build it, or set STOCKADE_BIN", target.display())
        })
}
