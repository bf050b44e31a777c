//! One client of the load generator: its connection and its current request.

use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{self, SendFlags};

use super::response::AnswerReader;

/// A client.
#[derive(Default)]
pub struct LoadClient {
    /// The socket, connected or connecting.
    pub socket: Option<OwnedFd>,
    /// Whether it is connected.
    pub is_connected: bool,
    /// Whether it waits for an answer.
    pub awaits_answer: bool,
    /// Whether its request began within the measured time, and counts.
    pub is_measured: bool,
    /// Whether its request is sent for the second time.
    pub is_retry: bool,
    /// Whether its first request has ended, answered or failed.
    pub first_has_ended: bool,
    /// Whether it ever got an answer.
    pub was_answered: bool,
    /// Whether epoll watches for room to send.
    pub awaits_room: bool,
    /// Why no more of the request can be sent. The client can still read an answer that the server
    /// sent before.
    pub send_error: Option<Errno>,
    /// How many bytes of the request are sent.
    pub sent: usize,
    /// How many bytes of the answer have come.
    pub received: u64,
    /// How many answers came on this connection.
    pub answers: u64,
    /// The time from which latency counts: when the request began, or in an open loop when it was
    /// due.
    pub latency_from_ns: u64,
    /// When the request began. Its time-out counts from then.
    pub started_ns: u64,
    /// Whether it has an entry among the deadlines.
    pub has_deadline: bool,
    /// The reader of its answer.
    pub reader: AnswerReader,
}

impl LoadClient {
    /// Prepares it for a new request.
    pub fn start_request(&mut self, latency_from_ns: u64, now_ns: u64, is_measured: bool) {
        self.awaits_answer = true;
        self.is_measured = is_measured;
        self.is_retry = false;
        self.latency_from_ns = latency_from_ns;
        self.started_ns = now_ns;
        self.received = 0;
        self.sent = 0;
        self.reader.restart();
    }

    /// Prepares it to send the same request for the second time.
    pub fn restart_request(&mut self) {
        self.is_retry = true;
        self.received = 0;
        self.sent = 0;
        self.reader.restart();
    }

    /// Sends as much of the request as the kernel takes.
    ///
    /// # Errors
    ///
    /// Those of send(2). These include errors of a connect(2) that did not block.
    pub fn send_request(&mut self, request: &[u8]) -> Result<(), Errno> {
        let Some(socket) = &self.socket else { return Err(Errno::NOTCONN) };
        while self.sent < request.len() {
            match net::send(socket, &request[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// The events for which epoll watches its socket.
    pub fn interest(&self) -> EventFlags {
        let room = if self.awaits_room { EventFlags::OUT } else { EventFlags::empty() };
        EventFlags::IN | room
    }
}
