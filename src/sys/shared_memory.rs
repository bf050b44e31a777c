//! mmap(2): memory that a process shares with its children.

use std::io;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use rustix::process::{Pid, getpid};

/// Numbers that stay shared across fork(2).
pub struct Shared {
    mapping: Arc<Mapping>,
    first: usize,
    count: usize,
}

/// A mapping of so many numbers, unmapped when nobody has any of them.
struct Mapping {
    start: *mut AtomicU64,
    count: usize,
}

/// What is left of a mapping for those who ask next. Each mapping costs every forked child some
/// microseconds, so that few are made.
struct Rest {
    mapping: Arc<Mapping>,
    first: usize,
    /// Who made it: in a child, what seems to be left is still the parent's to give.
    owner: Pid,
}

static REST: Mutex<Option<Rest>> = Mutex::new(None);

/// What a mapping has room for. A page of it takes memory when it is first touched.
const MAPPING_NUMBERS: usize = 32 * 1024;

/// Numbers of different owners are in different cache lines.
const LINE_NUMBERS: usize = 64 / size_of::<AtomicU64>();

impl Shared {
    /// So many numbers, all zero.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(count: usize) -> io::Result<Shared> {
        let room = count.max(1).next_multiple_of(LINE_NUMBERS);
        if room > MAPPING_NUMBERS / 2 {
            return Ok(Shared { mapping: Mapping::new(room)?, first: 0, count });
        }
        let mut rest = REST.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = getpid();
        let fits = |rest: &Rest| rest.owner == owner && MAPPING_NUMBERS - rest.first >= room;
        let Rest { mapping, first, .. } = match rest.take().filter(fits) {
            Some(rest) => rest,
            None => Rest { mapping: Mapping::new(MAPPING_NUMBERS)?, first: 0, owner },
        };
        *rest = Some(Rest { mapping: mapping.clone(), first: first + room, owner });
        Ok(Shared { mapping, first, count })
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
        // SAFETY: they lie within the mapping, which is page-aligned and there as long as we are.
        // Zeroes are numbers, and atomic ones may be changed by anybody.
        unsafe { std::slice::from_raw_parts(self.mapping.start.add(self.first), self.count) }
    }
}

// SAFETY: it is memory for atomic numbers, which any thread may read and change at any time.
unsafe impl Send for Mapping {}
// SAFETY: likewise.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(count: usize) -> io::Result<Arc<Mapping>> {
        let size = count * size_of::<AtomicU64>();
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new anonymous mapping touches no other memory.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), size, protection, MapFlags::SHARED)? };
        Ok(Arc::new(Mapping { start: start.cast::<AtomicU64>(), count }))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let size = self.count * size_of::<AtomicU64>();
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
        for count in [1, 1000, MAPPING_NUMBERS / 2, MAPPING_NUMBERS + 1] {
            let numbers = Shared::new(count).unwrap();
            assert_eq!(numbers.len(), count);
            assert!(numbers.iter().all(|number| number.load(Relaxed) == 0));
            numbers[count - 1].store(7, Relaxed);
            assert_eq!(numbers.leak()[count - 1].load(Relaxed), 7);
        }
    }

    #[test]
    fn nobody_is_given_what_another_has_or_had() {
        for count in (0..200).map(|turn| 1 + turn * 37 % 2000) {
            let numbers = Shared::new(count).unwrap();
            let untouched = |number: &AtomicU64| number.swap(1, Relaxed) == 0;
            assert!(numbers.iter().all(untouched), "{count}");
            // Every other one stays.
            if count % 2 == 0 {
                numbers.leak();
            }
        }
    }
}
