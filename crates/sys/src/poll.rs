//! poll(2) over a list that the caller keeps from call to call.

use rustix::event::{PollFlags, Timespec};
use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// An entry of the list: the number of a descriptor, and the events to watch for. After the
/// descriptor was closed, a new one can have the same number.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct PollEntry(libc::pollfd);

impl PollEntry {
    /// An entry that watches a descriptor for these events, and for errors.
    pub fn new(fd: BorrowedFd<'_>, events: PollFlags) -> PollEntry {
        PollEntry(libc::pollfd { fd: fd.as_raw_fd(), events: events.bits() as i16, revents: 0 })
    }

    /// The number of the descriptor.
    pub fn number(&self) -> RawFd {
        self.0.fd
    }

    /// The events that the last [`poll`] found.
    pub fn found(&self) -> PollFlags {
        PollFlags::from_bits_retain(self.0.revents as u16)
    }
}

/// Waits until a descriptor of the list is ready, and returns how many are. Without a time-out,
/// there is no limit to the wait.
///
/// # Errors
///
/// `EINTR` if a signal came; `ENOMEM` or `EAGAIN` if there is no memory for the list.
pub fn poll(list: &mut [PollEntry], timeout: Option<&Timespec>) -> Result<usize, Errno> {
    let timeout = timeout.map(|it| libc::timespec { tv_sec: it.tv_sec, tv_nsec: it.tv_nsec });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let (first, count) = (list.as_mut_ptr().cast::<libc::pollfd>(), list.len() as libc::nfds_t);
    // SAFETY: the list has that many entries, each laid out like the kernel's; time-out and mask
    // are null or valid through the call.
    let ready = unsafe { libc::ppoll(first, count, timeout, std::ptr::null()) };
    usize::try_from(ready).map_err(|_| {
        let error = std::io::Error::last_os_error();
        Errno::from_io_error(&error).unwrap_or(Errno::INVAL)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn poll_finds_ready_descriptors_and_the_events_of_an_entry_can_change() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let mut list = [
            PollEntry::new(reader.as_fd(), PollFlags::IN),
            PollEntry::new(writer.as_fd(), PollFlags::empty()),
        ];
        let soon = Timespec::default();
        assert_eq!(poll(&mut list, Some(&soon)), Ok(0));
        list[1] = PollEntry::new(writer.as_fd(), PollFlags::OUT);
        rustix::io::write(&writer, b"x").unwrap();
        assert_eq!(poll(&mut list, None), Ok(2));
        assert_eq!(list.map(|entry| entry.found()), [PollFlags::IN, PollFlags::OUT]);
        assert_eq!(list[0].number(), reader.as_raw_fd());
    }
}
