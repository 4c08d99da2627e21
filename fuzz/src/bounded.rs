//! How much memory a call takes, counted by the allocator, and how much it may take.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The most that a reader may take at any time: `each` bytes for every byte of its input, and `fixed`
/// bytes for tables and messages.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Bytes for each byte of the input.
    pub each: usize,
    /// Bytes for an empty input.
    pub fixed: usize,
}

impl Bound {
    /// The bytes that an input may take.
    pub fn of(self, input: &[u8]) -> usize {
        self.each.saturating_mul(input.len()).saturating_add(self.fixed)
    }
}

/// No input of a few kilobytes takes longer.
const LONGEST: Duration = Duration::from_secs(20);

/// Calls a reader, whose threads are counted together: nothing else may run beside it.
///
/// # Panics
/// If the call takes more than `most` bytes, or longer than any input of a few kilobytes may.
pub fn bounded<T>(most: usize, read: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = read();
    let taken = PEAK.load(Relaxed) - before;
    assert!(taken <= signed(most), "{taken} bytes were taken, not {most}");
    assert!(started.elapsed() < LONGEST, "{:?}", started.elapsed());
    result
}

/// Bytes that are allocated and not freed, and the most of them so far.
static NOW: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

/// Beyond this the machine is spared: the allocation fails and the process ends.
const MOST: i64 = 4 << 30;

/// The system's allocator, which counts.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Counts a change; whether it may happen.
fn count(change: i64) -> bool {
    let now = NOW.fetch_add(change, Relaxed) + change;
    PEAK.fetch_max(now, Relaxed);
    change <= 0 || now < MOST
}

// SAFETY: memory comes from and goes back to `System` under the layouts that it was asked for with;
// counting allocates nothing.
#[allow(unsafe_code, reason = "an allocator is unsafe by its nature")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if count(signed(layout.size())) {
            // SAFETY: the caller's promise is passed on.
            unsafe { System.alloc(layout) }
        } else {
            std::ptr::null_mut()
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if count(signed(layout.size())) {
            // SAFETY: the caller's promise is passed on.
            unsafe { System.alloc_zeroed(layout) }
        } else {
            std::ptr::null_mut()
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-signed(layout.size()));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if count(signed(size) - signed(layout.size())) {
            // SAFETY: the caller's promise is passed on.
            unsafe { System.realloc(pointer, layout, size) }
        } else {
            std::ptr::null_mut()
        }
    }
}
