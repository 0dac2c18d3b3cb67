//! The peers' port: see `raft::fuzzing::frames`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raft::fuzzing::frames(data));
