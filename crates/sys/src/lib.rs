//! The kernel facilities that ZeroHTTPd needs and no safe library wraps: the program's only
//! `unsafe` code, and the only caller of `libc`.
//!
//! Each facility has a small file, named after its manual page; descriptors go in and out as owned
//! or borrowed ones. Everything else that the program asks of the kernel goes through `rustix`,
//! whose calls are the system calls of the same names.
//!
//! Four modules without `unsafe` are here because server, store and laboratory share them:
//! messages on standard error ([`diagnostics`]), writes that do not wait ([`output`]), checks of
//! access to files ([`file_access`]), and the addresses of names ([`resolver`]).

pub mod cpu_clock;
pub mod defer_accept;
pub mod diagnostics;
pub mod file_access;
pub mod fork;
pub mod futex;
pub mod inherited;
pub mod name_services;
pub mod notsent_lowat;
pub mod output;
pub mod parent;
pub mod poll;
pub mod process_title;
pub mod ready;
pub mod resolver;
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
