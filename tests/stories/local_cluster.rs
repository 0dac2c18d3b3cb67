//! `scripts/cluster`: three nodes for trying things out, gone when it is interrupted.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use stockade_tests::{Home, binary, wait_for, workspace};

/// The processes of a group, by id.
fn members(group: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .filter_map(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // After the name in parentheses: state, parent, group.
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
            let (state, group_of) = (fields.next()?, fields.nth(1)?);
            (state != "Z" && group_of.parse() == Ok(group))
                .then(|| entry.file_name().to_string_lossy().into_owned())
        })
        .collect()
}

#[test]
fn three_local_nodes_start_and_are_gone_after_an_interrupt() {
    let home = Home::new();
    let log = home.path().join("log");
    let out = fs::File::create(&log).unwrap();
    let mut script = Command::new(workspace().join("scripts/cluster"))
        .current_dir(home.path())
        .env("STOCKADE_BIN", binary())
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .process_group(0)
        .spawn()
        .expect("scripts/cluster can be started");
    let group = script.id();
    let said = || fs::read_to_string(&log).unwrap();
    wait_for("three nodes run", Duration::from_secs(40), || {
        assert!(script.try_wait().unwrap().is_none(), "{}", said());
        said().contains("Three nodes are up").then_some(())
    });
    assert!(members(group).len() >= 4, "the script and its nodes: {}", said());

    // As Ctrl-C does it.
    kill_process_group(Pid::from_raw(group.cast_signed()).unwrap(), Signal::INT).unwrap();
    wait_for("the script ends", Duration::from_secs(20), || script.try_wait().unwrap());
    wait_for("no process is left", Duration::from_secs(10), || members(group).is_empty().then_some(()));
}
