//! The embedded store: `zerohttpd store FILE`, a process that keeps the guestbook in a file when
//! no Redis is named.
//!
//! To its clients the process looks like a Redis with few [commands], on a Unix socket beside the
//! file. The file is an SQLite [database](schema) that any tool can read.
//!
//! ```text
//! FILE         the database; FILE-wal and FILE-shm are its log
//! FILE.lock    locked by the process that serves the file; others wait for the lock (flock(2))
//! FILE.sock    the socket on which that process listens
//! ```
//!
//! The [service] reads from all clients that have sent something, answers them in one [batch],
//! which is one transaction, and sends the replies after the commit.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, Signal};
use zerohttpd_sys::signal::{self, Signals};
use zerohttpd_sys::unix_socket;

mod batch;
mod client;
mod command;
mod commands;
mod database;
mod files;
mod greeting;
mod inspection;
mod items;
mod lists;
mod request;
mod schema;
mod service;

use database::Database;
pub use files::socket_path;
use files::{absolute, folder_of, no_folder, no_lock, no_socket, with_suffix};
pub use inspection::inspect;
use service::Service;

/// Confines the process to a folder. Called once the folder exists, before a file in it is opened.
/// An error is a sentence.
pub type Confine<'a> = &'a dyn Fn(&Path) -> Result<(), String>;

/// Serves `file` until SIGTERM or, without a `parent`, SIGINT or SIGHUP. When it returns, the
/// database is a single file, which can be copied. Acknowledged changes are kept however the
/// process ends.
///
/// A store with a `parent` obeys only the parent's signals: a service manager sends SIGTERM to all
/// processes, and the servers still need the store for their last responses.
///
/// The store reports to the parent on standard output: `ready` when clients can connect, and before
/// that `standby` if another process serves the file. This store then takes over when the other
/// process ends. Until then, clients use the socket of the other process.
///
/// The caller has to ignore SIGPIPE.
///
/// # Errors
///
/// A sentence that says what cannot be used, and what to do.
pub fn run(file: &Path, parent: Option<Pid>, confine: Confine<'_>) -> Result<(), String> {
    // Until the signals are taken below, SIGTERM ends this process at once.
    signal::restore(Signal::TERM);
    let signals: &[Signal] = match parent {
        Some(_) => &[Signal::TERM],
        None => &[Signal::TERM, Signal::INT, Signal::HUP],
    };
    let mut service = start(file, confine, &mut io::stdout())?;
    let name = file.display();
    Signals::take(signals)
        .and_then(|signals| Ok(service.stop_on(signals, parent)?))
        .and_then(|()| Ok(service.serve()?))
        .map_err(|e| format!("the store of {name} cannot wait for clients: {e}"))?;
    let _ = remove_socket(&socket_path(file));
    service.close().map_err(|e| format!("{e}; {name}-wal holds what is not in {name} yet"))
}

/// Prepares a service until it listens, and reports to `parent`.
fn start(file: &Path, confine: Confine<'_>, parent: &mut impl Write) -> Result<Service, String> {
    // An absolute path, since SQLite takes a name like `file:x` for a URI.
    let file = &absolute(file)?;
    make_folder(file)?;
    confine(folder_of(file))?;
    let lock = lock(file, || report(parent, "standby"))?;
    let database = Database::new(schema::open(file)?);
    database.use_folder(folder_of(file)).map_err(|e| database::explain(file, "use", &e))?;
    let path = socket_path(file);
    remove_socket(&path)
        .and_then(|()| unix_socket::listen(&path, service::CLIENTS as i32))
        .and_then(|listener| Ok(Service::new(lock, database, listener)?))
        .inspect(|_| report(parent, "ready"))
        .map_err(|error| no_socket(&path, &error))
}

/// Reports a state to the parent. An error is ignored: a parent that has closed the pipe needs no
/// report.
fn report(parent: &mut impl Write, state: &str) {
    let _ = writeln!(parent, "{state}").and_then(|()| parent.flush());
}

fn make_folder(file: &Path) -> Result<(), String> {
    let folder = folder_of(file);
    let created = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    created.map_err(|error| no_folder(folder, &error))
}

/// Waits until no other process serves `file`, and calls `standby` first if another process does.
/// The kernel releases the lock however this process ends.
fn lock(file: &Path, standby: impl FnOnce()) -> Result<File, String> {
    let path = with_suffix(file, ".lock");
    let take = || {
        let mut options = OpenOptions::new();
        // If the file is a pipe, open(2) fails at once instead of waiting for a reader.
        options.custom_flags(OFlags::NONBLOCK.bits() as i32);
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
    take().map_err(|error| no_lock(&path, &error))
}

/// Removes the socket of a store that has ended. Any other file of that name stays.
fn remove_socket(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
