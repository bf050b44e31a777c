//! `TCP_NOTSENT_LOWAT` of tcp(7): how much a socket holds of what its peer has no room for.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::check;

/// Has a socket take no more while so many bytes in it were not sent yet. What is on its way does
/// not count, so a fast peer is not slowed down. A listening socket hands this on to those that it
/// accepts.
///
/// # Errors
///
/// Those of setsockopt(2).
pub fn notsent_lowat(socket: impl AsFd, bytes: u32) -> io::Result<()> {
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    let (level, option) = (libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT);
    // SAFETY: the pointer is to a number of that size, which lives through the call.
    let result = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, (&raw const bytes).cast(), size)
    };
    check(result).map(drop)
}
