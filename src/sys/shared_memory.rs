//! mmap(2): memory that a process shares with its children.

use std::io;
use std::ptr;
use std::sync::atomic::AtomicU64;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

/// So many numbers, all zero, that stay shared across fork(2). They live as long as the process.
///
/// # Errors
///
/// `ENOMEM`.
pub fn share(numbers: usize) -> io::Result<&'static [AtomicU64]> {
    let size = numbers * size_of::<AtomicU64>();
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new anonymous mapping touches no other memory. It is page-aligned, zeroed, large
    // enough and never unmapped; zeroes are numbers, and atomic ones may be changed by anybody.
    unsafe {
        let address = mmap_anonymous(ptr::null_mut(), size, protection, MapFlags::SHARED)?;
        Ok(std::slice::from_raw_parts(address.cast::<AtomicU64>(), numbers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn numbers_start_at_zero_and_can_be_changed() {
        let numbers = share(1000).unwrap();
        assert!(numbers.iter().all(|number| number.load(Relaxed) == 0));
        numbers[999].store(7, Relaxed);
        assert_eq!(numbers[999].load(Relaxed), 7);
    }
}
