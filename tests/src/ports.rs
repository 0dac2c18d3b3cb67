//! Ports that stay a story's own, also while the node that uses them is down.

use std::env;
use std::fs::{self, File};
use std::net::TcpListener;
use std::process;

/// Below the range the kernel gives to outgoing connections, so that nothing takes them by chance.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A free port on loopback. A locked file keeps other stories, in other processes too, from choosing it.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Takes a free port.
    pub fn take() -> Port {
        let locks = env::temp_dir().join("stockade-story-ports");
        fs::create_dir_all(&locks).expect("the folder of locks can be made");
        let start = (process::id() % u32::from(COUNT)) as u16;
        (0..COUNT)
            .map(|step| FIRST + (start + step) % COUNT)
            .find_map(|number| {
                let lock = File::create(locks.join(number.to_string())).ok()?;
                lock.try_lock().ok()?;
                TcpListener::bind(("127.0.0.1", number)).ok()?;
                Some(Port { number, _lock: lock })
            })
            .expect("one of thousands of ports is free")
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}
