//! The command line as a script uses it.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::binary::binary;
use crate::cluster::PASSWORD;
use crate::node::Node;

/// `stockade`, pointed at one node by its environment.
pub struct Cli {
    url: String,
    username: String,
    token: String,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl Cli {
    /// For an account on a node.
    pub fn of(node: &Node, username: &str) -> Cli {
        Cli { url: node.url(), username: username.to_owned(), token: crate::TOKEN.to_owned() }
    }

    /// The command itself, for a story that runs it in the background.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env("STOCKADE_URL", &self.url)
            .env("STOCKADE_USER", &self.username)
            .env("STOCKADE_PASSWORD", PASSWORD)
            .env("REGISTRATION_TOKEN", &self.token);
        command
    }

    /// Runs it without input.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "")
    }

    /// Runs it with this on standard input.
    #[track_caller]
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary can be started");
        let mut pipe = child.stdin.take().expect("its input is a pipe");
        // A command that reads no input may be gone before it is written: that is no fault.
        let _ = pipe.write_all(input.as_bytes());
        drop(pipe);
        let output = child.wait_with_output().expect("its output can be read");
        Ran {
            code: output.status.code().unwrap_or(-1),
            output: String::from_utf8_lossy(&output.stdout).into_owned(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// The result itself if the exit code is this one; else the story fails and shows it.
    #[track_caller]
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "wrong exit code of {self:?}");
        self
    }
}
