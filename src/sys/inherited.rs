//! Descriptors that this process was started with, and that the next program is to have.

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};

use super::check;

/// A descriptor that whoever started this process left open for it. It is to be taken once.
///
/// # Errors
///
/// `EBADF`: there is none of that number.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl(2) takes any number, and F_GETFD changes nothing.
    check(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    // SAFETY: it is open, and was passed to this process by its number, which stands for nothing
    // else: callers read the numbers once, before they open anything.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    keep(&descriptor, false)?;
    Ok(descriptor)
}

/// Whether a descriptor is kept open when another program is executed (`FD_CLOEXEC`).
///
/// # Errors
///
/// Those of fcntl(2).
pub fn keep(descriptor: impl AsFd, kept: bool) -> io::Result<()> {
    let flags = if kept { FdFlags::empty() } else { FdFlags::CLOEXEC };
    Ok(fcntl_setfd(descriptor, flags)?)
}
