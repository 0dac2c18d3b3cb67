//! Bodies of requests: see `api::fuzzing::bodies`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzzing::bodies(data));
