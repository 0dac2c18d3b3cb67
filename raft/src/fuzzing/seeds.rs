//! The seeds of the fuzzers, among them all inputs that once found something, read by an ordinary test.

use std::fs;
use std::path::{Path, PathBuf};

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds").join(target);
    let paths = fs::read_dir(dir).unwrap().map(|item| item.unwrap().path());
    let seeds: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert!(seeds.len() > 3, "{target} has no seeds");
    seeds
}

#[track_caller]
fn check(target: &str, run: impl Fn(&[u8])) {
    for (path, bytes) in seeds(target) {
        // The name of the seed stands before the panic, should there be one.
        eprintln!("{}", path.display());
        run(&bytes);
    }
}

#[test]
fn the_seeds_of_observables() {
    check("observables", super::observables);
}

#[test]
fn the_seeds_of_networks() {
    check("networks", super::networks);
}

#[test]
fn the_seeds_of_frames() {
    check("frames", super::frames);
}

#[test]
fn the_seeds_of_records() {
    check("records", super::records);
}

#[test]
fn the_seeds_of_files() {
    let dir = tempfile::tempdir().unwrap();
    check("files", |data| super::files(&dir.path().join("data"), data));
}
