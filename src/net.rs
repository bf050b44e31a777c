//! Listening sockets, clients' sockets, and pipes that wake servers up.

pub mod listener;
pub mod stream;

use std::os::fd::OwnedFd;

/// A pipe to which the supervisor writes, and which servers watch. Returns its reading end and its
/// writing end.
///
/// # Errors
///
/// A sentence that says why pipe(2) failed.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), String> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|error| format!("can't make a pipe: {error}"))
}
