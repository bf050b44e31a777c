//! What the kernel offers and no safe library wraps: the only `unsafe` code of the program.
//!
//! One small file for each facility, named as its manual page is; descriptors go in and out as
//! owned or borrowed ones. Beside them stand the `nursery`, which is the allocator, and `maths`,
//! which is linked in place of a shared library. Everything else that the program asks of the
//! kernel goes through `rustix`, whose calls are the system calls of the same names.

pub mod cpu_clock;
pub mod defer_accept;
pub mod fork;
pub mod inherited;
mod maths;
pub mod notsent_lowat;
pub mod nursery;
pub mod parent;
pub mod session;
pub mod shared_memory;
pub mod signal;
pub mod source_address;
pub mod unix_socket;
pub mod wait;

use std::io;

/// The result of a call that returns -1 and sets `errno` (errno(3)).
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
