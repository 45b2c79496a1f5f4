//! See `sendbox_fuzz::describe`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sendbox_fuzz::describe::check(data));
