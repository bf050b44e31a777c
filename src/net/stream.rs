//! A client's socket, and a response that is being sent to it. No call here blocks.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::net::{self, RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};
use zerohttpd_core::{Body, Sent, Transmit};

use crate::files::{Asset, Content};

/// A client's socket, which does not block.
pub struct Stream {
    /// The socket.
    pub socket: OwnedFd,
    /// The address of the client.
    pub peer: IpAddr,
}

/// The result of a read from a client.
pub enum Received<'a> {
    /// These bytes; an empty slice if the client has stopped sending.
    Bytes(&'a [u8]),
    /// Nothing has come yet.
    Nothing,
    /// A signal came first. Input can be left, and an edge-triggered poller won't report it again.
    Interrupted,
    /// The connection was reset.
    Reset,
}

impl Stream {
    /// Reads what has come: recv(2). `scratch` need not be initialised.
    pub fn receive<'a>(&self, scratch: &'a mut [MaybeUninit<u8>]) -> Received<'a> {
        match net::recv(&self.socket, scratch, RecvFlags::empty()) {
            Ok(((bytes, _), _)) => Received::Bytes(bytes),
            Err(Errno::AGAIN) => Received::Nothing,
            Err(Errno::INTR) => Received::Interrupted,
            Err(_) => Received::Reset,
        }
    }

    /// Whether the client has sent something that was not read.
    pub fn has_unread(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        net::recv(&self.socket, &mut [0; 1], flags).is_ok_and(|(count, _)| count > 0)
    }

    /// Makes closing the socket reset the connection (`SO_LINGER` in socket(7)), so that the kernel
    /// drops what the client did not take, instead of trying to send it for minutes.
    pub fn reset_on_close(&self) {
        let _ = sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO));
    }

    /// Sends an answer, reads what the client has sent already, and closes the connection, without
    /// waiting. Closing a socket with unread input would reset the connection, and the client could
    /// lose the answer.
    pub fn dismiss(self, answer: &[u8]) {
        let _ = net::send(&self.socket, answer, SendFlags::NOSIGNAL);
        let _ = self.receive(&mut [MaybeUninit::uninit(); 4096]);
        self.stop_sending();
    }

    /// Stops sending, and goes on receiving: shutdown(2).
    pub fn stop_sending(&self) {
        // It fails if the client is gone, which the next read shows.
        let _ = net::shutdown(&self.socket, Shutdown::Write);
    }
}

/// A response that is being sent.
pub struct Outgoing {
    transmit: Transmit<Asset>,
    /// The length of the head without the file that can be appended to it.
    head_bytes: usize,
    head_sent: usize,
    body_sent: u64,
}

/// The result of sending as much of a response as the kernel takes.
pub enum Pushed {
    /// The kernel takes no more for now.
    Blocked,
    /// Everything was sent, or nothing more can be sent.
    Ended(Sent),
}

impl Outgoing {
    /// A response of which nothing is sent yet. A file in memory is appended to the head if the
    /// head's buffer has room for it: one buffer is cheaper to send than two.
    pub fn new(mut transmit: Transmit<Asset>) -> Outgoing {
        let head = &mut transmit.head;
        let (head_bytes, mut body_sent) = (head.len(), 0);
        if let Body::File { asset, from, to } = &transmit.body
            && let Content::Memory(bytes) = asset.content()
            && to - from <= (head.capacity() - head.len()) as u64
        {
            head.extend_from_slice(&bytes[*from as usize..*to as usize]);
            body_sent = to - from;
        }
        Outgoing { transmit, head_bytes, head_sent: 0, body_sent }
    }

    /// The transmit that the connection wanted, without an appended file.
    pub fn into_transmit(mut self) -> Transmit<Asset> {
        self.transmit.head.truncate(self.head_bytes);
        self.transmit
    }

    /// How many bytes the kernel has taken, of head and body together.
    pub fn sent_bytes(&self) -> u64 {
        // A file that was appended to the head is already counted in `body_sent`.
        let appended = self.transmit.head.len() - self.head_bytes;
        self.head_sent as u64 + self.body_sent - appended as u64
    }

    /// The part of the head that is still to be sent.
    pub fn unsent_head(&self) -> &[u8] {
        self.transmit.head[..self.head_bytes].get(self.head_sent..).unwrap_or_default()
    }

    /// Notes that the kernel has taken `count` bytes of the head.
    pub fn on_head_sent(&mut self, count: usize) {
        self.head_sent += count;
    }

    /// Sends as much as the kernel takes.
    pub fn push(&mut self, stream: &Stream) -> Pushed {
        while !self.is_sent() {
            match self.push_once(stream) {
                Ok(true) => {}
                Ok(false) => return Pushed::Ended(Sent::Short(self.sent_bytes())),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Pushed::Blocked,
                Err(_) => return Pushed::Ended(Sent::Failed(self.sent_bytes())),
            }
        }
        Pushed::Ended(Sent::Whole)
    }

    fn is_sent(&self) -> bool {
        self.head_sent == self.transmit.head.len() && self.body_sent == self.transmit.body.len()
    }

    /// Makes one system call. Returns false if the file has become shorter.
    fn push_once(&mut self, stream: &Stream) -> Result<bool, Errno> {
        let head = &self.transmit.head[self.head_sent..];
        let sent = self.body_sent;
        let in_memory = match &self.transmit.body {
            Body::None => &[],
            Body::File { asset, from, to } => match asset.content() {
                Content::Memory(bytes) => &bytes[(from + sent) as usize..*to as usize],
                Content::File(file) if head.is_empty() => {
                    let mut offset = from + sent;
                    let left = (to - offset).try_into().unwrap_or(usize::MAX);
                    let count = rustix::fs::sendfile(stream, file, Some(&mut offset), left)?;
                    self.body_sent += count as u64;
                    return Ok(count > 0);
                }
                // The head is sent first. With `MSG_MORE`, the kernel fills its packet with the
                // file.
                Content::File(_) => &[],
            },
        };
        let leaves_some = head.len() + in_memory.len() < self.left();
        let more = leaves_some || self.transmit.rest > 0;
        let more = if more { SendFlags::MORE } else { SendFlags::empty() };
        let slices = [IoSlice::new(head), IoSlice::new(in_memory)];
        let count = send(stream, &slices, more | SendFlags::NOSIGNAL)?;
        let head_count = count.min(head.len());
        self.head_sent += head_count;
        self.body_sent += (count - head_count) as u64;
        Ok(true)
    }

    /// How many bytes of head and body are still to be sent.
    fn left(&self) -> usize {
        let body = self.transmit.body.len() - self.body_sent;
        self.transmit.head.len() - self.head_sent + usize::try_from(body).unwrap_or(usize::MAX / 2)
    }
}

/// Sends head and body in one call. If one of them is empty, send(2) is a little cheaper than
/// sendmsg(2).
fn send(
    stream: &Stream,
    [head, body]: &[IoSlice<'_>; 2],
    flags: SendFlags,
) -> Result<usize, Errno> {
    if body.is_empty() {
        net::send(stream, head, flags)
    } else if head.is_empty() {
        net::send(stream, body, flags)
    } else {
        let none = &mut SendAncillaryBuffer::default();
        net::sendmsg(stream, &[*head, *body], none, flags)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
