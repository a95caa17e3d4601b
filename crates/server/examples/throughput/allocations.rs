//! Counts what this process allocates.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

/// More than there are threads at once. Threads that share counters are counted all the same.
const SHARDS: usize = 64;

/// The counters of a thread.
///
/// They have cache lines of their own. Threads that count in the same line wait for each other, which would slow down a service
/// more than a floor that allocates less.
#[repr(align(128))]
struct Counters {
    allocations: AtomicU64,
    bytes: AtomicU64,
    freed_bytes: AtomicU64,
}

impl Counters {
    const fn new() -> Self {
        Self { allocations: AtomicU64::new(0), bytes: AtomicU64::new(0), freed_bytes: AtomicU64::new(0) }
    }

    fn record_allocation(&self, size: usize) {
        self.allocations.fetch_add(1, Relaxed);
        self.bytes.fetch_add(size as u64, Relaxed);
    }

    fn record_free(&self, size: usize) {
        self.freed_bytes.fetch_add(size as u64, Relaxed);
    }
}

static COUNTERS: [Counters; SHARDS] = [const { Counters::new() }; SHARDS];

/// How many threads have counted so far.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The place of this thread's counters. Constant and without a destructor, so that it needs no memory itself.
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

fn own_counters() -> &'static Counters {
    let shard = SHARD.get().unwrap_or_else(|| {
        let shard = THREADS.fetch_add(1, Relaxed) % SHARDS;
        SHARD.set(Some(shard));
        shard
    });
    &COUNTERS[shard]
}

/// The system's allocator, with counters.
pub(crate) struct CountingAllocator;

#[expect(unsafe_code, reason = "an allocator cannot be written otherwise; it only counts and hands over")]
// SAFETY: every call is the system allocator's, with the caller's arguments.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        own_counters().record_allocation(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        own_counters().record_allocation(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        own_counters().record_free(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let counters = own_counters();
        counters.record_allocation(new_size);
        counters.record_free(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

/// The bytes that are allocated and not freed.
pub(crate) fn live_bytes() -> u64 {
    // A thread may free what another has allocated, so only the sums say something.
    let freed = COUNTERS.iter().map(|counters| counters.freed_bytes.load(Relaxed)).sum();
    count().1.saturating_sub(freed)
}

/// Allocations so far, and their bytes.
pub(crate) fn count() -> (u64, u64) {
    let sum = |read: fn(&Counters) -> &AtomicU64| COUNTERS.iter().map(|one| read(one).load(Relaxed)).sum();
    (sum(|one| &one.allocations), sum(|one| &one.bytes))
}
