//! A bound on memory that needs no sanitizer.
//!
//! libFuzzer's own `-malloc_limit_mb` works only with one, and every sanitizer needs a
//! nightly compiler. What asks for too much aborts here, which libFuzzer takes for a crash:
//! it keeps the input.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most bytes that one allocation may have.
const MAX_ALLOCATION: usize = 64 << 20;

/// The most bytes that all allocations may have together, the fuzzer's corpus included.
const MAX_TOTAL: usize = 256 << 20;

struct Bounded;

static TOTAL: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

fn check(size: usize) {
    let total = TOTAL.fetch_add(size, Ordering::Relaxed).saturating_add(size);
    if size > MAX_ALLOCATION || total > MAX_TOTAL {
        TOTAL.store(0, Ordering::Relaxed);
        eprintln!("an allocation of {size} bytes, {total} in all: more than an input of this size may cost");
        std::process::abort();
    }
}

// SAFETY: every call goes to the system's allocator unchanged; only sizes are counted.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        TOTAL.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        check(size);
        TOTAL.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}
