//! A small file system of its own for one data directory: it can be full, and it can lose its power.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The journal is written when the process asks for it and not every few seconds, so that a copy of the image has
/// what was synced and little else.
const OPTIONS: &str = "loop,commit=300";

/// An ext4 file system in an image file, mounted as long as this lives. Needs root.
pub struct Volume {
    image: PathBuf,
    point: PathBuf,
}

impl Volume {
    /// A new empty file system of this size.
    #[track_caller]
    pub fn make(image: &Path, point: &Path, mib: u64) -> Volume {
        let file = File::create(image).expect("the image can be made");
        file.set_len(mib << 20).expect("the image can be sized");
        run("mkfs.ext4", [OsStr::new("-q"), OsStr::new("-F"), OsStr::new("-m0"), image.as_os_str()]);
        Volume::mount(image, point)
    }

    /// The file system in an image, as its journal says.
    #[track_caller]
    pub fn mount(image: &Path, point: &Path) -> Volume {
        fs::create_dir_all(point).expect("the mount point can be made");
        run("mount", [OsStr::new("-o"), OsStr::new(OPTIONS), image.as_os_str(), point.as_os_str()]);
        Volume { image: image.to_owned(), point: point.to_owned() }
    }

    /// Copies the disk as it is: what is only in memory is not on it. Who writes to it has to be frozen.
    #[track_caller]
    pub fn copy(&self, to: &Path) {
        run("cp", [OsStr::new("--sparse=always"), self.image.as_os_str(), to.as_os_str()]);
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let unmount = |flags: &[&str]| Command::new("umount").args(flags).arg(&self.point).output();
        // A process that was just killed may hold it for a moment: then it goes when that has ended.
        if !unmount(&[]).is_ok_and(|ended| ended.status.success()) {
            drop(unmount(&["--lazy"]));
        }
        drop(fs::remove_file(&self.image));
    }
}

#[track_caller]
fn run<'a>(program: &str, arguments: impl IntoIterator<Item = &'a OsStr>) {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("{program} (as root?): {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("{program}: {error}"),
    }
}
