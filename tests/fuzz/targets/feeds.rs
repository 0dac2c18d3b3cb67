//! Public feeds and the profiles of imports: see `api::fuzzing::feeds`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzzing::feeds(data));
