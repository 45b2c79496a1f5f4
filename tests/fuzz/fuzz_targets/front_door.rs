//! See `sendbox_fuzz::front_door`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sendbox_fuzz::front_door::check(data));
