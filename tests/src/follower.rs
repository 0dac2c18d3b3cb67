//! `stockade follow` in the background, as a page of `deploy/firewalls` says to run it.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::cli::Cli;
use crate::cluster::TestCluster;
use crate::machine::Machine;
use crate::node::Node;
use crate::workspace::workspace;

/// A follower that ends with its story.
pub struct Follower(Child);

impl Follower {
    /// Follows the nodes in this order, as the analyst.
    #[track_caller]
    pub fn start(cluster: &TestCluster, order: &[usize], words: &[&str]) -> Follower {
        let urls: Vec<String> = order.iter().map(|&number| Node::url(&cluster.nodes[number])).collect();
        let mut command = Cli::of(&cluster.nodes[order[0]], "analyst").command(&["follow"]);
        command.args(words).env("STOCKADE_URL", urls.join(",")).stdin(Stdio::null());
        Follower(command.spawn().expect("the binary can be started"))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A page of `deploy/firewalls`.
pub struct Page {
    name: &'static str,
    text: String,
}

impl Page {
    /// `nftables` is `deploy/firewalls/nftables.md`.
    #[track_caller]
    pub fn read(name: &'static str) -> Page {
        let path = workspace().join("deploy/firewalls").join(format!("{name}.md"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Page { name, text }
    }

    /// Its lines of code that begin so.
    #[track_caller]
    pub fn lines(&self, start: &str) -> Vec<&str> {
        let code = self.text.lines().filter_map(|line| line.strip_prefix("    "));
        let found: Vec<&str> = code.filter(|line| line.trim_start().starts_with(start)).collect();
        assert!(!found.is_empty(), "{} has no line `{start}`", self.name);
        found
    }

    /// Starts the nth `stockade follow` of the page; its file is on this machine, and its command runs there. `adapted`
    /// makes the command one that finds the settings of a test.
    #[track_caller]
    pub fn follow(
        &self,
        nth: usize,
        cluster: &TestCluster,
        order: &[usize],
        machine: &Machine,
        adapted: impl Fn(&str) -> String,
    ) -> Follower {
        let line = self.lines("stockade follow")[nth];
        let (words, command) = line.split_once(" --exec '").expect("the page has a command");
        let command = adapted(command.strip_suffix('\'').expect("the command ends the line"));
        let command = format!("exec {} sh -c '{command}'", machine.enter());
        let mut words: Vec<String> = words.split(' ').skip(2).map(str::to_owned).collect();
        for at in 1..words.len() {
            if words[at - 1] == "--file" {
                let name = Path::new(&words[at]).file_name().expect("the file has a name").to_owned();
                words[at] = machine.path().join(name).display().to_string();
            }
        }
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.extend(["--exec", &command]);
        Follower::start(cluster, order, &words)
    }
}
