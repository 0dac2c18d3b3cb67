//! The command line, as a script uses it: what it prints, and how it ends.

use std::fs;

use stockade_tests::{Cli, TestCluster};

#[test]
fn the_list_is_kept_from_a_shell() {
    let cluster = TestCluster::start(1);
    let cli = Cli::of(&cluster.nodes[0], "analyst");

    // Not listed, listed, no address at all.
    cli.run(&["get", "198.51.100.7"]).expect(1);
    cli.run(&["add", "198.51.100.7", "--comment", "from a shell"]).expect(0);
    let got = cli.run(&["get", "198.51.100.7"]).expect(0);
    assert!(got.output.contains("198.51.100.7") && got.output.contains("from a shell"), "{got:?}");
    let wrong = cli.run(&["add", "10.0.0.300"]).expect(2);
    assert!(wrong.errors.contains("10.0.0.300"), "{wrong:?}");

    // Import from standard input and from a file; one bad line is told.
    let told = cli.run_with_input(&["import", "-"], "198.51.100.8\n198.51.100.9\n10.0.0.300\n");
    assert!(format!("{}{}", told.output, told.errors).contains("10.0.0.300"), "{told:?}");
    let file = cluster.nodes[0].data().with_file_name("list.txt");
    fs::write(&file, "198.51.100.10\n198.51.100.8\n").unwrap();
    cli.run(&["import", file.to_str().unwrap()]).expect(0);

    // Export to standard output.
    let list = cli.run(&["export", "--format", "txt"]).expect(0);
    assert_eq!(list.output, "198.51.100.7\n198.51.100.8\n198.51.100.9\n198.51.100.10\n");

    // Delete.
    cli.run(&["delete", "198.51.100.7"]).expect(0);
    cli.run(&["get", "198.51.100.7"]).expect(1);
}

#[test]
fn the_cluster_is_seen_from_a_shell() {
    let mut cluster = TestCluster::start(3);
    cluster.register("operator", "admin");
    let cli = Cli::of(&cluster.nodes[1], "operator");
    let status = cli.run(&["status"]).expect(0);
    assert!(!status.output.is_empty(), "{status:?}");
    let members = cli.run(&["members"]).expect(0);
    for node in &cluster.nodes {
        assert!(
            members.output.contains(&node.http_address()),
            "{members:?} should name {}",
            node.http_address()
        );
    }

    // A node that does not answer, and a wrong password, are errors.
    cluster.nodes[1].kill();
    let failed = cli.run(&["status"]).expect(2);
    assert!(!failed.errors.is_empty(), "{failed:?}");
    Cli::of(&cluster.nodes[0], "nobody").run(&["get", "198.51.100.7"]).expect(2);
}

#[test]
fn help_explains_every_flag() {
    let cluster = TestCluster::start(1);
    let help = Cli::of(&cluster.nodes[0], "analyst").run(&["serve", "--help"]).expect(0);
    for flag in [
        "--data",
        "--http",
        "--peers",
        "--join",
        "--learner",
        "--expect",
        "--write-timeout",
        "--body-max-mib",
    ] {
        let variable = format!("STOCKADE_{}", flag.trim_start_matches("--").replace('-', "_").to_uppercase());
        assert!(help.output.contains(flag) && help.output.contains(&variable), "{flag} and {variable}");
    }
}
