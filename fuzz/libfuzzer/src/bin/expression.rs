#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| posthaste_fuzz::expression(input));
