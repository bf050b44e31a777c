//! Connections to the store, lent to forked children through a socket.
//!
//! A pair of sockets holds one message for each connection that may exist: a byte, its number, and
//! the connection itself once it is open. A child that has a question takes a message out, uses the
//! connection that came with it or opens one, and puts the message back. The kernel does the
//! queueing. Should a child be killed meanwhile, its connection closes with it, half-asked question
//! and all; its parent finds the number in shared memory and puts an empty message back.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::process::Pid;
use zero_core::store::StoreDown;

use super::asker::Lines;
use super::line::Line;
use crate::clock;
use crate::sys::shared_memory::Shared;

/// More connections than this would only wait in the store.
const LENT_LINES: usize = 16;

/// The queue, which parent and children have in common.
pub struct Lender {
    put: OwnedFd,
    take: OwnedFd,
    /// Which child has which connection, by its process id; 0 for none.
    borrowers: Shared,
}

/// In place of a process id: the message could not be put back into the queue, as the kernel was
/// short of memory. Whoever finds the queue empty takes the number from here.
const LOST: u64 = u64::MAX;

/// Who waits for a message looks at the clock this often.
const TICK: Duration = Duration::from_millis(100);

/// A child's hold on the queue: which connection it has borrowed.
pub struct Borrower<'a> {
    lender: &'a Lender,
    number: u8,
}

impl Lender {
    /// A queue with a message for each connection, none of them open yet.
    ///
    /// # Errors
    ///
    /// Those of socketpair(2) and mmap(2).
    pub fn new() -> io::Result<Lender> {
        let flags = SocketFlags::CLOEXEC;
        let (put, take) = net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        rustix::io::ioctl_fionbio(&put, true)?;
        sockopt::set_socket_timeout(&take, Timeout::Recv, Some(TICK))?;
        let lender = Lender { put, take, borrowers: Shared::new(LENT_LINES)? };
        for number in 0..LENT_LINES {
            lender.put(number as u8, None)?;
        }
        Ok(lender)
    }

    /// A child's hold on it.
    pub fn borrower(&self) -> Borrower<'_> {
        Borrower { lender: self, number: 0 }
    }

    /// The parent learns that a child has ended: what it had borrowed is put back.
    pub fn bury(&self, child: Pid) {
        for (number, borrower) in self.borrowers.iter().enumerate() {
            let pid = child.as_raw_nonzero().get() as u64;
            if borrower.compare_exchange(pid, 0, Relaxed, Relaxed).is_ok() {
                self.put_back(number as u8, None);
            }
        }
    }

    /// Puts a message back that nobody has borrowed any more. The queue has room for as many as
    /// there are, but the kernel may have no memory for it.
    fn put_back(&self, number: u8, line: Option<&Line>) {
        if self.put(number, line).is_err() {
            self.borrowers[usize::from(number)].store(LOST, Relaxed);
        }
    }

    /// A number whose message was lost, now borrowed by `pid`.
    fn find_lost(&self, pid: u64) -> Option<u8> {
        let find =
            |borrower: &AtomicU64| borrower.compare_exchange(LOST, pid, Relaxed, Relaxed).is_ok();
        self.borrowers.iter().position(find).map(|number| number as u8)
    }

    fn put(&self, number: u8, line: Option<&Line>) -> io::Result<()> {
        let descriptors = line.map(|line| [line.socket().as_fd()]);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if let Some(descriptors) = &descriptors {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let message = [IoSlice::new(std::slice::from_ref(&number))];
        retry_on_intr(|| net::sendmsg(&self.put, &message, &mut ancillary, SendFlags::NOSIGNAL))?;
        Ok(())
    }

    /// The next message in the queue; `AGAIN` if none comes. Those who wait do so in recvmsg(2), of
    /// whom one is woken for a message; poll(2) would wake them all.
    fn next(&self, flags: RecvFlags) -> Result<(u8, Option<OwnedFd>), Errno> {
        let mut number = [0];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut message = [IoSliceMut::new(&mut number)];
        let flags = flags | RecvFlags::CMSG_CLOEXEC;
        net::recvmsg(&self.take, &mut message, &mut ancillary, flags)?;
        let descriptor = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        Ok((number[0], descriptor))
    }
}

impl Lines for Borrower<'_> {
    fn take(&mut self, until_ms: u64) -> Result<Option<Line>, StoreDown> {
        let pid = rustix::process::getpid().as_raw_nonzero().get() as u64;
        let mut patience = RecvFlags::DONTWAIT;
        loop {
            match self.lender.next(patience) {
                Ok((number, descriptor)) => {
                    self.number = number;
                    self.lender.borrowers[usize::from(number)].store(pid, Relaxed);
                    return Ok(descriptor.map(Line::from_socket));
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Err(StoreDown::Unreachable),
            }
            if let Some(number) = self.lender.find_lost(pid) {
                self.number = number;
                return Ok(None);
            }
            if clock::now().ms >= until_ms {
                return Err(StoreDown::TimedOut);
            }
            patience = RecvFlags::empty();
        }
    }

    fn give_back(&mut self, line: Option<Line>) {
        self.lender.borrowers[usize::from(self.number)].store(0, Relaxed);
        self.lender.put_back(self.number, line.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid() -> Pid {
        rustix::process::getpid()
    }

    #[test]
    fn every_connection_is_lent_once_and_comes_back_when_its_borrower_ends() {
        let lender = Lender::new().unwrap();
        let mut borrowers: Vec<_> = (0..LENT_LINES).map(|_| lender.borrower()).collect();
        for borrower in &mut borrowers {
            assert!(borrower.take(0).unwrap().is_none());
        }
        let mut late = lender.borrower();
        assert!(matches!(late.take(0), Err(StoreDown::TimedOut)));
        borrowers[3].give_back(None);
        assert!(late.take(0).unwrap().is_none());
        lender.bury(pid());
        for _ in 0..LENT_LINES {
            assert!(late.take(0).unwrap().is_none());
        }
        assert!(matches!(late.take(0), Err(StoreDown::TimedOut)));
    }

    #[test]
    fn an_open_connection_travels_with_its_number() {
        let lender = Lender::new().unwrap();
        let (near, far) =
            net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
                .unwrap();
        let mut borrower = lender.borrower();
        borrower.take(0).unwrap();
        borrower.give_back(Some(Line::from_socket(near)));
        // It is the last in the queue now.
        for _ in 1..LENT_LINES {
            assert!(lender.borrower().take(0).unwrap().is_none());
        }
        let line = borrower.take(0).unwrap().unwrap();
        assert!(line.is_fresh());
        drop(far);
        assert!(!line.is_fresh(), "the other end has closed it");
    }
}
