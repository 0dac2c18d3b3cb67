//! Lists in every format: see `api::fuzzing::exports`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzzing::exports(data));
