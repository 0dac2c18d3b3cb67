//! A wire that can be cut: a TCP proxy in front of a port, under the story's control.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::ports::Port;

/// Passes connections on until it is cut. Its threads end with the story's process.
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    wire: Arc<Mutex<Wire>>,
}

#[derive(Debug, Default)]
struct Wire {
    is_cut: bool,
    streams: Vec<TcpStream>,
}

impl Proxy {
    /// A proxy on a port of its own, in front of `target`.
    pub fn start(target: &str) -> Proxy {
        let port = Port::take();
        let listener = TcpListener::bind(port.address()).expect("the port was free a moment ago");
        let wire = Arc::new(Mutex::new(Wire::default()));
        let (target, shared) = (target.to_owned(), wire.clone());
        thread::spawn(move || {
            for caller in listener.incoming().filter_map(Result::ok) {
                // A target that is away, or a wire that is cut: the caller is hung up on.
                drop(pass_on(caller, &target, &shared));
            }
        });
        Proxy { port, wire }
    }

    /// `host:port` for those who shall go through it.
    pub fn address(&self) -> String {
        self.port.address()
    }

    /// Breaks every connection, and lets no new one through.
    pub fn cut(&self) {
        let mut wire = self.wire.lock().expect("nobody panics with the lock");
        wire.is_cut = true;
        for stream in wire.streams.drain(..) {
            // It may be closed already.
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Lets connections through again.
    pub fn heal(&self) {
        self.wire.lock().expect("nobody panics with the lock").is_cut = false;
    }
}

fn pass_on(caller: TcpStream, target: &str, wire: &Mutex<Wire>) -> io::Result<()> {
    let mut wire = wire.lock().expect("nobody panics with the lock");
    if wire.is_cut {
        return Ok(());
    }
    let called = TcpStream::connect(target)?;
    copy(caller.try_clone()?, called.try_clone()?);
    copy(called.try_clone()?, caller.try_clone()?);
    wire.streams.extend([caller, called]);
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        // However it ends, the other side is told.
        drop(io::copy(&mut from, &mut to));
        drop(to.shutdown(Shutdown::Both));
    });
}
