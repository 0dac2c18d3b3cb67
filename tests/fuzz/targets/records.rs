//! What is stored and what travels in the log: see `raft::fuzzing::records`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raft::fuzzing::records(data));
