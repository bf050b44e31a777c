//! `TCP_DEFER_ACCEPT` of tcp(7): a listening socket that becomes readable only when a client has
//! sent something.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::check;

/// Makes accept(2) pass over clients that send nothing, for about this many seconds.
///
/// # Errors
///
/// Those of setsockopt(2).
pub fn defer_accept(socket: impl AsFd, seconds: i32) -> io::Result<()> {
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    let (level, option) = (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT);
    // SAFETY: the pointer is to a number of that size, which lives through the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const seconds).cast(),
            size,
        )
    };
    check(result).map(drop)
}
