//! A program in a network namespace of its own, with firewall tables of its own. One door leads out: what it sends
//! to 127.0.0.1:8080 goes to a node, and which one can change, as behind a virtual address.

use std::fs::File;
use std::net::Shutdown;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::home::Home;
use crate::relay::relay;

/// The inner half of the door: it listens, starts the program, and ends with it.
const DOOR: &str = r#"
import asyncio, sys
async def pipe(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
async def connect(reader, writer):
    try:
        to_reader, to_writer = await asyncio.open_unix_connection(sys.argv[1])
    except OSError:
        writer.close()
        return
    await asyncio.gather(pipe(reader, to_writer), pipe(to_reader, writer))
async def main():
    await asyncio.start_server(connect, "127.0.0.1", 8080)
    program = await asyncio.create_subprocess_exec(*sys.argv[2:])
    sys.exit(await program.wait())
asyncio.run(main())
"#;

/// A running program; it ends with this.
pub struct Enclosed {
    process: Child,
    target: Arc<Mutex<String>>,
    home: Home,
}

impl Enclosed {
    /// Runs a shell command in a directory of its own, which `prepare` fills. Its output goes to `log` there.
    #[track_caller]
    pub fn start(target: &str, command: &str, prepare: impl FnOnce(&Path)) -> Enclosed {
        let home = Home::new();
        prepare(home.path());
        let socket = home.path().join("door");
        let listener = UnixListener::bind(&socket).expect("a socket can be made");
        let target = Arc::new(Mutex::new(target.to_owned()));
        let led_to = target.clone();
        thread::spawn(move || {
            for inner in listener.incoming().map_while(Result::ok) {
                let target = led_to.lock().unwrap_or_else(PoisonError::into_inner).clone();
                thread::spawn(move || relay(&inner, &target, || drop(inner.shutdown(Shutdown::Both))));
            }
        });
        let log = File::create(home.path().join("log")).expect("the log can be made");
        let process = Command::new("unshare")
            .args(["--map-root-user", "--net", "--pid", "--fork", "--kill-child", "sh", "-c"])
            .arg("ip link set lo up && exec python3 -c \"$0\" door sh -c \"$1\"")
            .args([DOOR, command])
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file handle can be doubled"))
            .stderr(log)
            .spawn()
            .expect("unshare of util-linux is needed");
        Enclosed { process, target, home }
    }

    /// From now on connections go there.
    pub fn lead_to(&self, target: &str) {
        target.clone_into(&mut self.target.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Runs something beside the program.
    #[track_caller]
    pub fn beside(&self, command: &str) -> Output {
        let target = self.process.id().to_string();
        Command::new("nsenter")
            .args(["--target", &target, "--user", "--net", "--preserve-credentials", "sh", "-c", command])
            .current_dir(self.home.path())
            .output()
            .expect("nsenter of util-linux is needed")
    }

    /// What the program has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Whether it runs still.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }
}

impl Drop for Enclosed {
    fn drop(&mut self) {
        // With it ends all that is in its namespace of processes.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!("the enclosed program said:\n{}", self.log());
        }
    }
}
