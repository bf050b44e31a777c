//! Descriptors that were passed to this process, and descriptors that it passes to the next
//! program.

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, Once, PoisonError};

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Resource, getrlimit};

use super::check;

/// The numbers of the inherited descriptors that were not taken yet.
static PASSED: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

/// Only descriptors below this number are looked for.
const MAX_DESCRIPTORS: u64 = 64 * 1024;

/// Notes which descriptors this process inherited when it executed its program: those without
/// `FD_CLOEXEC`, which this program sets on everything that it opens. Only the first call has an
/// effect. Before it, [`take`] finds nothing.
pub fn find() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let end =
            getrlimit(Resource::Nofile).current.unwrap_or(MAX_DESCRIPTORS).min(MAX_DESCRIPTORS);
        // The first three belong to the standard library.
        let passed = (3..end as RawFd).filter(|number| is_passed(*number));
        PASSED.lock().unwrap_or_else(PoisonError::into_inner).extend(passed);
    });
}

fn is_passed(number: RawFd) -> bool {
    // SAFETY: fcntl(2) takes any number, and F_GETFD changes nothing.
    check(unsafe { libc::fcntl(number, libc::F_GETFD) })
        .is_ok_and(|flags| flags & libc::FD_CLOEXEC == 0)
}

/// Takes a descriptor that this process inherited. Each can be taken once.
///
/// # Errors
///
/// `EBADF`: no descriptor with this number was passed, or it was taken already.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    let index = passed.iter().position(|passed| *passed == number).ok_or(Errno::BADF)?;
    passed.swap_remove(index);
    // SAFETY: the number was open before this program opened anything, so nothing here owns it; and
    // nothing takes it again, because it is no longer in the list.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    keep_on_exec(&descriptor, false)?;
    Ok(descriptor)
}

/// Sets whether a descriptor stays open when this process executes another program (`FD_CLOEXEC`).
///
/// # Errors
///
/// Those of fcntl(2).
pub fn keep_on_exec(descriptor: impl AsFd, is_kept: bool) -> io::Result<()> {
    let flags = if is_kept { FdFlags::empty() } else { FdFlags::CLOEXEC };
    Ok(fcntl_setfd(descriptor, flags)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_descriptor_that_this_program_opened_cannot_be_taken() {
        find();
        let own = std::fs::File::open("/dev/null").unwrap();
        for number in [own.as_raw_fd(), 2, -1, 1_000_000] {
            assert_eq!(take(number).unwrap_err().raw_os_error(), Some(libc::EBADF), "{number}");
        }
    }
}
