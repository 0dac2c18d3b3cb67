//! One real process: its directory, its ports, its log; started, stopped, frozen and killed by its id.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::binary::binary;
use crate::callers::ProcessId;
use crate::client::Client;
use crate::ports::Port;
use crate::volume::Volume;
use crate::wait::wait_for;

/// How much of a log is shown when a story fails.
const LOG_TAIL_LINES: usize = 60;
/// How long a node may take until it serves, a debug build on a busy machine included.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long an orderly stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// A node of a test: running or not, always with the same directory and ports.
pub struct Node {
    name: String,
    home: PathBuf,
    token: String,
    http: Port,
    peers: Port,
    arguments: Vec<String>,
    /// What the next start is wrapped in.
    wrapper: Vec<String>,
    process: Option<Child>,
    volume: Option<Volume>,
    environment: Vec<(String, String)>,
    process_id: ProcessId,
}

impl Node {
    /// The id of its process; it must be running.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the node runs").id()
    }

    /// A node that is not started yet, in a folder of its own under `parent`.
    pub fn prepare(parent: &Path, name: &str, token: &str) -> Node {
        let home = parent.join(name);
        fs::create_dir_all(&home).expect("the node's folder can be made");
        Node {
            name: name.to_owned(),
            home,
            token: token.to_owned(),
            http: Port::take(),
            peers: Port::take(),
            arguments: Vec::new(),
            wrapper: Vec::new(),
            process: None,
            volume: None,
            environment: Vec::new(),
            process_id: Arc::default(),
        }
    }

    /// Flags of `serve`, used by every start from now on.
    pub fn set_arguments(&mut self, arguments: &[&str]) {
        self.arguments = arguments.iter().map(|&word| word.to_owned()).collect();
    }

    /// Starts the process under a tracer that tampers with some system call, in the words of `strace -e inject`:
    /// `fdatasync:error=EIO:when=20`. The tracer is the process's grandchild (`-D`) and ends with it.
    #[track_caller]
    pub fn start_tampered(&mut self, inject: &str) {
        let syscall = inject.split(':').next().unwrap_or_default();
        let (trace, inject) = (format!("trace={syscall}"), format!("inject={inject}"));
        let words = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
        self.wrapper = words.map(str::to_owned).into();
        self.start();
        self.wrapper.clear();
    }

    /// Puts its data directory on a file system of its own.
    #[track_caller]
    pub fn give_volume(&mut self, mib: u64) {
        self.volume = Some(Volume::make(&self.home.join("disk.img"), &self.data(), mib));
    }

    /// Takes what would be on its disk if the power went now; the process has to be frozen.
    #[track_caller]
    pub fn copy_volume(&self) {
        self.volume.as_ref().expect("it has a volume").copy(&self.home.join("copy.img"));
    }

    /// Goes on with the copy, as after the power is back.
    #[track_caller]
    pub fn use_volume_copy(&mut self) {
        assert!(self.process.is_none(), "{} must not run while its disk changes", self.name);
        // Unmounted and deleted first: both are mounted at the same place.
        self.volume = None;
        let image = self.home.join("disk.img");
        fs::rename(self.home.join("copy.img"), &image).expect("the copy is there");
        self.volume = Some(Volume::mount(&image, &self.data()));
    }

    /// A variable of its environment, for every start from now on.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts the process; does not wait for it.
    #[track_caller]
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        let log = OpenOptions::new().create(true).append(true).open(self.log_path());
        let log = log.expect("the log can be opened");
        let mut words = self.wrapper.iter().map(PathBuf::from).chain([binary()]);
        let child = Command::new(words.next().expect("there is the binary"))
            .args(words)
            .arg("serve")
            .arg("--data")
            .arg(self.data())
            .args(["--http", &self.http.address(), "--peers", &self.peers.address()])
            .args(&self.arguments)
            .current_dir(&self.home)
            .env("REGISTRATION_TOKEN", &self.token)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file handle can be doubled"))
            .stderr(log)
            .spawn();
        let child = child.expect("the binary can be started");
        self.process_id.store(child.id(), Ordering::Relaxed);
        self.process = Some(child);
    }

    /// Starts the process and waits until it serves.
    #[track_caller]
    pub fn start_ready(&mut self) {
        self.start();
        self.wait_ready();
    }

    /// Waits until `/readyz` says yes.
    #[track_caller]
    pub fn wait_ready(&mut self) {
        wait_for(&format!("{} is ready", self.name), READY_WITHIN, || {
            assert!(self.is_running(), "{} ended before it was ready", self.name);
            let client = Client::new(&self.url(), Duration::from_secs(2));
            client.try_get("/readyz").filter(|answer| answer.status == 200)
        });
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child can be waited for");
        }
    }

    /// `kill -STOP`: the process keeps its connections and says nothing any more.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// `kill -CONT`.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// `kill -TERM`, and how the process ended.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait_ended(STOP_WITHIN)
    }

    /// Waits for the process to end by itself.
    #[track_caller]
    pub fn wait_ended(&mut self, within: Duration) -> ExitStatus {
        let child = self.process.as_mut().expect("the node was started");
        let status = wait_for(&format!("{} ends", self.name), within, || {
            child.try_wait().expect("a child can be asked")
        });
        self.process = None;
        status
    }

    /// Whether the process is there.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|ended| ended.is_none()))
    }

    /// Whether it was never started, or was stopped by the story.
    pub fn down(&self) -> bool {
        self.process.is_none()
    }

    /// Exchanges the ports for peers of two nodes that do not run.
    #[track_caller]
    pub fn exchange_peers_ports(&mut self, other: &mut Node) {
        assert!(self.process.is_none() && other.process.is_none(), "a running node keeps its port");
        std::mem::swap(&mut self.peers, &mut other.peers);
    }

    /// Deletes everything it has stored.
    #[track_caller]
    pub fn wipe(&mut self) {
        assert!(self.process.is_none(), "{} must not run while its disk is lost", self.name);
        fs::remove_dir_all(self.data()).expect("the data can be deleted");
    }

    /// Its process, for those who have to know whose connection it is.
    pub(crate) fn process_id(&self) -> ProcessId {
        self.process_id.clone()
    }

    /// Its name in the story.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// The URL of its API.
    pub fn url(&self) -> String {
        format!("http://{}", self.http.address())
    }

    /// `host:port` of its API.
    pub fn http_address(&self) -> String {
        self.http.address()
    }

    /// `host:port` of its peers' port.
    pub fn peers_address(&self) -> String {
        self.peers.address()
    }

    /// A client without credentials.
    pub fn anonymous(&self) -> Client {
        Client::anonymous(&self.url())
    }

    /// A client that holds the registration token.
    pub fn operator(&self) -> Client {
        self.anonymous().registration(&self.token)
    }

    /// The same for what takes long.
    pub(crate) fn operator_within(&self, within: Duration) -> Client {
        Client::new(&self.url(), within).registration(&self.token)
    }

    /// `/admin/status`, when it answers.
    pub fn status(&self) -> Option<Value> {
        let client = Client::new(&self.url(), Duration::from_secs(2)).registration(&self.token);
        let answer = client.try_get("/admin/status").filter(|answer| answer.status == 200)?;
        Some(answer.json())
    }

    /// Its id in the cluster.
    #[track_caller]
    pub fn id(&self) -> u64 {
        let status = wait_for(&format!("{} says its id", self.name), READY_WITHIN, || self.status());
        status["node_id"].as_u64().expect("the status has the node's id")
    }

    /// The bytes of memory that its process holds (the second word of `/proc/PID/statm`, in pages).
    #[track_caller]
    pub fn resident_bytes(&self) -> u64 {
        let statm = fs::read_to_string(self.proc("statm")).expect("a running process has it");
        let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
        pages.expect("a number of pages") * rustix::param::page_size() as u64
    }

    /// The files and connections that its process has open.
    #[track_caller]
    pub fn open_files(&self) -> usize {
        fs::read_dir(self.proc("fd")).expect("a running process has it").count()
    }

    /// All it has written to its log.
    pub fn log(&self) -> String {
        fs::read(self.log_path())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    fn proc(&self, file: &str) -> PathBuf {
        let child = self.process.as_ref().expect("the node was started");
        format!("/proc/{}/{file}", child.id()).into()
    }

    fn log_path(&self) -> PathBuf {
        self.home.join("log")
    }

    fn signal(&self, signal: Signal) {
        let child = self.process.as_ref().expect("the node was started");
        let pid = Pid::from_child(child);
        kill_process(pid, signal).expect("a child can be signalled");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n");
            eprintln!("--- end of the log of {} ---\n{tail}\n", self.name);
        }
    }
}

/// A copy of a data directory, for stories that bring an old or a foreign one back.
pub fn copy_directory(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            std::io::copy(&mut File::open(entry.path())?, &mut File::create(target)?)?;
        }
    }
    Ok(())
}
