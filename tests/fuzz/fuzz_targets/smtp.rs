//! See `sendbox_fuzz::smtp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sendbox_fuzz::smtp::check(data));
