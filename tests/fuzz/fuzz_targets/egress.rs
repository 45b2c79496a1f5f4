//! See `sendbox_fuzz::egress`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sendbox_fuzz::egress::check(data));
