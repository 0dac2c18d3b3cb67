//! A machine of its own on the same kernel: a network namespace with its firewall and its addresses, and a namespace of
//! processes that end with it. Two of them are joined by a wire, and real packets pass. Needs root.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::home::Home;
use crate::relay::relay;

/// Where Debian keeps what administrators use.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A machine; all that runs on it ends with it.
pub struct Machine {
    holder: Child,
    /// Closed when the story is gone, however it went: the holder ends then.
    _alive: ChildStdin,
    programs: Mutex<Vec<Child>>,
    home: Home,
}

impl Machine {
    /// A machine with nothing but loopback.
    #[track_caller]
    pub fn new() -> Machine {
        let mut holder = Command::new("unshare")
            .args(["--net", "--pid", "--fork", "--kill-child", "sh", "-c"])
            .arg("ip link set lo up && echo up && exec cat")
            .env("PATH", PATH)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare of util-linux is needed");
        let mut said = [0; 3];
        let out = holder.stdout.as_mut().expect("its output is a pipe");
        out.read_exact(&mut said).expect("namespaces need root, and the package iproute2");
        let alive = holder.stdin.take().expect("its input is a pipe");
        Machine { holder, _alive: alive, programs: Mutex::default(), home: Home::new() }
    }

    /// A wire to another machine. Each end gets addresses, the first of which is that of the network the wire is; what
    /// else the other end has is reached over it.
    #[track_caller]
    pub fn join(&self, ours: &[&str], other: &Machine, theirs: &[&str]) {
        // By the ids that processes have outside.
        let network = format!("--net=/proc/{}/ns/net", self.holder.id());
        let mut laid = Command::new("nsenter");
        laid.args([&network, "ip", "link", "add", "wire", "type", "veth", "peer", "wire", "netns"]);
        let laid = laid.arg(other.holder.id().to_string()).env("PATH", PATH).status();
        assert!(laid.is_ok_and(|status| status.success()), "a wire can be laid, with iproute2 and as root");
        for (end, own, far) in [(self, ours, theirs), (other, theirs, ours)] {
            let mut script = String::from("set -e; ip link set wire up;");
            for address in own {
                // Without the check for duplicates an IPv6 address is usable at once.
                let more = if address.contains(':') { "nodad" } else { "" };
                script += &format!("ip addr add {address} dev wire {more};");
            }
            for address in far.iter().filter(|address| address.ends_with("/32") || address.ends_with("/128"))
            {
                script += &format!("ip route add {address} dev wire;");
            }
            end.run(&script);
        }
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.home.path()
    }

    /// The words that take a command of the host into the machine: `nsenter …`.
    pub fn enter(&self) -> String {
        let id = self.holder.id();
        format!("nsenter --net=/proc/{id}/ns/net --pid=/proc/{id}/ns/pid_for_children")
    }

    /// A shell command on the machine, in its directory.
    pub fn command(&self, script: &str) -> Command {
        let enter = self.enter();
        let mut words = enter.split(' ');
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(["sh", "-c", script]).env("PATH", PATH).current_dir(self.path());
        command.stdin(Stdio::null());
        command
    }

    /// What a shell command says, on both channels, and whether it was content.
    #[track_caller]
    pub fn try_run(&self, script: &str) -> (bool, String) {
        let ran = self.command(script).output().expect("nsenter of util-linux is needed");
        let said = [ran.stdout, ran.stderr].concat();
        (ran.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// What a shell command says, which must be content.
    #[track_caller]
    pub fn run(&self, script: &str) -> String {
        let (content, said) = self.try_run(script);
        assert!(content, "`{script}`: {said}");
        said
    }

    /// A program that runs until the machine ends; what it says goes to a log of this name in its directory.
    #[track_caller]
    pub fn start(&self, name: &str, script: &str) {
        let log = File::create(self.path().join(name)).expect("the log can be made");
        let mut command = self.command(&format!("exec {script}"));
        command.stdout(log.try_clone().expect("a file handle can be doubled")).stderr(log);
        let program = command.spawn().expect("nsenter of util-linux is needed");
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).push(program);
    }

    /// Does something on the machine's network; a socket made there stays there.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let network = File::open(format!("/proc/{}/ns/net", self.holder.id())).expect("the machine is there");
        let moved = || {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("to enter a namespace needs root");
            work()
        };
        thread::scope(|scope| scope.spawn(moved).join()).expect("what is done there does not panic")
    }

    /// A door out: what connects to this port of the machine's loopback talks to an address of the host.
    pub fn open_door(&self, port: u16, target: &str) {
        let listener = self.inside(|| TcpListener::bind(("127.0.0.1", port))).expect("the port is free");
        let target = target.to_owned();
        thread::spawn(move || {
            for inner in listener.incoming().map_while(Result::ok) {
                let target = target.clone();
                thread::spawn(move || relay(&inner, &target, || drop(inner.shutdown(Shutdown::Both))));
            }
        });
    }

    /// A connection from one of the machine's addresses; `TimedOut` or `WouldBlock` when nothing answers.
    pub fn connect(&self, from: IpAddr, to: SocketAddr, within: Duration) -> io::Result<TcpStream> {
        self.inside(|| {
            let family = if from.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            set_socket_timeout(&socket, Timeout::Send, Some(within))?;
            set_socket_timeout(&socket, Timeout::Recv, Some(within))?;
            bind(&socket, &SocketAddr::new(from, 0))?;
            connect(&socket, &to)?;
            Ok(TcpStream::from(socket))
        })
    }

    /// The status and the body of an HTTP answer to a request from one of the machine's addresses.
    pub fn http(&self, from: IpAddr, to: SocketAddr, request: &str) -> io::Result<(u16, String)> {
        let mut stream = self.connect(from, to, Duration::from_secs(5))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("this is no answer: {answer}")))?;
        Ok((status, body.to_owned()))
    }
}

impl Default for Machine {
    fn default() -> Machine {
        Machine::new()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The first process of its namespace ends with this, and all others with that one.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        for mut program in self.programs.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = program.wait();
        }
        if thread::panicking() {
            for entry in std::fs::read_dir(self.path()).into_iter().flatten().flatten() {
                let is_log = entry.path().extension().is_some_and(|end| end == "log");
                if let Some(text) = is_log.then(|| std::fs::read_to_string(entry.path()).ok()).flatten() {
                    eprintln!("{} says:\n{text}", entry.file_name().display());
                }
            }
        }
    }
}
