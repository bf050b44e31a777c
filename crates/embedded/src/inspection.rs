//! Checks whether a store can use a file. The checks create, write and lock nothing.

use std::io::{Error, ErrorKind};
use std::path::Path;

use rustix::fs::Access;
use rustix::io::Errno;
use zerohttpd_sys::file_access;
use zerohttpd_sys::unix_socket;

use super::files::{absolute, folder_of, no_folder, no_lock, no_socket, socket_path, with_suffix};
use super::schema;

/// Checks whether the store can be kept in `file`. Only a start shows whether the disk has room and
/// whether another process serves the file.
///
/// # Errors
///
/// A sentence that says what cannot be used, and what to do.
pub fn inspect(file: &Path) -> Result<(), String> {
    let file = &absolute(file)?;
    let folder = folder_of(file);
    let unusable = |error: &Error| no_folder(folder, error);
    let exists = file_access::check_folder(folder).map_err(|error| unusable(&error))?;
    if !exists {
        return Ok(());
    }
    file_access::check_can_create_in(folder).map_err(|error| unusable(&error))?;
    let lock = with_suffix(file, ".lock");
    could_write(&lock).map_err(|error| no_lock(&lock, &error))?;
    for part in [file.clone(), with_suffix(file, "-wal"), with_suffix(file, "-shm")] {
        could_write(&part).map_err(|error| schema::unusable(&part, &error))?;
    }
    if file.exists() {
        schema::inspect(file)?;
    }
    let socket = socket_path(file);
    could_listen(&socket).map_err(|error| no_socket(&socket, &error))
}

/// Checks whether a file can be read and written, or created.
fn could_write(file: &Path) -> Result<(), Error> {
    match file.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_file() => {
            file_access::check(file, Access::READ_OK | Access::WRITE_OK)
        }
        Ok(found) if found.is_dir() => Err(Errno::ISDIR.into()),
        Ok(_) => Err(Error::new(ErrorKind::InvalidInput, "it is no regular file")),
    }
}

/// Checks whether a socket can have this path: there is no file yet, or a socket, which a starting
/// store replaces once it holds the lock.
fn could_listen(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::FileTypeExt;
    unix_socket::check_name_length(path)?;
    match path.symlink_metadata() {
        Ok(found) if !found.file_type().is_socket() => Err(Errno::EXIST.into()),
        _ => Ok(()),
    }
}
