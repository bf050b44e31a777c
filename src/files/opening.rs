//! The flags for opening files and folders, and the answer to a failure.

use rustix::fs::OFlags;
use rustix::io::Errno;
use zerohttpd_core::AssetError;

/// Flags to read a file. Opening a pipe without a writer, or a terminal, must not block the server.
pub const READ_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Flags to read the names in a folder.
pub const LIST_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::DIRECTORY);

/// The answer to a failure. A client cannot tell whether a file does not exist, is behind a
/// symbolic link, or is one that the server is not allowed to read.
pub fn asset_error(errno: Errno) -> AssetError {
    match errno {
        // EAGAIN: another process can hold a lease on the file (fcntl(2)).
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => AssetError::Busy,
        Errno::IO => AssetError::Unreadable,
        _ => AssetError::Missing,
    }
}
