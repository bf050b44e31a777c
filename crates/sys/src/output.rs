//! Writes to an open file without waiting for its reader: a pipe, a terminal or a socket can stay
//! full as long as its reader likes.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::{Errno, ReadWriteFlags};
use rustix::net::{self, SendFlags};

use crate::ready::is_ready;
use crate::session;

/// How to write to an open file without waiting. None of these methods sets `O_NONBLOCK`, which
/// would apply to all processes that share the open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMethod {
    /// write(2), for a regular file or one that was opened with `O_NONBLOCK`.
    Write,
    /// send(2) with `MSG_DONTWAIT`.
    Send,
    /// pwritev2(2) with `RWF_NOWAIT`, which Linux 6.5 and later accept for a pipe.
    NoWait,
    /// write(2) once poll(2) finds room. Another process can take that room in between.
    Polled,
}

impl WriteMethod {
    /// Chooses the method for an open file.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2) and fstat(2).
    pub fn of(file: impl AsFd) -> Result<WriteMethod, Errno> {
        let may_wait = !rustix::fs::fcntl_getfl(&file)?.contains(OFlags::NONBLOCK);
        Ok(match FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode) {
            FileType::Socket => WriteMethod::Send,
            FileType::Fifo if may_wait => WriteMethod::NoWait,
            FileType::CharacterDevice if may_wait => WriteMethod::Polled,
            _ => WriteMethod::Write,
        })
    }

    /// Writes as much of `bytes` as can be written now.
    ///
    /// # Errors
    ///
    /// `AGAIN` if there is no room; `OPNOTSUPP` if the kernel has no `RWF_NOWAIT` for pipes; other
    /// errors of the system call.
    pub fn write(self, file: impl AsFd, bytes: &[u8]) -> Result<usize, Errno> {
        match self {
            WriteMethod::Write => rustix::io::write(file, bytes),
            WriteMethod::Send => net::send(file, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            WriteMethod::NoWait => {
                // The current position, the only one that a pipe has.
                const HERE: u64 = u64::MAX;
                let bytes = [IoSlice::new(bytes)];
                rustix::io::pwritev2(file, &bytes, HERE, ReadWriteFlags::NOWAIT)
            }
            WriteMethod::Polled => match is_ready(file.as_fd(), PollFlags::OUT) {
                true => rustix::io::write(file, bytes),
                false => Err(Errno::AGAIN),
            },
        }
    }
}

/// Opens a terminal or a pipe anew, so that writes do not wait and processes that share `file` are
/// not affected. `None` for other files: a regular file has no reader to wait for, and its position
/// must stay shared; a socket can't be opened.
///
/// # Errors
///
/// Those of open(2), for instance if the file belongs to another user.
pub fn reopened(file: BorrowedFd<'_>, path: &str) -> Result<Option<OwnedFd>, Errno> {
    let open = |path| {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        rustix::fs::open(path, flags, Mode::empty())
    };
    match FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode) {
        FileType::Fifo => open(path).map(Some),
        // Another user's terminal can be opened only as `/dev/tty`, which in each process names its
        // own terminal.
        FileType::CharacterDevice => open(path).map(Some).or_else(|errno| {
            let own = open("/dev/tty").map_err(|_| errno)?;
            // `/dev/tty` is `file` if `file` is the terminal of this session.
            if session::is_controlled_by(file) { Ok(Some(own)) } else { Err(errno) }
        }),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_to_a_full_pipe_returns_at_once() {
        let (_reader, writer) = rustix::pipe::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
        let own = reopened(writer.as_fd(), &path).unwrap().unwrap();
        assert_eq!(
            (WriteMethod::of(&writer), WriteMethod::of(&own)),
            (Ok(WriteMethod::NoWait), Ok(WriteMethod::Write))
        );
        let full = loop {
            if let Err(errno) = WriteMethod::Write.write(&own, &[b'x'; 4096]) {
                break errno;
            }
        };
        assert_eq!(full, Errno::AGAIN);
        assert_eq!(WriteMethod::Polled.write(&writer, b"x"), Err(Errno::AGAIN));
        assert!(WriteMethod::NoWait.write(&writer, b"x").is_err());
    }

    #[test]
    fn a_write_to_a_full_socket_returns_at_once() {
        let (_reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(WriteMethod::of(&writer), Ok(WriteMethod::Send));
        assert!(reopened(writer.as_fd(), "/nowhere").unwrap().is_none());
        while WriteMethod::Send.write(&writer, &[b'x'; 4096]).is_ok() {}
        assert_eq!(WriteMethod::Send.write(&writer, b"x"), Err(Errno::AGAIN));
    }
}
