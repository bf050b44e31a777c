//! One client of the load: its connection, and what it waits for.

use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{self, SendFlags};

use super::response::Reader;

/// A client.
#[derive(Default)]
pub struct Client {
    /// Its connection, if it has one or is about to.
    pub socket: Option<OwnedFd>,
    /// Whether the connection has come about.
    pub is_connected: bool,
    /// Whether it waits for an answer.
    pub is_asking: bool,
    /// Whether what it asks counts.
    pub is_measured: bool,
    /// Whether it asks the same thing a second time.
    pub is_second_try: bool,
    /// Whether its first request has ended.
    pub is_in: bool,
    /// Whether it ever got an answer.
    pub was_answered: bool,
    /// Whether the kernel was asked to tell when more can be sent.
    pub awaits_room: bool,
    /// How much of the request is sent.
    pub sent: usize,
    /// Answers that came on this connection.
    pub answers: u64,
    /// Latency counts from here.
    pub since_ns: u64,
    /// And the time-out from here.
    pub begun_ns: u64,
    /// The answer on its way.
    pub reader: Reader,
}

impl Client {
    /// Makes it ready to ask.
    pub fn ask(&mut self, since_ns: u64, now_ns: u64, is_measured: bool) {
        self.is_asking = true;
        self.is_measured = is_measured;
        self.is_second_try = false;
        self.since_ns = since_ns;
        self.begun_ns = now_ns;
        self.sent = 0;
        self.reader.restart();
    }

    /// Makes it ready to ask the same again.
    pub fn ask_again(&mut self) {
        self.is_second_try = true;
        self.sent = 0;
        self.reader.restart();
    }

    /// Sends what the kernel takes of the request.
    ///
    /// # Errors
    ///
    /// Those of connect(2), which are told here if they come late, and of send(2).
    pub fn push(&mut self, request: &[u8]) -> Result<(), Errno> {
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

    /// What the kernel is to tell of its socket.
    pub fn interest(&self) -> EventFlags {
        let room = if self.awaits_room { EventFlags::OUT } else { EventFlags::empty() };
        EventFlags::IN | room
    }
}
