//! The names of a store's files, and the messages if one of them can't be used.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The socket on which the store of `file` listens.
pub fn socket_path(file: &Path) -> PathBuf {
    with_suffix(file, ".sock")
}

/// The absolute path of the file, with symbolic links resolved.
///
/// # Errors
///
/// A sentence that says why there is no such path.
pub(super) fn absolute(file: &Path) -> Result<PathBuf, String> {
    std::path::absolute(zerohttpd_sys::file_access::resolve_links(file))
        .map_err(|e| format!("cannot use {:?} as a file: {e}; name another", file.display()))
}

/// The message if the socket can't be used.
pub(super) fn no_socket(path: &Path, error: &io::Error) -> String {
    format!("cannot listen on {}: {error}; name another file", path.display())
}

/// The message if the folder can't be used.
pub(super) fn no_folder(folder: &Path, error: &io::Error) -> String {
    let folder = folder.display();
    format!("cannot make or use the folder {folder}: {error}; make it, or name another file")
}

/// The folder of a file with an absolute path.
pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("/"))
}

/// The message if the lock can't be taken.
pub(super) fn no_lock(path: &Path, error: &io::Error) -> String {
    format!("cannot lock {}: {error}; name a file in a folder of yours", path.display())
}

/// The path of the file with a suffix added to the name.
pub(super) fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(suffix);
    PathBuf::from(path)
}
