//! `TCP_NOTSENT_LOWAT` of tcp(7): how much unsent data a socket holds while its peer has no room.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::check;

/// Limits the unsent bytes that a socket holds. Bytes that were sent and not yet acknowledged do
/// not count, so a fast peer is not slowed down. Accepted sockets inherit this from the listening
/// one.
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
