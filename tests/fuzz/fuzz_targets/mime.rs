//! See `sendbox_fuzz::mime`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sendbox_fuzz::mime::check(data));
