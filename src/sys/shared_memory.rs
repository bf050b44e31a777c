//! mmap(2): memory that a process shares with its children.

use std::io;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::AtomicU64;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Numbers that stay shared across fork(2).
pub struct Shared {
    start: *mut AtomicU64,
    count: usize,
}

// SAFETY: it is a slice of atomic numbers, which any thread may read and change at any time.
unsafe impl Send for Shared {}
// SAFETY: likewise.
unsafe impl Sync for Shared {}

impl Shared {
    /// So many numbers, all zero. A page of them takes memory when it is first touched.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(count: usize) -> io::Result<Shared> {
        let size = count.max(1) * size_of::<AtomicU64>();
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new anonymous mapping touches no other memory.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), size, protection, MapFlags::SHARED)? };
        Ok(Shared { start: start.cast::<AtomicU64>(), count })
    }

    /// The numbers, for as long as the process lives.
    pub fn leak(self) -> &'static [AtomicU64] {
        let numbers: *const [AtomicU64] = &raw const *self;
        std::mem::forget(self);
        // SAFETY: see `deref`; what is forgotten is never unmapped.
        unsafe { &*numbers }
    }
}

impl Deref for Shared {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, large enough, and there as long as we are. Zeroes
        // are numbers, and atomic ones may be changed by anybody.
        unsafe { std::slice::from_raw_parts(self.start, self.count) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let size = self.count.max(1) * size_of::<AtomicU64>();
        // SAFETY: it is our mapping, whole, and nobody has a reference to it any more. Those of
        // other processes are their own.
        let _ = unsafe { munmap(self.start.cast(), size) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn numbers_start_at_zero_and_can_be_changed() {
        let numbers = Shared::new(1000).unwrap();
        assert_eq!(numbers.len(), 1000);
        assert!(numbers.iter().all(|number| number.load(Relaxed) == 0));
        numbers[999].store(7, Relaxed);
        assert_eq!(numbers.leak()[999].load(Relaxed), 7);
    }
}
