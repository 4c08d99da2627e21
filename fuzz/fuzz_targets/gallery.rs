#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gaitgl_fuzz::data::gallery(bytes));
