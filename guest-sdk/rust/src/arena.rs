//! The guest's allocator: an instance lives for one send, so that small blocks are handed out one
//! after another and never taken back. Only in a component.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;

/// Taken from the system at a time.
const CHUNK: usize = 32 << 10;
/// Larger blocks are the system's, and go back to it.
const SMALL: usize = 4 << 10;
/// The alignment of a chunk.
const ALIGN: usize = 16;

/// Blocks of at most [`SMALL`] bytes from chunks, others from the system.
pub(crate) struct Arena {
    /// The free rest of the current chunk.
    next: Cell<*mut u8>,
    left: Cell<usize>,
}

impl Arena {
    pub(crate) const fn new() -> Self {
        Self {
            next: Cell::new(null_mut()),
            left: Cell::new(0),
        }
    }
}

const fn is_small(layout: Layout) -> bool {
    layout.size() <= SMALL && layout.align() <= ALIGN
}

#[expect(unsafe_code, reason = "a component of WASI 0.2 has one thread")]
// SAFETY: no two threads exist that could share it.
unsafe impl Sync for Arena {}

#[expect(unsafe_code, reason = "an allocator is unsafe by its interface")]
// SAFETY: a small block lies in a chunk of the system's that is never given back, and `next` moves past
// it at once, so that no two blocks overlap; sizes are rounded up to `ALIGN`, to which chunks are
// aligned, so that every block is. What is not small is passed on, and by its layout it goes back
// to where it came from.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_small(layout) {
            return unsafe { System.alloc(layout) };
        }
        let size = layout.size().next_multiple_of(ALIGN);
        if size > self.left.get() {
            let chunk = unsafe { System.alloc(Layout::from_size_align_unchecked(CHUNK, ALIGN)) };
            if chunk.is_null() {
                return chunk;
            }
            self.next.set(chunk);
            self.left.set(CHUNK);
        }
        let block = self.next.get();
        self.next.set(unsafe { block.add(size) });
        self.left.set(self.left.get() - size);
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !is_small(layout) {
            unsafe { System.dealloc(block, layout) };
        }
    }
}
