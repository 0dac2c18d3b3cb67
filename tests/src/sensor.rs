//! A machine that reports: the files of `deploy/sensors`, with settings, a spool and an environment of their own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::cluster::PASSWORD;
use crate::home::Home;
use crate::workspace::workspace;

/// A sensor of a test.
pub struct Sensor {
    home: Home,
}

/// How a file of a sensor ended.
#[derive(Debug)]
pub struct Reported {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl Sensor {
    /// A sensor that reports to these nodes under an account of the harness.
    #[track_caller]
    pub fn new(urls: &[String], username: &str) -> Sensor {
        let sensor = Sensor { home: Home::new() };
        fs::create_dir(sensor.spool()).expect("the spool can be made");
        sensor.configure(urls, username, "");
        sensor
    }

    /// Writes its settings again, with more lines.
    #[track_caller]
    pub fn configure(&self, urls: &[String], username: &str, more: &str) {
        let (urls, spool) = (urls.join(" "), self.spool());
        let text = format!(
            "URLS='{urls}'\nUSERNAME='{username}'\nPASSWORD='{PASSWORD}'\nSPOOL='{}'\n{more}\n",
            spool.display()
        );
        fs::write(self.config(), text).expect("the settings can be written");
        fs::set_permissions(self.config(), Permissions::from_mode(0o600)).expect("and kept from others");
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.home.path()
    }

    /// Its settings.
    pub fn config(&self) -> PathBuf {
        self.path().join("sensor.conf")
    }

    /// Where its reports wait.
    pub fn spool(&self) -> PathBuf {
        self.path().join("spool")
    }

    /// How many reports wait.
    #[track_caller]
    pub fn waiting(&self) -> usize {
        let names = fs::read_dir(self.spool()).expect("the spool is there");
        let named = names.map(|name| name.expect("a name").file_name().to_string_lossy().into_owned());
        named.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).count()
    }

    /// A file of `deploy/sensors`.
    pub fn file(name: &str) -> PathBuf {
        workspace().join("deploy/sensors").join(name)
    }

    /// A program in this sensor's environment.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(self.path())
            .env("STOCKADE_SENSOR_CONFIG", self.config())
            .env("STOCKADE_REPORT", Sensor::file("stockade-report"));
        command
    }

    /// `dash stockade-report …`
    #[track_caller]
    pub fn report(&self, words: &[&str]) -> Reported {
        let mut command = self.command("dash");
        command.arg(Sensor::file("stockade-report")).args(words);
        run(command, "")
    }
}

/// Runs a program to its end with this on standard input.
#[track_caller]
pub fn run(mut command: Command, input: &str) -> Reported {
    use std::io::Write;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("{command:?}: {error}"),
    };
    // A program that reads no input may be gone before it is written: that is no fault.
    let _ = child.stdin.take().expect("its input is a pipe").write_all(input.as_bytes());
    Reported::of(child.wait_with_output().expect("its output can be read"))
}

impl Reported {
    fn of(output: Output) -> Reported {
        Reported {
            code: output.status.code().unwrap_or(-1),
            output: String::from_utf8_lossy(&output.stdout).into_owned(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The result itself if the exit code is this one; else the story fails and shows it.
    #[track_caller]
    pub fn expect(self, code: i32) -> Reported {
        assert_eq!(self.code, code, "wrong exit code of {self:?}");
        self
    }
}
