//! The loop of the embedded store: one thread, epoll(7), and a [turn] for all who
//! have asked something.

use std::convert::Infallible;
use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::{Errno, Result};
use rustix::net::{self, SocketFlags};
use slab::Slab;

use super::client::{Client, Wait};
use super::database::Database;
use super::turn::{self, Share};

/// Connections at a time. A server has a few of them, one for each loop or a small pool; this many
/// fit into the 1,024 descriptors that a process has by default. The others wait in the queue.
pub(super) const CLIENTS: usize = 1_000;

/// What a client's turn reads: the requests of one turn fit several times.
const READ_BYTES: usize = 64 * 1024;

/// What the two buffers of a turn keep of their size after a great one.
const TURN_BYTES_KEPT: usize = 1024 * 1024;

/// Events that one wait can tell; the others are told by the next.
const EVENTS: usize = 256;

/// Without descriptors or memory for a client, the next attempt is made when something else has
/// happened, or after this.
const ACCEPT_PAUSE_MS: i64 = 100;

/// The key of the socket that listens; clients have those of their slab.
const LISTENER: u64 = u64::MAX;

/// The store at work.
pub(super) struct Service {
    epoll: OwnedFd,
    listener: OwnedFd,
    /// Whether epoll tells of new clients, and whether an attempt to accept one has just failed.
    listening: bool,
    paused: bool,
    clients: Slab<Client>,
    /// Those who have their turn next, each once.
    due: Vec<usize>,
    database: Database,
    scratch: Vec<u8>,
    input: Vec<u8>,
    replies: Vec<u8>,
    /// Held as long as this process serves the file.
    _lock: File,
}

impl Service {
    pub(super) fn new(lock: File, database: Database, listener: OwnedFd) -> Result<Service> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Service {
            epoll,
            listener,
            listening: true,
            paused: false,
            clients: Slab::new(),
            due: Vec::new(),
            database,
            scratch: vec![0; READ_BYTES],
            input: Vec::new(),
            replies: Vec::new(),
            _lock: lock,
        })
    }

    /// Serves for ever.
    ///
    /// # Errors
    ///
    /// Those of epoll(7), which do not pass.
    pub(super) fn serve(mut self) -> Result<Infallible> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            self.wait(&mut events)?;
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept(),
                    key => self.stir(key as usize)?,
                }
            }
            self.turn()?;
        }
    }

    /// Waits until there is something to do.
    fn wait(&mut self, events: &mut Vec<Event>) -> Result<()> {
        let listen = !self.paused && self.clients.len() < CLIENTS;
        if listen != self.listening {
            let interest = if listen { EventFlags::IN } else { EventFlags::empty() };
            epoll::modify(&self.epoll, &self.listener, EventData::new_u64(LISTENER), interest)?;
            self.listening = listen;
        }
        let timeout = match (self.due.is_empty(), self.paused) {
            (false, _) => Some(Timespec { tv_sec: 0, tv_nsec: 0 }),
            (true, true) => Some(Timespec { tv_sec: 0, tv_nsec: ACCEPT_PAUSE_MS * 1_000_000 }),
            (true, false) => None,
        };
        self.paused = false;
        match epoll::wait(&self.epoll, spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn accept(&mut self) {
        while self.clients.len() < CLIENTS {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = match net::accept_with(&self.listener, flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(_) => return self.paused = true,
            };
            let entry = self.clients.vacant_entry();
            let key = EventData::new_u64(entry.key() as u64);
            // Without memory for its events there is no serving it.
            if epoll::add(&self.epoll, &socket, key, EventFlags::IN).is_ok() {
                entry.insert(Client::new(socket));
            }
        }
    }

    /// Something has happened to a client that may wait for it. One wait tells of a client once,
    /// so the client is there: it can have left only since an earlier wait, and its key with it.
    fn stir(&mut self, key: usize) -> Result<()> {
        match self.clients[key].waits_for() {
            Wait::Input => self.due.push(key),
            Wait::Room => {
                self.clients[key].send_rest();
                self.settle(key, Wait::Room)?;
            }
            Wait::Turn | Wait::Nothing => {}
        }
        Ok(())
    }

    /// Answers everybody who is due.
    fn turn(&mut self) -> Result<()> {
        let due = std::mem::take(&mut self.due);
        let mut ends = Vec::with_capacity(due.len());
        for &key in &due {
            self.clients[key].read(&mut self.scratch, &mut self.input);
            ends.push(self.input.len());
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let inputs = starts.zip(&ends).map(|(start, &end)| &self.input[start..end]);
        let mut shares: Vec<Share<'_>> = inputs.map(Share::new).collect();
        turn::answer(&mut self.database, &mut shares, &mut self.replies);
        for (&key, share) in due.iter().zip(shares) {
            let client = &mut self.clients[key];
            client.keep(share.rest, share.more);
            if share.closes {
                client.end();
            }
            client.send(&self.replies[share.replies]);
        }
        for buffer in [&mut self.input, &mut self.replies] {
            buffer.clear();
            buffer.shrink_to(TURN_BYTES_KEPT);
        }
        due.into_iter().try_for_each(|key| self.settle(key, Wait::Input))
    }

    /// Sees to it that a client gets what it waits for now, after having waited for `before`.
    fn settle(&mut self, key: usize, before: Wait) -> Result<()> {
        let client = &self.clients[key];
        let now = client.waits_for();
        let interest = if now == Wait::Room { EventFlags::OUT } else { EventFlags::IN };
        match now {
            Wait::Nothing => drop(self.clients.remove(key)),
            _ if (now == Wait::Room) == (before == Wait::Room) => {}
            _ => {
                let data = EventData::new_u64(key as u64);
                epoll::modify(&self.epoll, &client.socket, data, interest)?;
            }
        }
        if now == Wait::Turn {
            self.due.push(key);
        }
        Ok(())
    }
}
