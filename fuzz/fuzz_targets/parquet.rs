#![no_main]

// Replaces libFuzzer's panic hook, which would end the run before a panic can be caught.
libfuzzer_sys::fuzz_target!(init: gait_support::keep_caught_panics_quiet(), |bytes: &[u8]| {
    gaitgl_fuzz::network::parquet(bytes)
});
