//! The allocator of the program: malloc(3), except in a child that was forked for one client.
//!
//! Such a child takes over a heap full of holes, and malloc fills them, each in another page, which
//! the kernel has to copy as it is written to: fifteen pages for one request. So its parent sets
//! some room aside, and the child takes what it needs from there, one piece after the other: four
//! new pages. It gives nothing back, as it will not live long; what no longer fits is malloc's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

/// The room of a child.
const ROOM_BYTES: usize = 64 * 1024;

/// It begins with a page, so that no other is written to.
const PAGE_BYTES: usize = 4096;

/// The room, and how much of it is in use.
struct Nursery {
    /// Where it begins; null while there is none.
    start: AtomicPtr<u8>,
    /// All of it, where nobody may use it.
    used: AtomicUsize,
}

#[global_allocator]
static NURSERY: Nursery = Nursery::closed();

/// Sets the room aside that children will have. Without memory for it they will do without.
pub fn prepare() {
    NURSERY.prepare();
}

/// What this process, a child, allocates from here on comes from the room.
pub fn enter() {
    NURSERY.enter();
}

impl Nursery {
    const fn closed() -> Nursery {
        Nursery { start: AtomicPtr::new(ptr::null_mut()), used: AtomicUsize::new(ROOM_BYTES) }
    }

    fn prepare(&self) {
        let Ok(room) = Layout::from_size_align(ROOM_BYTES, PAGE_BYTES) else { return };
        // SAFETY: the room has a size. It is never given back.
        self.start.store(unsafe { System.alloc(room) }, Relaxed);
    }

    fn enter(&self) {
        if !self.start.load(Relaxed).is_null() {
            self.used.store(0, Relaxed);
        }
    }

    /// The next piece; none if there is no room for it.
    #[inline]
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        // Nearly always, as nearly no process is such a child.
        if self.used.load(Relaxed) == ROOM_BYTES {
            return None;
        }
        let place = |used: usize| used.next_multiple_of(layout.align());
        let end = |used: usize| place(used).checked_add(layout.size());
        let is_within = |end: &usize| *end <= ROOM_BYTES && layout.align() <= PAGE_BYTES;
        let take = |used| end(used).filter(is_within);
        let used = self.used.fetch_update(Relaxed, Relaxed, take).ok()?;
        // SAFETY: the piece lies within the room, and there is one: otherwise all of it is in use.
        Some(unsafe { self.start.load(Relaxed).add(place(used)) })
    }

    /// Lets the last piece grow where it is; false if it is not the last, or there is no room.
    fn grow(&self, piece: *mut u8, from: usize, to: usize) -> bool {
        let at = piece.addr() - self.start.load(Relaxed).addr();
        let (last, grown) = (at + from, at.saturating_add(to));
        grown <= ROOM_BYTES && self.used.compare_exchange(last, grown, Relaxed, Relaxed).is_ok()
    }

    /// Whether it is a piece of the room.
    fn has(&self, piece: *mut u8) -> bool {
        let start = self.start.load(Relaxed);
        !start.is_null() && piece.addr().wrapping_sub(start.addr()) < ROOM_BYTES
    }
}

// SAFETY: a piece lies within the room, is aligned as its place there is (the room begins with a
// page), and is given to nobody else: what is in use only grows. All others are malloc's.
unsafe impl GlobalAlloc for Nursery {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is one that alloc may be called with.
        self.take(layout).unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // Malloc knows what is zero already, as the kernel gave it, and leaves that untouched.
        match self.take(layout) {
            Some(piece) => {
                // SAFETY: the piece is ours, and so long.
                unsafe { piece.write_bytes(0, layout.size()) };
                piece
            }
            // SAFETY: the layout is one that alloc may be called with.
            None => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if !self.has(piece) {
            // SAFETY: then it came from malloc, with that layout.
            unsafe { System.dealloc(piece, layout) }
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.has(piece) {
            // SAFETY: then it came from malloc, with that layout.
            return unsafe { System.realloc(piece, layout, size) };
        }
        if size <= layout.size() || self.grow(piece, layout.size(), size) {
            return piece;
        }
        // SAFETY: the caller warrants that the size, rounded up to the alignment, is one that may
        // be asked for; the new piece is larger, and apart from the old one.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(piece, new, layout.size());
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that count up from `first`, allocated by `nursery`.
    fn numbers(nursery: &Nursery, layout: Layout) -> *mut u8 {
        // SAFETY: the layout has a size; what is written lies within the piece.
        unsafe {
            let piece = nursery.alloc(layout);
            (0..layout.size()).for_each(|at| piece.add(at).write(at as u8));
            piece
        }
    }

    fn counts_up(piece: *mut u8, size: usize) -> bool {
        // SAFETY: the callers have written so many bytes there.
        (0..size).all(|at| unsafe { piece.add(at).read() } == at as u8)
    }

    #[test]
    fn a_child_has_room_of_its_own_and_nobody_else() {
        let layout = Layout::from_size_align(100, 64).unwrap();
        let nursery = Nursery::closed();
        nursery.enter();
        assert!(nursery.take(layout).is_none(), "none was set aside");
        nursery.prepare();
        assert!(nursery.take(layout).is_none(), "this is the parent");
        nursery.enter();
        let (first, second) = (numbers(&nursery, layout), numbers(&nursery, layout));
        assert!(nursery.has(first) && nursery.has(second) && second.addr() - first.addr() == 128);
        assert!(second.addr().is_multiple_of(64) && counts_up(first, 100));
        // SAFETY: the layout has a size, and the pieces are as long.
        let zeroes = unsafe { std::slice::from_raw_parts(nursery.alloc_zeroed(layout), 100) };
        assert!(nursery.has(zeroes.as_ptr().cast_mut()) && zeroes.iter().all(|byte| *byte == 0));
        // SAFETY: they are given back once, with their layout.
        unsafe {
            nursery.dealloc(first, layout);
            nursery.dealloc(second, layout);
        }
    }

    #[test]
    fn a_piece_keeps_its_bytes_as_it_grows() {
        let nursery = Nursery::closed();
        nursery.prepare();
        nursery.enter();
        let layout = |size| Layout::from_size_align(size, 8).unwrap();
        let piece = numbers(&nursery, layout(24));
        // SAFETY: each call gives the layout that the piece has by then.
        unsafe {
            let same = nursery.realloc(piece, layout(24), 200);
            assert!(same == piece && counts_up(same, 24), "it was the last");
            nursery.alloc(layout(8));
            let moved = nursery.realloc(same, layout(200), 400);
            assert!(moved != same && nursery.has(moved) && counts_up(moved, 24));
            let large = nursery.realloc(moved, layout(400), 2 * ROOM_BYTES);
            assert!(!nursery.has(large) && counts_up(large, 24), "that is malloc's");
            let larger = nursery.realloc(large, layout(2 * ROOM_BYTES), 3 * ROOM_BYTES);
            assert!(counts_up(larger, 24));
            nursery.dealloc(larger, layout(3 * ROOM_BYTES));
        }
    }

    #[test]
    fn what_does_not_fit_comes_from_malloc() {
        let nursery = Nursery::closed();
        nursery.prepare();
        nursery.enter();
        let large = Layout::from_size_align(ROOM_BYTES + 1, 1).unwrap();
        let aligned = Layout::from_size_align(16, 2 * PAGE_BYTES).unwrap();
        for layout in [large, aligned] {
            let piece = numbers(&nursery, layout);
            assert!(!nursery.has(piece) && piece.addr().is_multiple_of(layout.align()));
            // SAFETY: it was allocated above with this layout.
            unsafe { nursery.dealloc(piece, layout) };
        }
    }
}
