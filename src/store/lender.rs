//! Connections to the store, lent to forked children through a socket.
//!
//! A pair of sockets holds one message for each connection that may exist: a byte, its number, and
//! the connection itself once it is open. A child that has a question takes a message out, uses the
//! connection that came with it or opens one, and puts the message back. The kernel does the
//! queueing. Should a child be killed meanwhile, its connection closes with it, half-asked question
//! and all; its parent finds the number on the scoreboard and puts an empty message back.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::process::Pid;
use zero_core::store::StoreDown;

use super::asker::Lines;
use super::line::Line;
use crate::clock;
use crate::scoreboard::{LENT_LINES, Scoreboard};

/// The queue, which parent and children have in common.
pub struct Lender {
    put: OwnedFd,
    take: OwnedFd,
    scoreboard: Scoreboard,
}

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
    /// Those of socketpair(2).
    pub fn new(scoreboard: Scoreboard) -> io::Result<Lender> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (put, take) = net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let lender = Lender { put, take, scoreboard };
        for number in 0..LENT_LINES {
            // Whoever has died with the queue before this one owes nothing to it.
            scoreboard.borrowers[number].store(0, Relaxed);
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
        for (number, borrower) in self.scoreboard.borrowers.iter().enumerate() {
            let pid = child.as_raw_nonzero().get() as u64;
            if borrower.compare_exchange(pid, 0, Relaxed, Relaxed).is_ok() {
                let _ = self.put(number as u8, None);
            }
        }
    }

    fn put(&self, number: u8, line: Option<&Line>) -> io::Result<()> {
        let descriptors = line.map(|line| [line.socket().as_fd()]);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if let Some(descriptors) = &descriptors {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let message = [IoSlice::new(std::slice::from_ref(&number))];
        net::sendmsg(&self.put, &message, &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    fn take_now(&self) -> Result<(u8, Option<OwnedFd>), Errno> {
        let mut number = [0];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut message = [IoSliceMut::new(&mut number)];
        net::recvmsg(&self.take, &mut message, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        let descriptor = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        Ok((number[0], descriptor))
    }
}

impl Lines for Borrower<'_> {
    fn take(&mut self, until_ms: u64) -> Result<Option<Line>, StoreDown> {
        loop {
            match self.lender.take_now() {
                Ok((number, descriptor)) => {
                    self.number = number;
                    let pid = rustix::process::getpid().as_raw_nonzero().get() as u64;
                    self.lender.scoreboard.borrowers[usize::from(number)].store(pid, Relaxed);
                    return Ok(descriptor.map(Line::from_socket));
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Err(StoreDown::Unreachable),
            }
            let left = until_ms.saturating_sub(clock::now().ms);
            if left == 0 {
                return Err(StoreDown::TimedOut);
            }
            let fds = &mut [PollFd::new(&self.lender.take, PollFlags::IN)];
            let _ = poll(fds, Some(&clock::timespec(left)));
        }
    }

    fn give_back(&mut self, line: Option<Line>) {
        self.lender.scoreboard.borrowers[usize::from(self.number)].store(0, Relaxed);
        // The queue has room for as many messages as there are.
        let _ = self.lender.put(self.number, line.as_ref());
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
        let lender = Lender::new(Scoreboard::new().unwrap()).unwrap();
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
        let lender = Lender::new(Scoreboard::new().unwrap()).unwrap();
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
