//! The allocator: mimalloc, which ends the program with one line when memory runs out.
//!
//! Rust aborts when an allocation fails, and a user would see a crash. Here the program says what
//! happened and exits with code 2, like any other failure.
#![allow(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::c_long;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{process, thread};

use libmimalloc_sys::{mi_option_set, mi_option_t};
use mimalloc::MiMalloc;

use crate::hints::OUT_OF_MEMORY;

/// Every layer allocates and frees feature maps of the same sizes. mimalloc keeps their pages, while
/// the system's allocator returns them and must clear them again: that saves 4 to 5% of a training
/// step and 4% of its memory, measured on parts-small and paper-small.
#[global_allocator]
static ALLOCATOR: ExitWhenFull = ExitWhenFull;

/// How long mimalloc keeps pages that nobody uses, in milliseconds: longer than a training step, so
/// that each step finds those of the one before. With the 10 milliseconds that mimalloc takes itself
/// the system clears most of them again, a fifth of a step in bf16.
const KEEP: c_long = 10_000;

/// Sets how long unused memory is kept. To be called once, at the start.
pub fn keep_unused_memory() {
    /// `mi_option_purge_delay`, for which the bindings have no name.
    const PURGE_DELAY: mi_option_t = 15;
    // SAFETY: sets a number among the allocator's options, which threads may do at any time.
    unsafe { mi_option_set(PURGE_DELAY, KEEP) }
}

/// mimalloc, but a failed allocation ends the program.
struct ExitWhenFull;

// SAFETY: every method passes its arguments to mimalloc and returns its pointer unchanged, so the
// guarantees are mimalloc's. None of them unwinds: `granted` either returns or ends the process.
unsafe impl GlobalAlloc for ExitWhenFull {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds the contract of `alloc`: `layout` has a non-zero size.
        granted(unsafe { MiMalloc.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds the contract of `alloc_zeroed`: `layout` has a non-zero size.
        granted(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller guarantees that `block` came from this allocator, hence from mimalloc,
        // with this `layout`, and that `size` is valid for its alignment.
        granted(unsafe { MiMalloc.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller guarantees that `block` came from this allocator, hence from mimalloc,
        // with this `layout`, and that nobody uses it any more.
        unsafe { MiMalloc.dealloc(block, layout) }
    }
}

/// The block, if there is one; otherwise the program ends.
#[inline]
fn granted(block: *mut u8, bytes: usize) -> *mut u8 {
    if block.is_null() {
        out_of_memory(bytes);
    }
    block
}

/// Reports the failed allocation of `bytes` and exits with code 2. Allocates nothing. It returns only
/// if it needs memory itself, so that the caller fails as it would have without this module.
#[cold]
fn out_of_memory(bytes: usize) {
    thread_local! {
        static ENDING: Cell<bool> = const { Cell::new(false) };
    }
    static REPORTING: AtomicBool = AtomicBool::new(false);
    if ENDING.replace(true) {
        return;
    }
    if REPORTING.swap(true, Ordering::Relaxed) {
        // Another thread prints the line and exits. It cannot if this one holds standard error.
        thread::sleep(Duration::from_secs(1));
        process::exit(2);
    }
    let mut line = [0; 300];
    let mut rest = &mut line[..];
    let megabytes = bytes.div_ceil(1_000_000);
    let _ =
        writeln!(rest, "gaitgl: out of memory: cannot allocate {megabytes} MB; {OUT_OF_MEMORY}");
    let free = rest.len();
    let _ = std::io::stderr().write_all(&line[..line.len() - free]);
    process::exit(2);
}
