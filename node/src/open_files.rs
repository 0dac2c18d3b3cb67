//! How many files and connections this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files that are no connections of clients: the list, the log, the other nodes, requests that wait to go.
const KEPT_FILES: usize = 512;

/// Raises the limit as far as the system lets us, and gives the connections that fit: those asked for, or fewer.
pub(crate) fn room_for(connections: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let files = if raised.is_ok() { maximum } else { current };
    let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    let room = files.saturating_sub(KEPT_FILES).max(files / 2).max(1);
    if room < connections {
        tracing::warn!(
            files,
            connections = room,
            "open files are limited: fewer connections than set are served"
        );
    }
    room.min(connections)
}
