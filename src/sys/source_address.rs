//! ip(7): which of our addresses a connection comes from.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::check;

/// Has bind(2) choose an address only, and leave the port to connect(2): one port then serves many
/// connections, as long as they differ in their other end (`IP_BIND_ADDRESS_NO_PORT`).
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
