//! Packages of the Python package index: fetched once by pip, kept under `target/test-data`, and used as they are, since
//! Python imports from a wheel.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use crate::workspace::workspace;

/// The wheel of a package, such as `zat==0.4.9`, without what it depends on.
#[track_caller]
pub fn wheel(package: &str) -> PathBuf {
    let (name, version) = package.split_once("==").expect("a version, so that it stays the same");
    let kept = workspace().join("target/test-data/wheels");
    fs::create_dir_all(&kept).expect("the folder can be made");
    // Other stories may fetch the same.
    let lock = File::create(kept.join("lock")).expect("the lock can be made");
    lock.lock().expect("the lock can be taken");
    let start = format!("{name}-{version}-");
    let find = || {
        let files = fs::read_dir(&kept).expect("the folder is there").flatten().map(|entry| entry.path());
        files.into_iter().find(|path| {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            file.starts_with(&start) && file.ends_with(".whl")
        })
    };
    if let Some(found) = find() {
        return found;
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"]);
    let ran = pip.arg(&kept).arg(package).output().expect("python3 is needed");
    assert!(ran.status.success(), "{pip:?}: {}", String::from_utf8_lossy(&ran.stderr));
    find().unwrap_or_else(|| panic!("pip has not fetched {package}"))
}
