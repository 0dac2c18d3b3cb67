//! Observables of every kind: see `raft::fuzzing::observables`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raft::fuzzing::observables(data));
