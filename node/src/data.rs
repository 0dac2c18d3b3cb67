//! The data directory: one process at a time, readable by its owner only; the registration token in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Holds the directory for this process until it ends.
pub(crate) struct DataLock(
    #[expect(dead_code, reason = "the lock is held as long as the file is open")] File,
);

/// Makes the directory if need be, and locks it.
pub(crate) fn lock(dir: &Path) -> Result<DataLock, String> {
    let problem = |error: io::Error| format!("the data directory {}: {error}", dir.display());
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(problem)?;
    let options = OpenOptions::new().create(true).truncate(false).write(true).clone();
    let file = options.open(dir.join("lock")).map_err(problem)?;
    match file.try_lock() {
        Ok(()) => Ok(DataLock(file)),
        Err(fs::TryLockError::WouldBlock) => {
            Err(format!("the data directory {} is in use by another process", dir.display()))
        }
        Err(fs::TryLockError::Error(error)) => Err(problem(error)),
    }
}

/// The same for a directory that has to be empty, or not there.
pub(crate) fn lock_empty(dir: &Path) -> Result<DataLock, String> {
    let first = match fs::read_dir(dir) {
        Ok(mut all) => all.next(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(format!("the data directory {}: {error}", dir.display())),
    };
    match first {
        None => lock(dir),
        Some(_) => Err(format!("the data directory {} is not empty; nothing was changed", dir.display())),
    }
}

/// Whether the registration token comes from the environment: then it is no new one to be shown.
pub(crate) fn token_is_given() -> bool {
    std::env::var("REGISTRATION_TOKEN").is_ok_and(|token| !token.is_empty())
}

/// The registration token: from the environment, else the one kept in the directory, else a new one.
pub(crate) fn registration_token(dir: &Path) -> Result<String, String> {
    if let Ok(token) = std::env::var("REGISTRATION_TOKEN")
        && !token.is_empty()
    {
        return Ok(token);
    }
    let made = kept(dir, "registration-token", || Ok(hex::encode(random()?)));
    made.map_err(|error| format!("the registration token: {error}"))
}

/// 16 random bytes under which this node asks to be taken in, the same until it is.
pub(crate) fn join_key(dir: &Path) -> Result<[u8; 16], String> {
    let text = kept(dir, "join-key", || Ok(hex::encode(random()?)))
        .map_err(|error| format!("the join key: {error}"))?;
    let mut key = [0; 16];
    hex::decode_to_slice(&text, &mut key).map_err(|error| format!("the join key: {error}"))?;
    Ok(key)
}

/// Forgets the join key of a node that is in: with it, what is left of a lost disk would be given the same id again.
pub(crate) fn forget_join_key(dir: &Path) -> Result<(), String> {
    match fs::remove_file(dir.join("join-key")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(format!("the join key: {error}")),
        _ => Ok(()),
    }
}

fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// The first line of a small private file, which is made when it is missing.
fn kept(dir: &Path, name: &str, make: impl FnOnce() -> io::Result<String>) -> io::Result<String> {
    let path = dir.join(name);
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let text = make()?;
    let partial = dir.join(format!("{name}.partial"));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&partial)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&partial, &path)?;
    File::open(dir)?.sync_all()?;
    Ok(text)
}
