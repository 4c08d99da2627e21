//! Foreign decoders that panic at damaged files.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

thread_local! {
    /// Whether a panic of this thread would be caught as a damaged file.
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder; `None` if it panics. What a decoder trips over is a damaged file, whichever
/// decoder it is: zune-jpeg 0.5.15 does at some (AVX2), parquet 60.1 at definition levels that are cut
/// short. `decode` must own what it changes, so that nothing half-done is seen afterwards.
pub fn caught<T>(decode: impl FnOnce() -> T) -> Option<T> {
    DECODING.set(true);
    let decoded = panic::catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(false);
    decoded.ok()
}

/// Keeps the process's panic hook from telling the panics that [`caught`] catches. For a program to
/// call once, at its start.
pub fn keep_caught_panics_quiet() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !DECODING.get() {
            tell(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_decoder_is_no_panic_of_ours() {
        assert_eq!(caught(|| 5), Some(5));
        assert_eq!(caught(|| -> usize { panic!("offset + len out of bounds") }), None);
        assert!(!DECODING.get(), "the next panic is reported");
    }
}
