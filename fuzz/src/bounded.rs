//! Counts the memory that a call takes, with an allocator, and bounds it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The most memory that a reader may take at any time: `each` bytes per byte of its input, plus `fixed`
/// bytes for tables and messages.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Bytes per byte of the input.
    pub each: usize,
    /// Bytes for an empty input.
    pub fixed: usize,
}

impl Bound {
    /// The bytes that a reader of this input may take.
    pub fn for_input(self, input: &[u8]) -> usize {
        self.each.saturating_mul(input.len()).saturating_add(self.fixed)
    }
}

/// More than any input of a few kilobytes needs.
const LONGEST: Duration = Duration::from_secs(20);

/// Calls a reader. All threads of the process are counted, so nothing else may run at the same time.
///
/// # Panics
/// If the call takes more than `most` bytes, or longer than 20 seconds.
pub fn bounded<T>(most: usize, read: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = read();
    let taken = PEAK.load(Relaxed) - before;
    assert!(taken <= signed(most), "{taken} bytes were taken, more than {most}");
    let elapsed = started.elapsed();
    assert!(elapsed < LONGEST, "the reader took {elapsed:?}");
    result
}

/// Bytes that are allocated and not freed.
static NOW: AtomicI64 = AtomicI64::new(0);
/// The largest value of [`NOW`] since the call began.
static PEAK: AtomicI64 = AtomicI64::new(0);

/// Larger allocations fail, which ends the process before the machine runs out of memory.
const MOST: i64 = 4 << 30;

/// The system's allocator, with a count of the bytes.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Counts a change. False if it must not happen.
fn count(change: i64) -> bool {
    let now = NOW.fetch_add(change, Relaxed) + change;
    PEAK.fetch_max(now, Relaxed);
    change <= 0 || now < MOST
}

// SAFETY: all memory comes from `System` and returns to it with the layout of its allocation, and
// counting does not allocate, so the methods keep the contract that `System` keeps.
#[allow(unsafe_code, reason = "a global allocator needs an unsafe implementation")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if count(signed(layout.size())) {
            // SAFETY: the caller guarantees a layout of non-zero size, as `System` requires.
            unsafe { System.alloc(layout) }
        } else {
            std::ptr::null_mut()
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if count(signed(layout.size())) {
            // SAFETY: the caller guarantees a layout of non-zero size, as `System` requires.
            unsafe { System.alloc_zeroed(layout) }
        } else {
            std::ptr::null_mut()
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-signed(layout.size()));
        // SAFETY: the caller guarantees that `pointer` came from this allocator, hence from
        // `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if count(signed(size) - signed(layout.size())) {
            // SAFETY: the caller guarantees that `pointer` came from this allocator, hence from
            // `System`, with this layout, and that `size` is valid.
            unsafe { System.realloc(pointer, layout, size) }
        } else {
            std::ptr::null_mut()
        }
    }
}
