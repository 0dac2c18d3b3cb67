//! Messages of DNS: see `api::fuzzing::dns`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzzing::dns(data));
