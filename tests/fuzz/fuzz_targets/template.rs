//! See `sendbox_fuzz::template`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sendbox_fuzz::template::check(data));
