//! A client's socket, and an answer on its way into it. Nothing here ever blocks.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::net::{self, RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};
use zero_core::{Body, Sent, Transmit};

use crate::crowd::Entry;
use crate::habits::{Habits, Sends};
use crate::send_queue::SendQueue;
use crate::site::{Asset, Content};

/// A client.
pub struct Client {
    /// Its socket, which does not block.
    pub socket: OwnedFd,
    /// Where it is.
    pub peer: IpAddr,
    /// Its entry among the clients of its address, if these are counted.
    pub entry: Option<Entry>,
}

/// What came of reading from a client.
pub enum Received<'a> {
    /// These bytes; none if the client has stopped sending.
    Bytes(&'a [u8]),
    /// Nothing has come yet.
    Nothing,
    /// A signal came first; there may be more to read, of which a loop is not told again.
    Interrupted,
    /// The connection was reset.
    HungUp,
}

impl Client {
    /// Reads what has come, into memory of which the rest stays untouched: recv(2).
    pub fn receive<'a>(&self, scratch: &'a mut [MaybeUninit<u8>]) -> Received<'a> {
        match net::recv(&self.socket, scratch, RecvFlags::empty()) {
            Ok(((bytes, _), _)) => Received::Bytes(bytes),
            Err(Errno::AGAIN) => Received::Nothing,
            Err(Errno::INTR) => Received::Interrupted,
            Err(_) => Received::HungUp,
        }
    }

    /// Whether it has sent something that was not read.
    pub fn has_unread(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        net::recv(&self.socket, &mut [0; 1], flags).is_ok_and(|(count, _)| count > 0)
    }

    /// Has the kernel forget what it did not take, instead of offering that for minutes more
    /// (`SO_LINGER` in socket(7)): the connection is reset when it is closed.
    pub fn give_up(&self) {
        let _ = sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO));
    }

    /// Tells it something and parts from it, as far as that goes at once: what it has sent already
    /// is taken, so that closing does not reset the connection before it has read the answer.
    pub fn dismiss(self, answer: &[u8]) {
        let _ = net::send(&self.socket, answer, SendFlags::NOSIGNAL);
        let _ = self.receive(&mut [MaybeUninit::uninit(); 4096]);
        self.stop_sending();
    }

    /// Stops sending, and goes on receiving: shutdown(2).
    pub fn stop_sending(&self) {
        // It fails if the client is gone, which reading will show.
        let _ = net::shutdown(&self.socket, Shutdown::Write);
    }
}

/// Whether something can be done with a descriptor at once: poll(2) without waiting.
pub fn is_ready(descriptor: BorrowedFd<'_>, flags: PollFlags) -> bool {
    let mut fds = [PollFd::new(&descriptor, flags)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// An answer on its way.
pub struct Outgoing {
    transmit: Transmit<Asset>,
    head_sent: usize,
    body_sent: u64,
    sends: Sends,
}

/// What came of pushing an answer.
pub enum Pushed {
    /// The kernel takes no more for now.
    Blocked,
    /// It went as far as it will go.
    Ended(Sent),
}

impl Outgoing {
    /// Nothing of it is sent yet. A file in memory joins the head if there is room for it: one
    /// buffer is cheaper to send than two.
    pub fn new(mut transmit: Transmit<Asset>, habits: Habits) -> Outgoing {
        let sends = habits.sends;
        let head = &mut transmit.head;
        let mut body_sent = 0;
        if sends == Sends::One
            && let Body::File { asset, from, to } = &transmit.body
            && let Content::Memory(bytes) = asset.content()
            && to - from <= (head.capacity() - head.len()) as u64
        {
            head.extend_from_slice(&bytes[*from as usize..*to as usize]);
            body_sent = to - from;
        }
        Outgoing { transmit, head_sent: 0, body_sent, sends }
    }

    /// Gives the transmit back to the connection that wanted it sent.
    pub fn into_transmit(self) -> Transmit<Asset> {
        self.transmit
    }

    /// Sends as much as the kernel takes into the client's queue.
    pub fn push(&mut self, client: &Client, queue: &mut SendQueue) -> Pushed {
        let rest = self.transmit.rest;
        if rest == 0 {
            queue.drain(client);
        }
        while !self.is_sent() {
            match self.push_once(client) {
                Ok(true) => {}
                Ok(false) => return Pushed::Ended(Sent::Short),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if queue.deepen(client, rest) => {}
                Err(Errno::AGAIN) => return Pushed::Blocked,
                Err(_) => return Pushed::Ended(Sent::Failed),
            }
        }
        if rest == 0 {
            queue.drained();
        }
        Pushed::Ended(Sent::Whole)
    }

    fn is_sent(&self) -> bool {
        self.head_sent == self.transmit.head.len() && self.body_sent == self.transmit.body.len()
    }

    /// One system call's worth; false if a file turned out to be shorter than it was.
    fn push_once(&mut self, client: &Client) -> Result<bool, Errno> {
        if self.sends == Sends::Many && self.head_sent < self.transmit.head.len() {
            return self.push_line(client);
        }
        let head = &self.transmit.head[self.head_sent..];
        let sent = self.body_sent;
        let in_memory = match &self.transmit.body {
            Body::None => &[],
            Body::File { asset, from, to } => match asset.content() {
                Content::Memory(bytes) => &bytes[(from + sent) as usize..*to as usize],
                Content::File(file) if head.is_empty() => {
                    let mut offset = from + sent;
                    let left = (to - offset).try_into().unwrap_or(usize::MAX);
                    let count = rustix::fs::sendfile(client, file, Some(&mut offset), left)?;
                    self.body_sent += count as u64;
                    return Ok(count > 0);
                }
                // The head goes ahead, and waits for the file to fill its packet (tcp(7)).
                Content::File(_) => &[],
            },
        };
        let held_back = head.len() + in_memory.len() < self.left();
        let more = held_back || self.transmit.rest > 0;
        let more = if more { SendFlags::MORE } else { SendFlags::empty() };
        let slices = [IoSlice::new(head), IoSlice::new(in_memory)];
        let count = send(client, &slices, more | SendFlags::NOSIGNAL)?;
        let of_head = count.min(head.len());
        self.head_sent += of_head;
        self.body_sent += (count - of_head) as u64;
        Ok(true)
    }

    /// The next line of the head, as if there were no other.
    fn push_line(&mut self, client: &Client) -> Result<bool, Errno> {
        let head = &self.transmit.head[self.head_sent..];
        let end = head.iter().position(|&byte| byte == b'\n').map_or(head.len(), |at| at + 1);
        self.head_sent += net::send(client, &head[..end], SendFlags::NOSIGNAL)?;
        Ok(true)
    }

    fn left(&self) -> usize {
        let body = self.transmit.body.len() - self.body_sent;
        self.transmit.head.len() - self.head_sent + usize::try_from(body).unwrap_or(usize::MAX / 2)
    }
}

/// A single buffer is a little cheaper to send than a list of them.
fn send(
    client: &Client,
    [head, body]: &[IoSlice<'_>; 2],
    flags: SendFlags,
) -> Result<usize, Errno> {
    if body.is_empty() {
        net::send(client, head, flags)
    } else if head.is_empty() {
        net::send(client, body, flags)
    } else {
        let none = &mut SendAncillaryBuffer::default();
        net::sendmsg(client, &[*head, *body], none, flags)
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
