//! The seeds of the fuzzers, among them all inputs that once found something, read by an ordinary test.

use std::fs;
use std::path::Path;

#[track_caller]
fn check(target: &str, run: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds").join(target);
    let paths: Vec<_> = fs::read_dir(dir).unwrap().map(|item| item.unwrap().path()).collect();
    assert!(paths.len() > 3, "{target} has no seeds");
    for path in paths {
        // The name of the seed stands before the panic, should there be one.
        eprintln!("{}", path.display());
        run(&fs::read(path).unwrap());
    }
}

#[test]
fn the_seeds_of_bodies() {
    check("bodies", super::bodies);
}

#[test]
fn the_seeds_of_queries() {
    check("queries", super::queries);
}

#[test]
fn the_seeds_of_exports() {
    check("exports", super::exports);
}

#[test]
fn the_seeds_of_feeds() {
    check("feeds", super::feeds);
}

#[test]
fn the_seeds_of_hooks() {
    check("hooks", super::hooks);
}

#[test]
fn the_seeds_of_dns() {
    check("dns", super::dns);
}
