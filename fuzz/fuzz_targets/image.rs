#![no_main]

// libFuzzer's panic hook ends the run before a panic can be caught.
libfuzzer_sys::fuzz_target!(init: gait_support::keep_caught_panics_quiet(), |bytes: &[u8]| {
    gaitgl_fuzz::data::image(bytes)
});
