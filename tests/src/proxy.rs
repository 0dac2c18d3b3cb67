//! A wire under the story's control: a TCP proxy in front of a port, which delays, loses, holds and cuts.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::line::Line;
use crate::ports::Port;

/// The most that is read at once; about what TCP has in flight.
const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks on their way in one direction; a sender beyond that waits, as with a full TCP window.
const CHUNKS_MAX: usize = 64;

/// Says which of the wires a caller comes over, by its number.
type Callers = Box<dyn Fn(&TcpStream) -> usize + Send>;

/// Passes connections on until it is cut. Its threads end with the story's process.
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    wires: Vec<Arc<Wire>>,
}

/// All connections of one caller, or of all callers alike.
#[derive(Debug)]
struct Wire {
    state: Mutex<State>,
    changed: Condvar,
    /// Bytes that the called end was handed.
    passed: AtomicU64,
}

#[derive(Debug)]
struct State {
    is_cut: bool,
    there: Line,
    back: Line,
    chance: Chance,
    connections: Vec<Connection>,
}

/// Both ends of a connection that is passed on.
#[derive(Clone, Debug)]
struct Connection {
    caller: Arc<TcpStream>,
    called: Arc<TcpStream>,
    over: Arc<AtomicBool>,
}

/// A direction of a connection.
#[derive(Clone, Copy)]
enum Way {
    There,
    Back,
}

/// Bytes on their way, and when they arrive.
type Chunk = (Instant, Vec<u8>);

impl Proxy {
    /// A proxy on a port of its own, in front of `target`.
    pub fn start(target: &str) -> Proxy {
        Proxy::with_callers(target, 1, 0, Box::new(|_| 0))
    }

    /// The same, with a wire for each of `count` callers.
    pub(crate) fn with_callers(target: &str, count: usize, seed: u64, callers: Callers) -> Proxy {
        let port = Port::take();
        let listener = TcpListener::bind(port.address()).expect("the port was free a moment ago");
        let mut chance = Chance::seeded(seed);
        let wires: Vec<Arc<Wire>> = (0..count).map(|_| Arc::new(Wire::new(chance.number()))).collect();
        let (target, shared) = (target.to_owned(), wires.clone());
        thread::spawn(move || {
            for caller in listener.incoming().filter_map(Result::ok) {
                let wire = &shared[callers(&caller).min(count - 1)];
                // A target that is away, or a wire that is cut: the caller is hung up on.
                drop(pass_on(caller, &target, wire));
            }
        });
        Proxy { port, wires }
    }

    /// `host:port` for those who shall go through it.
    pub fn address(&self) -> String {
        self.port.address()
    }

    /// Breaks every connection, and lets no new one through.
    pub fn cut(&self) {
        for wire in &self.wires {
            let mut state = wire.lock();
            state.is_cut = true;
            for connection in state.connections.drain(..) {
                connection.close();
            }
            wire.changed.notify_all();
        }
    }

    /// Lets connections through again.
    pub fn heal(&self) {
        for wire in &self.wires {
            wire.lock().is_cut = false;
        }
    }

    /// How many bytes the callers have sent that were passed on.
    pub fn passed(&self) -> u64 {
        self.wires.iter().map(|wire| wire.passed.load(Ordering::Relaxed)).sum()
    }

    /// What the wires of every caller do from now on, there and back.
    pub fn set(&self, there: Line, back: Line) {
        for number in 0..self.wires.len() {
            self.set_there(number, there);
            self.set_back(number, back);
        }
    }

    pub(crate) fn set_there(&self, caller: usize, line: Line) {
        self.wires[caller].lock().there = line;
        self.wires[caller].changed.notify_all();
    }

    pub(crate) fn set_back(&self, caller: usize, line: Line) {
        self.wires[caller].lock().back = line;
        self.wires[caller].changed.notify_all();
    }
}

impl Wire {
    fn new(seed: u64) -> Wire {
        let state = State {
            is_cut: false,
            there: Line::default(),
            back: Line::default(),
            chance: Chance::seeded(seed),
            connections: Vec::new(),
        };
        Wire { state: Mutex::new(state), changed: Condvar::new(), passed: AtomicU64::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the lock")
    }

    /// Waits until a chunk is due and its direction is not held; false when the connection is over.
    fn deliver(&self, connection: &Connection, way: Way, due: Instant) -> bool {
        let mut state = self.lock();
        loop {
            if connection.over.load(Ordering::Relaxed) {
                return false;
            }
            let left = due.saturating_duration_since(Instant::now());
            let held = state.line(way).held;
            state = match (held, left) {
                (false, Duration::ZERO) => return true,
                (true, _) => self.changed.wait(state).expect("nobody panics with the lock"),
                (false, left) => {
                    self.changed.wait_timeout(state, left).expect("nobody panics with the lock").0
                }
            };
        }
    }

    fn close(&self, connection: &Connection) {
        connection.close();
        self.lock().connections.retain(|other| !Arc::ptr_eq(&other.over, &connection.over));
        self.changed.notify_all();
    }
}

impl State {
    fn line(&self, way: Way) -> Line {
        match way {
            Way::There => self.there,
            Way::Back => self.back,
        }
    }
}

impl Connection {
    fn close(&self) {
        self.over.store(true, Ordering::Relaxed);
        for stream in [&self.caller, &self.called] {
            // It may be closed already.
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    fn ends(&self, way: Way) -> (&TcpStream, &TcpStream) {
        match way {
            Way::There => (&self.caller, &self.called),
            Way::Back => (&self.called, &self.caller),
        }
    }
}

fn pass_on(caller: TcpStream, target: &str, wire: &Arc<Wire>) -> io::Result<()> {
    let mut state = wire.lock();
    if state.is_cut {
        return Ok(());
    }
    let called = TcpStream::connect(target)?;
    for stream in [&caller, &called] {
        stream.set_nodelay(true)?;
    }
    let connection = Connection { caller: Arc::new(caller), called: Arc::new(called), over: Arc::default() };
    // Those that have ended have no thread any more.
    state.connections.retain(|other| Arc::strong_count(&other.over) > 1);
    state.connections.push(connection.clone());
    drop(state);
    for way in [Way::There, Way::Back] {
        let (sender, receiver) = sync_channel(CHUNKS_MAX);
        let (shared, own) = (wire.clone(), connection.clone());
        thread::spawn(move || take_in(&shared, &own, way, &sender));
        let (shared, own) = (wire.clone(), connection.clone());
        thread::spawn(move || hand_out(&shared, &own, way, &receiver));
    }
    Ok(())
}

fn wire_time(state: &mut State, way: Way, bytes: usize, free: &mut Instant) -> Option<Duration> {
    let line = state.line(way);
    if line.breaks(&mut state.chance) {
        return None;
    }
    *free = (*free).max(Instant::now()) + line.busy(bytes);
    Some(line.latency(&mut state.chance))
}

/// Reads what one end sends and says when it arrives; the channel's end says that nothing follows.
fn take_in(wire: &Wire, connection: &Connection, way: Way, chunks: &SyncSender<Chunk>) {
    let mut from = connection.ends(way).0;
    let mut buffer = vec![0; CHUNK_BYTES];
    // When the wire has taken all that was sent, and when the last chunk arrives: none overtakes another.
    let (mut free, mut last) = (Instant::now(), Instant::now());
    while let Ok(bytes @ 1..) = from.read(&mut buffer) {
        let Some(latency) = wire_time(&mut wire.lock(), way, bytes, &mut free) else {
            wire.close(connection);
            return;
        };
        last = last.max(free + latency);
        if chunks.send((last, buffer[..bytes].to_vec())).is_err() {
            return;
        }
    }
}

/// Hands to the other end what has arrived.
fn hand_out(wire: &Wire, connection: &Connection, way: Way, chunks: &Receiver<Chunk>) {
    let mut to = connection.ends(way).1;
    for (due, bytes) in chunks {
        if !wire.deliver(connection, way, due) {
            return;
        }
        if to.write_all(&bytes).is_err() {
            wire.close(connection);
            return;
        }
        if matches!(way, Way::There) {
            wire.passed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
    }
    // The end is news too, and waits like all else.
    if wire.deliver(connection, way, Instant::now()) {
        drop(to.shutdown(Shutdown::Write));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::Proxy;
    use crate::line::Line;

    const ROUND_TRIPS: u32 = 20;
    const SOME_TIME: Duration = Duration::from_millis(100);

    /// A server that says what it is told, behind a proxy; and a connection to it.
    fn echo() -> (Proxy, TcpStream) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(&server.local_addr().unwrap().to_string());
        thread::spawn(move || {
            for stream in server.incoming().filter_map(Result::ok) {
                thread::spawn(move || drop(std::io::copy(&mut &stream, &mut &stream)));
            }
        });
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        (proxy, stream)
    }

    fn round_trip(stream: &mut TcpStream) -> std::io::Result<()> {
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])
    }

    /// How long some round trips take under these lines.
    fn takes(there: Line, back: Line) -> Duration {
        let (proxy, mut stream) = echo();
        proxy.set(there, back);
        let started = Instant::now();
        for _ in 0..ROUND_TRIPS {
            round_trip(&mut stream).unwrap();
        }
        started.elapsed()
    }

    #[test]
    fn a_wire_delays_and_loses_in_each_direction_as_it_is_told() {
        let plain = Line::default();
        let slow = Line { delay: Duration::from_millis(10), ..plain };
        assert!(takes(slow, plain) >= ROUND_TRIPS * slow.delay);
        assert!(takes(plain, slow) >= ROUND_TRIPS * slow.delay);
        let lossy = Line { loss_percent: 40, ..plain };
        assert!(takes(lossy, plain) >= Duration::from_millis(600), "some of them were sent again");
        let narrow = Line { bytes_per_second: Some(100), ..plain };
        assert!(takes(plain, narrow) >= Duration::from_millis(150), "a byte takes 10 ms");
    }

    #[test]
    fn a_held_direction_passes_nothing_until_it_is_free() {
        let (proxy, mut stream) = echo();
        let held = Line { held: true, ..Line::default() };
        for (there, back) in [(held, Line::default()), (Line::default(), held)] {
            proxy.set(there, back);
            stream.write_all(b"x").unwrap();
            stream.set_read_timeout(Some(SOME_TIME)).unwrap();
            assert!(stream.read_exact(&mut [0]).is_err(), "nothing comes");
            proxy.set(Line::default(), Line::default());
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.read_exact(&mut [0]).unwrap();
        }
    }

    #[test]
    fn a_cut_and_a_reset_end_the_connection_also_while_it_is_held() {
        let (proxy, mut stream) = echo();
        round_trip(&mut stream).unwrap();
        proxy.set(Line { held: true, ..Line::default() }, Line::default());
        stream.write_all(b"x").unwrap();
        proxy.cut();
        assert!(!matches!(stream.read(&mut [0]), Ok(1..)));
        proxy.heal();
        proxy.set(Line::default(), Line::default());
        let mut again = TcpStream::connect(proxy.address()).unwrap();
        round_trip(&mut again).unwrap();
        proxy.set(Line { reset_permille: 1000, ..Line::default() }, Line::default());
        assert!(round_trip(&mut again).is_err());
    }
}
