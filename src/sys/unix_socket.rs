//! Stream sockets with a name in the file system, unix(7), for paths of any length.
//!
//! A `sockaddr_un` holds 108 bytes of path, and a state directory can be deeper than that. The
//! kernel walks the path as any other, so a longer one goes through the folder's descriptor:
//! `/proc/self/fd/N/name`. What remains bounded is the name itself.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// A socket that listens at `path` and that only this user may connect to. It doesn't block:
/// between readiness and accept(2) a client may have gone.
///
/// # Errors
///
/// Those of bind(2): `AddrInUse` where there is a file already, a stale socket's included.
pub fn listen(path: &Path, backlog: i32) -> io::Result<OwnedFd> {
    let socket = stream(SocketFlags::NONBLOCK)?;
    // bind(2) gives the file the socket's own mode, less the umask: no moment at which others
    // could connect.
    fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    at(path, |address| net::bind(&socket, address))?;
    net::listen(&socket, backlog)?;
    Ok(socket)
}

/// A connection to the socket at `path`. `nonblocking` is about the connection and the connecting:
/// without room in the queue of the one who listens it fails with `WouldBlock`.
///
/// # Errors
///
/// Those of connect(2): `NotFound` where there is no file, `ConnectionRefused` where nobody
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

/// Calls with the address of `path`, by way of its folder where the path is too long.
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

    /// A folder of its own for a test, gone with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let name = format!("zerohttpd-unix-socket-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn talk(path: &Path) {
        let listener = listen(path, 8).unwrap();
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777 & !0o600, 0, "open to others: {mode:o}");
        let mut client = UnixStream::from(connect(path, false).unwrap());
        let mut server =
            UnixStream::from(net::accept_with(&listener, SocketFlags::CLOEXEC).unwrap());
        client.write_all(b"hello").unwrap();
        drop(client);
        let mut heard = String::new();
        server.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "hello");
    }

    #[test]
    fn short_and_long_paths_work() {
        let folder = Folder::new("paths");
        talk(&folder.0.join("short.sock"));
        let deep = folder.0.join("d".repeat(120)).join("e".repeat(120));
        std::fs::create_dir_all(&deep).unwrap();
        talk(&deep.join("guestbook.sqlite.sock"));
    }

    #[test]
    fn what_cannot_be_reached_says_why() {
        let folder = Folder::new("errors");
        let path = folder.0.join("s");
        assert_eq!(connect(&path, false).unwrap_err().kind(), ErrorKind::NotFound);
        drop(listen(&path, 8).unwrap());
        assert_eq!(connect(&path, true).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(listen(&path, 8).unwrap_err().kind(), ErrorKind::AddrInUse);
        let name = folder.0.join("n".repeat(250));
        assert_eq!(listen(&name, 8).unwrap_err().raw_os_error(), Some(36), "ENAMETOOLONG");
    }

    #[test]
    fn a_full_queue_does_not_block_who_must_not() {
        let folder = Folder::new("queue");
        let path = folder.0.join("s");
        let _listener = listen(&path, 0).unwrap();
        let waiting: Vec<_> = (0..3).map(|_| connect(&path, true)).collect();
        let refused = waiting.into_iter().find_map(Result::err).expect("a queue without end");
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    }
}
