//! Memory aligned to a cache line, so that no vector load straddles two.

use rayon::prelude::*;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

/// One cache line.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A number that may have any bits.
pub(crate) trait Number: Copy {
    /// How many fill a cache line.
    const IN_A_LINE: usize = size_of::<Line>() / size_of::<Self>();
}
impl Number for f32 {}
impl Number for u16 {}

/// Values that start on a cache line, f32 or bf16.
#[derive(Default)]
pub(crate) struct Buffer<T = f32> {
    lines: Vec<Line>,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Number> Buffer<T> {
    /// `len` zeros, written by all threads; see [`zeros`].
    pub fn zeros(len: usize) -> Self {
        Self { lines: zeros(len.div_ceil(T::IN_A_LINE)), len, of: PhantomData }
    }

    /// Values for which there is memory.
    pub fn capacity(&self) -> usize {
        self.lines.len() * T::IN_A_LINE
    }

    /// Makes room for `len` values and keeps whatever the memory held before.
    pub fn grow(&mut self, len: usize) {
        let lines = len.div_ceil(T::IN_A_LINE);
        if lines > self.lines.len() {
            self.lines.reserve_exact(lines - self.lines.len());
            #[cfg(target_os = "linux")]
            advise_large_pages(&self.lines);
            // New memory alone is written: scratch buffers grow once and are then reused.
            self.lines.resize(lines, Line::default());
        }
        self.len = len;
    }
}

impl<T: Number> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: a line is 64 bytes without padding, any bits are a number, and `len` values fit
        // into the lines.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Number> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: a line is 64 bytes without padding, any bits are a number, `len` values fit into
        // the lines, and the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl Buffer<u16> {
    /// The values two by two in the bits of an f32, without a last odd one.
    pub fn pairs(&self) -> &[f32] {
        // SAFETY: a line is 64 bytes without padding, any bits are an f32, and as many pairs as
        // there are whole ones fit into the lines.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len / 2) }
    }
}

/// A buffer that several tasks write to, each at places of its own.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a, T = f32> {
    start: *mut T,
    len: usize,
    /// The buffer stays borrowed as long as a task may write to it.
    borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: `T: Send` may be written from another thread; a pointer is obtained only through `at`,
// whose caller keeps the tasks apart.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: a shared reference gives nothing but `at`, whose caller keeps the tasks apart, and
// `T: Send` may be written from several threads one after the other.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub fn new(values: &'a mut [T]) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len(), borrowed: PhantomData }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// A pointer to the place `offset`, from which `count` values are accessible.
    ///
    /// # Safety
    /// The pointer is used only while `'a` lasts, and no two tasks access the same place.
    ///
    /// # Panics
    /// If the places are not within the buffer.
    pub unsafe fn at(&self, offset: usize, count: usize) -> *mut T {
        let end = offset.checked_add(count);
        assert!(
            end.is_some_and(|end| end <= self.len),
            "{offset} + {count} values of a buffer of {}",
            self.len
        );
        // SAFETY: the assertion keeps `offset` within the buffer.
        unsafe { self.start.add(offset) }
    }
}

/// Bytes from which large pages and all threads pay: a page fault for each 4 KiB takes as long as
/// the convolution of the first layer.
const LARGE: usize = 4 << 20;

/// `len` zeros (or other default values), on large pages where the system grants them.
///
/// All threads write them, because the system clears a page when it is first written to: with one
/// thread that took a tenth of a training step. Do not call it while holding a lock or a
/// thread-local borrow that another rayon task may want: a waiting thread runs other tasks.
pub fn zeros<T: Copy + Default + Send + Sync>(len: usize) -> Vec<T> {
    if len.saturating_mul(size_of::<T>()) < LARGE {
        return vec![T::default(); len];
    }
    let mut values = Vec::with_capacity(len);
    #[cfg(target_os = "linux")]
    advise_large_pages(&values);
    let places = &mut values.spare_capacity_mut()[..len];
    places.par_chunks_mut((LARGE / 8 / size_of::<T>()).max(1)).for_each(write_zeros);
    // SAFETY: the capacity is at least `len`, and the line above wrote all `len` values.
    unsafe { values.set_len(len) };
    values
}

/// A function of its own, so that profiles name it.
#[inline(never)]
fn write_zeros<T: Copy + Default>(places: &mut [MaybeUninit<T>]) {
    places.fill(MaybeUninit::new(T::default()));
}

/// Asks for large pages for the capacity of `values`. A refusal changes nothing but the speed.
#[cfg(target_os = "linux")]
fn advise_large_pages<T>(values: &Vec<T>) {
    const LARGE_PAGE: usize = 2 << 20;
    let bytes = values.capacity() * size_of::<T>();
    if bytes < LARGE {
        return;
    }
    let first = values.as_ptr();
    let start = first.addr().next_multiple_of(LARGE_PAGE);
    let end = (first.addr() + bytes) / LARGE_PAGE * LARGE_PAGE;
    let place = first.with_addr(start).cast_mut().cast();
    // SAFETY: whole pages within the vector's own memory; the advice does not change contents.
    unsafe { libc::madvise(place, end.saturating_sub(start), libc::MADV_HUGEPAGE) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_and_small_memory_is_zero_to_its_end() {
        for len in [0, 1, LARGE / 4 - 1, LARGE / 4, LARGE + 3] {
            let values: Vec<f32> = zeros(len);
            assert_eq!(values.len(), len);
            assert!(values.iter().all(|value| value.to_bits() == 0), "{len} values");
        }
        assert!(Buffer::<f32>::zeros(LARGE + 3).iter().all(|&value| value == 0.0));
    }

    #[test]
    fn a_buffer_that_grows_keeps_what_it_held() {
        let mut buffer = Buffer::zeros(40);
        buffer.fill(1.5);
        buffer.grow(3 * LARGE);
        assert_eq!((buffer.len(), buffer[39], buffer[3 * LARGE - 1]), (3 * LARGE, 1.5, 0.0));
    }
}
