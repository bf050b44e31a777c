//! Stream sockets with a name in the file system, unix(7), for paths of any length.
//!
//! A `sockaddr_un` holds 108 bytes of path, and the path of a state directory can be longer. A
//! socket with a longer path is addressed through a descriptor of its folder:
//! `/proc/self/fd/N/name`. Then only the name itself has to be short.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// A socket that listens at `path`, to which only this user can connect. It does not block, because
/// a client can leave between readiness and accept(2).
///
/// # Errors
///
/// Those of bind(2): `AddrInUse` if `path` exists already, even as the file of an unused socket.
pub fn listen(path: &Path, backlog: i32) -> io::Result<OwnedFd> {
    let socket = stream(SocketFlags::NONBLOCK)?;
    // bind(2) gives the file the socket's own mode, less the umask, so that no other user can
    // connect at any moment.
    fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    at(path, |address| net::bind(&socket, address))?;
    net::listen(&socket, backlog)?;
    Ok(socket)
}

/// Checks whether the name of a file is short enough for a socket.
///
/// # Errors
///
/// `ENAMETOOLONG`, or the errors of opening its folder.
pub fn check_name_length(path: &Path) -> io::Result<()> {
    at(path, |_| Ok(()))
}

/// A connection to the socket at `path`. With `nonblocking`, neither connecting nor the connection
/// blocks: if the listener's queue is full, this fails with `WouldBlock`.
///
/// # Errors
///
/// Those of connect(2): `NotFound` if `path` does not exist, `ConnectionRefused` if no process
/// listens.
pub fn connect(path: &Path, nonblocking: bool) -> io::Result<OwnedFd> {
    let flags = if nonblocking { SocketFlags::NONBLOCK } else { SocketFlags::empty() };
    let socket = stream(flags)?;
    at(path, |address| rustix::io::retry_on_intr(|| net::connect(&socket, address)))?;
    Ok(socket)
}

fn stream(flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags | SocketFlags::CLOEXEC, None)
}

/// Passes the address of `path` to `call`: through its folder's descriptor if the path is too long.
fn at<T>(
    path: &Path,
    call: impl FnOnce(&SocketAddrUnix) -> rustix::io::Result<T>,
) -> io::Result<T> {
    match SocketAddrUnix::new(path) {
        Err(Errno::NAMETOOLONG) => {}
        address => return Ok(call(&address?)?),
    }
    let name = path.file_name().ok_or(Errno::NAMETOOLONG)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder =
        fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    // The folder stays open until the call is over.
    Ok(call(&SocketAddrUnix::new(&short)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read, Write};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;
    use tempfile::tempdir;

    fn talk(path: &Path) {
        let listener = listen(path, 8).unwrap();
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777 & !0o600, 0, "open to others: {mode:o}");
        let mut client = UnixStream::from(connect(path, false).unwrap());
        let mut server =
            UnixStream::from(net::accept_with(&listener, SocketFlags::CLOEXEC).unwrap());
        client.write_all(b"hello").unwrap();
        drop(client);
        let mut received = String::new();
        server.read_to_string(&mut received).unwrap();
        assert_eq!(received, "hello");
    }

    #[test]
    fn short_and_long_paths_work() {
        let folder = tempdir().unwrap();
        talk(&folder.path().join("short.sock"));
        let deep = folder.path().join("d".repeat(120)).join("e".repeat(120));
        std::fs::create_dir_all(&deep).unwrap();
        talk(&deep.join("guestbook.sqlite.sock"));
    }

    #[test]
    fn errors_say_why_a_socket_cannot_be_used() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("s");
        assert_eq!(connect(&path, false).unwrap_err().kind(), ErrorKind::NotFound);
        drop(listen(&path, 8).unwrap());
        assert_eq!(connect(&path, true).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(listen(&path, 8).unwrap_err().kind(), ErrorKind::AddrInUse);
        let name = folder.path().join("n".repeat(250));
        assert_eq!(listen(&name, 8).unwrap_err().raw_os_error(), Some(36), "ENAMETOOLONG");
    }

    #[test]
    fn a_full_queue_does_not_block_a_nonblocking_connect() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("s");
        let _listener = listen(&path, 0).unwrap();
        let waiting: Vec<_> = (0..3).map(|_| connect(&path, true)).collect();
        let refused = waiting.into_iter().find_map(Result::err).expect("a full queue");
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    }
}
