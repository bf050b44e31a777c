//! A client's socket, and an answer on its way into it. Nothing here ever blocks.

use std::io::IoSlice;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};
use zero_core::{Body, Sent, Transmit};

use crate::site::{Asset, Content};

/// A client.
pub struct Client {
    /// Its socket, which does not block.
    pub socket: OwnedFd,
    /// Where it is.
    pub peer: IpAddr,
}

/// What came of reading from a client.
pub enum Received {
    /// So many bytes; none if the client has stopped sending.
    Bytes(usize),
    /// Nothing has come yet.
    Nothing,
    /// The connection was reset.
    HungUp,
}

impl Client {
    /// Reads what has come: recv(2).
    pub fn receive(&self, scratch: &mut [u8]) -> Received {
        match net::recv(&self.socket, scratch, RecvFlags::empty()) {
            Ok((count, _)) => Received::Bytes(count),
            Err(Errno::AGAIN | Errno::INTR) => Received::Nothing,
            Err(_) => Received::HungUp,
        }
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
}

/// What came of pushing an answer.
pub enum Pushed {
    /// The kernel takes no more for now.
    Blocked,
    /// It went as far as it will go.
    Ended(Sent),
}

impl Outgoing {
    /// Nothing of it is sent yet.
    pub fn new(transmit: Transmit<Asset>) -> Outgoing {
        Outgoing { transmit, head_sent: 0, body_sent: 0 }
    }

    /// Gives the transmit back to the connection that wanted it sent.
    pub fn into_transmit(self) -> Transmit<Asset> {
        self.transmit
    }

    /// Sends as much as the kernel takes.
    pub fn push(&mut self, client: &Client) -> Pushed {
        while !self.is_sent() {
            match self.push_once(client) {
                Ok(true) => {}
                Ok(false) => return Pushed::Ended(Sent::Short),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Pushed::Blocked,
                Err(_) => return Pushed::Ended(Sent::Failed),
            }
        }
        Pushed::Ended(Sent::Whole)
    }

    fn is_sent(&self) -> bool {
        self.head_sent == self.transmit.head.len() && self.body_sent == self.transmit.body.len()
    }

    /// One system call's worth; false if a file turned out to be shorter than it was.
    fn push_once(&mut self, client: &Client) -> Result<bool, Errno> {
        let head = &self.transmit.head[self.head_sent..];
        let sent = self.body_sent;
        let in_memory = match &self.transmit.body {
            Body::None => &[],
            Body::Bytes(bytes) => &bytes[sent as usize..],
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
        let more =
            if held_back || self.transmit.more { SendFlags::MORE } else { SendFlags::empty() };
        let slices = [IoSlice::new(head), IoSlice::new(in_memory)];
        let count = send(client, &slices, more | SendFlags::NOSIGNAL)?;
        let of_head = count.min(head.len());
        self.head_sent += of_head;
        self.body_sent += (count - of_head) as u64;
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
