//! Carrying bytes between what runs apart and the host.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

/// Both ways between a connection from inside and this address of the host, until either ends; `close` closes the one
/// from inside.
pub(crate) fn relay<S>(inner: &S, target: &str, close: impl FnOnce())
where
    S: Sync,
    for<'s> &'s S: Read + Write,
{
    let Ok(outer) = TcpStream::connect(target) else { return };
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut &*inner, &mut &outer);
            let _ = outer.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut &outer, &mut &*inner);
        close();
    });
}
