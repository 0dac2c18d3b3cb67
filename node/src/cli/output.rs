//! The one place that writes for people.

use std::io::{self, Write};

/// A line on standard output; a pipe that was closed is a reason to stop quietly.
pub(super) fn line(text: &str) -> Result<(), String> {
    bytes(format!("{text}\n").as_bytes())
}

/// Bytes on standard output, as they are.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), String> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// A line on standard error.
pub(super) fn error(text: &str) {
    // Nobody to tell is no reason for another exit code.
    drop(writeln!(io::stderr(), "{text}"));
}
