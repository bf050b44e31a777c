//! The file of a log: opens it, or checks that it could be opened.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Access, FileType, Mode, OFlags};
use rustix::io::Errno;
use zerohttpd_sys::file_access;

/// The path can lead to a pipe or a terminal, and opening one must not block.
const FLAGS: OFlags =
    OFlags::APPEND.union(OFlags::CLOEXEC).union(OFlags::NOCTTY).union(OFlags::NONBLOCK);

/// Opens a file for a log, or creates it.
///
/// # Errors
///
/// Those of open(2).
pub fn open(file: &Path) -> io::Result<OwnedFd> {
    let mode = Mode::from_raw_mode(0o640);
    let opened = match kind(file)? {
        None => rustix::fs::open(file, FLAGS | OFlags::WRONLY | OFlags::CREATE, mode),
        // A named pipe can be opened for reading and writing without a reader (fifo(7)), so readers
        // can come and go. Without the right to read the pipe, the open fails unless there is a
        // reader.
        Some(FileType::Fifo) => rustix::fs::open(file, FLAGS | OFlags::RDWR, mode)
            .or_else(|_| rustix::fs::open(file, FLAGS | OFlags::WRONLY, mode)),
        Some(_) => rustix::fs::open(file, FLAGS | OFlags::WRONLY, mode),
    };
    Ok(opened?)
}

/// Checks whether [`open`] would succeed, and creates nothing. Opens an existing file, except a
/// pipe, whose reader would notice.
///
/// # Errors
///
/// Those of `open`.
pub fn check_can_open(file: &Path) -> io::Result<()> {
    match kind(file)? {
        None => file_access::check_can_create(file),
        Some(FileType::Fifo) => file_access::check(file, Access::WRITE_OK),
        Some(_) => Ok(rustix::fs::open(file, FLAGS | OFlags::WRONLY, Mode::empty()).map(drop)?),
    }
}

/// The type of the file at a path; `None` if it does not exist.
fn kind(file: &Path) -> Result<Option<FileType>, Errno> {
    match rustix::fs::stat(file) {
        Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}
