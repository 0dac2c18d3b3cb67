//! Packets that go from one machine to another without a pause, one every few milliseconds, and come back when no
//! firewall is in the way. Each has a number and a time, so that it can be told which was the first to be dropped.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_recv_buffer_size_force;

use crate::machine::Machine;
use crate::wait::{pause, wait_for};

/// Between two packets.
const PACE: Duration = Duration::from_millis(2);
/// So many in a row without an answer are dropped, and not late.
const SILENCE: usize = 100;
/// What a thread that is not scheduled for some seconds has to find in its buffer.
const BUFFER_BYTES: usize = 4 << 20;
/// How long a receiver waits before it looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);
const WITHIN: Duration = Duration::from_secs(30);

/// Threads that end with this.
#[derive(Default)]
struct Workers {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    fn start(&mut self, mut turn: impl FnMut() + Send + 'static) {
        let over = self.over.clone();
        self.threads.push(thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                turn();
            }
        }));
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A socket on a machine's network.
fn socket(machine: &Machine, address: SocketAddr) -> Arc<UdpSocket> {
    let made = machine.inside(|| -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(address)?;
        set_socket_recv_buffer_size_force(&socket, BUFFER_BYTES)?;
        socket.set_read_timeout(Some(LOOK))?;
        Ok(socket)
    });
    Arc::new(made.expect("the machine has this address"))
}

/// A machine that sends every packet back to where it came from.
pub struct Echo {
    address: SocketAddr,
    _workers: Workers,
}

impl Echo {
    /// On one of its addresses.
    #[track_caller]
    pub fn start(machine: &Machine, address: IpAddr) -> Echo {
        let socket = socket(machine, SocketAddr::new(address, 0));
        let address = socket.local_addr().expect("it is bound");
        let mut workers = Workers::default();
        let mut packet = [0; 16];
        workers.start(move || {
            if let Ok((bytes, from)) = socket.recv_from(&mut packet) {
                let _ = socket.send_to(&packet[..bytes], from);
            }
        });
        Echo { address, _workers: workers }
    }
}

/// What became of one packet.
#[derive(Clone, Copy)]
struct Packet {
    sent: Instant,
    came_back: bool,
}

/// Packets from one address.
pub struct Packets {
    name: String,
    all: Arc<Mutex<Vec<Packet>>>,
    _workers: Workers,
}

impl Packets {
    /// Sends from one of the machine's addresses.
    #[track_caller]
    pub fn start(machine: &Machine, from: &str, to: &Echo) -> Packets {
        let source: IpAddr = from.parse().expect("a test's address is one");
        let socket = socket(machine, SocketAddr::new(source, 0));
        socket.connect(to.address).expect("the other machine is reached over the wire");
        let all: Arc<Mutex<Vec<Packet>>> = Arc::default();
        let mut workers = Workers::default();
        let (sender, sent) = (socket.clone(), all.clone());
        workers.start(move || {
            let number = {
                let mut all = lock(&sent);
                all.push(Packet { sent: Instant::now(), came_back: false });
                all.len() - 1
            };
            let _ = sender.send(&(number as u64).to_be_bytes());
            pause(PACE);
        });
        let back = all.clone();
        let mut number = [0; 8];
        workers.start(move || {
            if matches!(socket.recv(&mut number), Ok(8))
                && let Some(packet) = lock(&back).get_mut(u64::from_be_bytes(number) as usize)
            {
                packet.came_back = true;
            }
        });
        Packets { name: from.to_owned(), all, _workers: workers }
    }

    /// The number of the next one.
    pub fn next(&self) -> usize {
        lock(&self.all).len()
    }

    /// How many were sent from this number on until now, and how many of them came back, once they had time to.
    #[track_caller]
    pub fn counts(&self, from: usize) -> (usize, usize) {
        let now = self.next();
        wait_for(&format!("more packets from {}", self.name), WITHIN, || {
            (self.next() >= now + SILENCE).then_some(())
        });
        let all = lock(&self.all);
        (now - from, all[from..now].iter().filter(|packet| packet.came_back).count())
    }

    /// Waits until a packet passes that was sent from now on, and says how long that took.
    #[track_caller]
    pub fn wait_passing(&self) -> Duration {
        let from = Instant::now();
        wait_for(&format!("packets from {} pass", self.name), WITHIN, || {
            let all = lock(&self.all);
            let later = all.iter().rev().take_while(|packet| packet.sent >= from);
            later.filter(|packet| packet.came_back).last().map(|packet| packet.sent - from)
        })
    }

    /// Waits until packets are dropped, all of them, and says how long after `since` the first of those was sent; zero
    /// when they were dropped before.
    #[track_caller]
    pub fn wait_dropped(&self, since: Instant) -> Duration {
        wait_for(&format!("packets from {} are dropped", self.name), WITHIN, || {
            let all = lock(&self.all);
            let dropped = all.iter().rev().take_while(|packet| !packet.came_back).count();
            let later = all.iter().rev().take_while(|packet| packet.sent >= since).count();
            let first = all.get(all.len() - dropped)?;
            (dropped >= SILENCE && later >= SILENCE).then(|| first.sent.saturating_duration_since(since))
        })
    }

    /// Waits for some more of them, and says how many were sent meanwhile and how many of those came back.
    #[track_caller]
    pub fn watch(&self, count: usize) -> (usize, usize) {
        let first = self.next();
        wait_for(&format!("{count} more packets from {}", self.name), WITHIN, || {
            (self.next() >= first + count).then_some(())
        });
        self.counts(first)
    }
}

fn lock(packets: &Mutex<Vec<Packet>>) -> MutexGuard<'_, Vec<Packet>> {
    packets.lock().unwrap_or_else(PoisonError::into_inner)
}
