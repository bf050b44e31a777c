//! `IP_BIND_ADDRESS_NO_PORT` of ip(7): a client that chooses its source address.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::check;

/// Makes bind(2) choose only an address and leave the port to connect(2). One port can then have
/// many connections to different peers.
///
/// # Errors
///
/// `ENOPROTOOPT` before Linux 4.2.
pub fn leave_port_to_connect(socket: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer is to an int, which lives through the call, and its size is given.
    check(unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    })?;
    Ok(())
}
