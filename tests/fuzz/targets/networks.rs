//! Networks on the list and on the allow list: see `raft::fuzzing::networks`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raft::fuzzing::networks(data));
