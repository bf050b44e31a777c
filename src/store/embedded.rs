//! The embedded store: `zerohttpd store FILE`, a process that keeps the guestbook in a file when
//! no Redis is named.
//!
//! To its clients it is a Redis of few [commands] on a Unix socket beside the file; what it keeps
//! is an SQLite [database](schema) that any tool can read.
//!
//! ```text
//! FILE         the database; FILE-wal and FILE-shm are its log
//! FILE.lock    flock(2) on it says which process serves the file; the next one waits for it
//! FILE.sock    where that process listens
//! ```
//!
//! The [service] reads from all clients that have sent something, answers them in one
//! [turn], which is one transaction, and sends the replies once it is committed.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};

use crate::sandbox::Sandbox;
use crate::sys::unix_socket;

mod client;
mod commands;
mod database;
mod greeting;
mod lists;
mod request;
mod schema;
mod service;
mod turn;

use database::Database;
use service::Service;

/// Where the store of `file` listens.
pub fn socket_path(file: &Path) -> PathBuf {
    beside(file, ".sock")
}

/// Serves `file` until the process ends; whatever it has acknowledged is in the database then.
///
/// Says on standard output what a parent waits for: `ready` when clients may connect; before it
/// `standby`, if another process serves the file. In that case this one takes over when the other
/// ends, and its clients can use the other's socket until then.
///
/// SIGPIPE has to be ignored.
///
/// # Errors
///
/// One sentence that says what cannot be used, and what to do.
pub fn run(file: &Path, sandbox: Sandbox) -> Result<Infallible, String> {
    let service = start(file, sandbox, &mut io::stdout())?;
    service
        .serve()
        .map_err(|e| format!("the store of {} cannot wait for clients: {e}", file.display()))
}

/// Does everything up to listening, and tells `parent` how far it is.
fn start(file: &Path, sandbox: Sandbox, parent: &mut impl Write) -> Result<Service, String> {
    // SQLite would take a name like `file:x` for more than a name.
    let file = &std::path::absolute(file)
        .map_err(|e| format!("cannot use {:?} as a file: {e}; name another", file.display()))?;
    make_folder(file)?;
    crate::sandbox::confine_store(sandbox, folder_of(file))?;
    let lock = lock(file, || tell(parent, "standby"))?;
    let database = Database::new(schema::open(file)?);
    let path = socket_path(file);
    remove_stale(&path)
        .and_then(|()| unix_socket::listen(&path, service::CLIENTS as i32))
        .and_then(|listener| Ok(Service::new(lock, database, listener)?))
        .inspect(|_| tell(parent, "ready"))
        .map_err(|e| format!("cannot listen on {}: {e}; name another file", path.display()))
}

/// A parent that doesn't listen misses nothing.
fn tell(parent: &mut impl Write, word: &str) {
    let _ = writeln!(parent, "{word}").and_then(|()| parent.flush());
}

fn make_folder(file: &Path) -> Result<(), String> {
    let folder = folder_of(file);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| {
        format!("cannot make the folder {}: {e}; make it, or name another file", folder.display())
    })
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("/"))
}

/// Waits until no other process serves `file`; the lock ends with this process, however it ends.
fn lock(file: &Path, standby: impl FnOnce()) -> Result<File, String> {
    let path = beside(file, ".lock");
    let take = || {
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => {
                standby();
                retry_on_intr(|| flock(&lock, FlockOperation::LockExclusive))?;
            }
            taken => taken?,
        }
        Ok(lock)
    };
    take().map_err(|e: io::Error| {
        format!("cannot lock {}: {e}; name a file in a folder of yours", path.display())
    })
}

/// Removes the socket of a store that has ended. Anything else of that name is somebody's file.
fn remove_stale(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path),
        _ => Ok(()),
    }
}

fn beside(file: &Path, extension: &str) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(extension);
    PathBuf::from(path)
}

#[cfg(test)]
mod tests;
