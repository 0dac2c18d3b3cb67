//! Queries and cursors: see `api::fuzzing::queries`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzzing::queries(data));
