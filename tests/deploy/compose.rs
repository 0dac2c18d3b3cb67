//! `docker-compose` on the project's own file, under a name of the story's own.

use std::env;
use std::path::PathBuf;
use std::process::{self, Command};
use std::time::Duration;

use stockade_tests::{Client, Port, TOKEN, binary, wait_for, workspace};

/// The image of the stories; the one that people build by hand is left alone.
const IMAGE: &str = "stockade:story";

/// Containers of the compose file; removed with their volumes and network when the story ends.
pub(crate) struct Compose {
    project: String,
    file: PathBuf,
    ports: [Port; 3],
    /// The services in the order of their names.
    pub services: Vec<String>,
}

impl Compose {
    /// Builds the image and starts every container.
    pub(crate) fn up() -> Compose {
        let mut image = Command::new(workspace().join("scripts/image"));
        let image = image
            .arg(IMAGE)
            .env("IMAGE", IMAGE)
            .env("STOCKADE_BIN", binary())
            .output()
            .expect("scripts/image can be run");
        assert!(image.status.success(), "scripts/image: {}", String::from_utf8_lossy(&image.stderr));
        let mut compose = Compose {
            project: format!("stockade-story-{}", process::id()),
            file: workspace().join("deploy/compose.yaml"),
            ports: [Port::take(), Port::take(), Port::take()],
            services: Vec::new(),
        };
        compose.services = compose.run(&["config", "--services"]).lines().map(str::to_owned).collect();
        compose.services.sort();
        compose.run(&["up", "--detach"]);
        compose
    }

    /// Runs one command of docker-compose and gives its output.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let ran = self.command(arguments).output().expect("docker-compose can be run");
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).expect("docker-compose speaks UTF-8")
    }

    /// The URL at which this machine reaches a service.
    #[track_caller]
    pub(crate) fn url(&self, service: &str) -> String {
        let address = self.run(&["port", service, "5000"]);
        format!("http://{}", address.trim().replace("0.0.0.0", "127.0.0.1"))
    }

    /// A client of a service without credentials.
    #[track_caller]
    pub(crate) fn client(&self, service: &str) -> Client {
        Client::anonymous(&self.url(service))
    }

    /// Waits until a service serves.
    #[track_caller]
    pub(crate) fn wait_ready(&self, service: &str) {
        let client = Client::new(&self.url(service), Duration::from_secs(2));
        wait_for(&format!("{service} is ready"), Duration::from_secs(60), || {
            client.try_get("/readyz").filter(|answer| answer.status == 200)
        });
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command =
            Command::new(env::var_os("DOCKER_COMPOSE").unwrap_or_else(|| "docker-compose".into()));
        command
            .arg("--project-name")
            .arg(&self.project)
            .arg("--file")
            .arg(&self.file)
            .args(arguments)
            .env("REGISTRATION_TOKEN", TOKEN)
            .env("STOCKADE_IMAGE", IMAGE);
        for (number, port) in (1..).zip(&self.ports) {
            command.env(format!("STOCKADE{number}_PORT"), port.number().to_string());
        }
        command
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = self.command(&["logs", "--tail", "40"]).output();
            eprintln!(
                "{}",
                logs.map(|logs| String::from_utf8_lossy(&logs.stdout).into_owned()).unwrap_or_default()
            );
        }
        let down = self.command(&["down", "--volumes", "--remove-orphans", "--timeout", "10"]).output();
        let removed = Command::new("docker").args(["image", "rm", IMAGE]).output();
        if ![down, removed].into_iter().all(|ran| ran.is_ok_and(|ran| ran.status.success())) {
            eprintln!("something of {} or its image may be left", self.project);
        }
    }
}
