//! Mappings and webhooks: see `api::fuzzing::hooks`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzzing::hooks(data));
