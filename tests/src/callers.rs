//! Which node a connection comes from: every node calls from 127.0.0.1, but the kernel knows whose socket it is.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// A node's process id, 0 while it is down. It changes with every start.
pub(crate) type ProcessId = Arc<AtomicU32>;

/// A netlink header and the longest question or answer (`inet_diag_req_v2`, `inet_diag_msg`).
const HEADER_BYTES: usize = 16;
const QUESTION_BYTES: u32 = 72;
const ANSWER_BYTES_MAX: usize = 4096;
/// `SOCK_DIAG_BY_FAMILY`: both the question and its answer.
const BY_FAMILY: u16 = 20;
const REQUEST: u16 = 1;
/// Where the answer has the number of the socket.
const INODE_AT: usize = HEADER_BYTES + 68;

/// The place of the node that holds the other end of a connection; none when none of them does.
pub(crate) fn caller(stream: &TcpStream, nodes: &[ProcessId]) -> Option<usize> {
    let (theirs, ours) = (stream.peer_addr().ok()?, stream.local_addr().ok()?);
    let link = format!("socket:[{}]", inode(theirs, ours).ok()??);
    nodes.iter().position(|process| holds(process.load(Ordering::Relaxed), &link))
}

/// The number of the socket between these addresses; none when it is closed already. Asked by sock_diag(7), because
/// `/proc/net/tcp` grows with every connection of the last minute, and nothing passes while it is read.
fn inode(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<u32>> {
    let (SocketAddr::V4(local), SocketAddr::V4(remote)) = (local, remote) else { return Ok(None) };
    let kernel = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    let mut question = Vec::with_capacity(QUESTION_BYTES as usize);
    question.extend(QUESTION_BYTES.to_ne_bytes());
    question.extend([BY_FAMILY.to_ne_bytes(), REQUEST.to_ne_bytes()].concat());
    question.extend([0; 8]);
    // AF_INET, IPPROTO_TCP, no extensions; sockets in every state.
    question.extend([2, 6, 0, 0, 0xff, 0xff, 0, 0]);
    question.extend([local.port().to_be_bytes(), remote.port().to_be_bytes()].concat());
    for address in [local.ip(), remote.ip()] {
        question.extend(address.octets());
        question.extend([0; 12]);
    }
    // Any interface, any cookie.
    question.extend([0; 4]);
    question.extend([0xff; 8]);
    send(&kernel, &question, SendFlags::empty())?;
    let mut answer = [0; ANSWER_BYTES_MAX];
    let (bytes, _) = recv(&kernel, &mut answer[..], RecvFlags::empty())?;
    let found = bytes >= INODE_AT + 4 && answer[4..6] == BY_FAMILY.to_ne_bytes();
    let inode = [0, 1, 2, 3].map(|at| answer[INODE_AT + at]);
    Ok(found.then(|| u32::from_ne_bytes(inode)))
}

fn holds(process: u32, link: &str) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    files
        .filter_map(Result::ok)
        .any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == link))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::process;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;

    use super::caller;

    #[test]
    fn a_connection_is_that_of_the_process_that_made_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        let nodes = [0, process::id()].map(|id| Arc::new(AtomicU32::new(id)));
        assert_eq!(caller(&theirs, &nodes), Some(1));
        assert_eq!(caller(&theirs, &nodes[..1]), None);
        drop(ours);
    }
}
