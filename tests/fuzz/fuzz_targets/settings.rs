//! See `sendbox_fuzz::settings`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sendbox_fuzz::settings::check(data));
