//! Memory aligned to a cache line, so that no vector load straddles two.

use std::ops::{Deref, DerefMut};

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// f32 values that start on a cache line.
#[derive(Default)]
pub(crate) struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Self::default();
        buffer.grow(len);
        buffer
    }

    /// Makes room for `len` values and keeps whatever the memory held before.
    pub fn grow(&mut self, len: usize) {
        let lines = len.div_ceil(16);
        if lines > self.lines.len() {
            self.lines.reserve_exact(lines - self.lines.len());
            #[cfg(target_os = "linux")]
            advise_large_pages(self.lines.as_ptr().cast(), lines * 16);
            self.lines.resize(lines, Line([0.0; 16]));
        }
        self.len = len;
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: a line is sixteen f32 without padding, and `len` values fit into the lines.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// A buffer that tasks write to at places which the caller keeps apart.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T = f32> {
    start: *mut T,
    len: usize,
}

// SAFETY: access goes through `at`, whose caller keeps tasks apart.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub fn new(values: &mut [T]) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len() }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// The place `offset`, from which `count` values are accessible.
    ///
    /// # Safety
    /// The buffer outlives the use, and no two tasks access the same place.
    pub unsafe fn at(&self, offset: usize, count: usize) -> *mut T {
        assert!(
            offset + count <= self.len,
            "{offset} + {count} values of a buffer of {}",
            self.len
        );
        // SAFETY: within the buffer by the assertion.
        unsafe { self.start.add(offset) }
    }
}

/// From this size on a result is worth large pages: a fault for each 4 KiB takes as long as the
/// convolution of the first layer.
const LARGE: usize = 1 << 20;

/// A result of `len` zeros, on large pages where the system grants them.
pub(crate) fn result(len: usize) -> Vec<f32> {
    let result = vec![0.0; len];
    #[cfg(target_os = "linux")]
    advise_large_pages(result.as_ptr(), len);
    result
}

/// Asks for large pages. A refusal changes nothing but the speed.
#[cfg(target_os = "linux")]
fn advise_large_pages(values: *const f32, len: usize) {
    const LARGE_PAGE: usize = 2 << 20;
    const MADV_HUGEPAGE: i32 = 14;
    unsafe extern "C" {
        fn madvise(start: *mut std::ffi::c_void, len: usize, advice: i32) -> i32;
    }
    if len < LARGE {
        return;
    }
    let start = values.addr().next_multiple_of(LARGE_PAGE);
    let end = (values.addr() + len * size_of::<f32>()) / LARGE_PAGE * LARGE_PAGE;
    let place = values.with_addr(start).cast_mut().cast();
    // SAFETY: the range lies within our own memory, and the advice does not change contents.
    unsafe { madvise(place, end.saturating_sub(start), MADV_HUGEPAGE) };
}
