//! mmap(2): memory that a process shares with its children, and also, through a file descriptor,
//! with the program that replaces it in execve(2).

use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::process::{Pid, getpid};

/// Numbers that stay shared across fork(2).
pub struct Shared {
    mapping: Arc<Mapping>,
    first: usize,
    count: usize,
}

/// A mapping with numbers, unmapped when the last [`Shared`] in it is dropped.
struct Mapping {
    start: *mut AtomicU64,
    count: usize,
    file: OwnedFd,
}

/// The unused rest of the last mapping. Each mapping costs a forked child a few microseconds, so
/// one mapping serves many callers.
struct Rest {
    mapping: Arc<Mapping>,
    first: usize,
    /// The process that made the mapping. A child must not use the rest, because its parent can
    /// too.
    owner: Pid,
}

static REST: Mutex<Option<Rest>> = Mutex::new(None);

/// The size of a mapping, in numbers. Each of its pages takes memory only once it is touched.
const MAPPING_NUMBERS: usize = 64 * 1024;

/// The size of a cache line, in numbers. Each [`Shared`] starts at a new line.
const LINE_NUMBERS: usize = 64 / size_of::<AtomicU64>();

impl Shared {
    /// Allocates this many numbers, all zero.
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

    /// Maps the shared memory of another program: `count` numbers of its `file`, from index `first`
    /// on.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the file is shorter; those of mmap(2).
    pub fn of_file(file: OwnedFd, first: usize, count: usize) -> io::Result<Shared> {
        let end = first.checked_add(count).ok_or(Errno::INVAL)?;
        let len = usize::try_from(rustix::fs::fstat(&file)?.st_size).unwrap_or(0);
        if end > len / size_of::<AtomicU64>() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the memory is too short"));
        }
        Ok(Shared { mapping: Mapping::of(file, end)?, first, count })
    }

    /// The file of this memory, and the index in it of the first number.
    ///
    /// # Errors
    ///
    /// `EMFILE` if this process has no descriptor left.
    pub fn file(&self) -> io::Result<(OwnedFd, usize)> {
        Ok((self.mapping.file.try_clone()?, self.first))
    }

    /// Keeps the numbers for as long as the process lives.
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
        // SAFETY: the numbers lie within the mapping, which is page-aligned and lives as long as
        // `self`. Zero bytes are valid numbers, and any process may change atomic ones.
        unsafe { std::slice::from_raw_parts(self.mapping.start.add(self.first), self.count) }
    }
}

// SAFETY: a mapping is memory for atomic numbers, which any thread may read and change at any time.
unsafe impl Send for Mapping {}
// SAFETY: likewise.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(count: usize) -> io::Result<Arc<Mapping>> {
        let file = rustix::fs::memfd_create(c"zerohttpd", MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&file, (count * size_of::<AtomicU64>()) as u64)?;
        Mapping::of(file, count)
    }

    fn of(file: OwnedFd, count: usize) -> io::Result<Arc<Mapping>> {
        let size = count * size_of::<AtomicU64>();
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping touches no other memory, and the file is at least `size` long. The
        // file was made by memfd_create(2), and no process makes it shorter.
        let start =
            unsafe { mmap(ptr::null_mut(), size, protection, MapFlags::SHARED, file.as_fd(), 0)? };
        Ok(Arc::new(Mapping { start: start.cast::<AtomicU64>(), count, file }))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let size = self.count * size_of::<AtomicU64>();
        // SAFETY: it is the whole of our mapping, and no reference to it is left. The mappings of
        // other processes are separate.
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
    fn another_program_maps_the_same_numbers_from_their_file() {
        let numbers = Shared::new(20).unwrap();
        numbers[3].store(7, Relaxed);
        let (file, first) = numbers.file().unwrap();
        let same = Shared::of_file(file.try_clone().unwrap(), first, 20).unwrap();
        assert_eq!(same[3].fetch_add(1, Relaxed), 7);
        assert_eq!(numbers[3].load(Relaxed), 8);
        assert!(Shared::of_file(file.try_clone().unwrap(), 1 << 20, 20).is_err());
        assert!(Shared::of_file(file, usize::MAX, 20).is_err());
    }

    #[test]
    fn new_shared_numbers_are_zero_and_do_not_overlap() {
        for count in (0..200).map(|turn| 1 + turn * 37 % 2000) {
            let numbers = Shared::new(count).unwrap();
            let untouched = |number: &AtomicU64| number.swap(1, Relaxed) == 0;
            assert!(numbers.iter().all(untouched), "{count}");
            // Every other allocation is kept.
            if count % 2 == 0 {
                numbers.leak();
            }
        }
    }
}
