//! The loop of the embedded store: one thread waits in epoll(7), and then answers all clients that
//! have sent something in one [batch].

use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::{Errno, Result};
use rustix::net::{self, SocketFlags};
use rustix::process::Pid;
use slab::Slab;
use zerohttpd_sys::signal::{Sender, Signals};

use super::batch::{self, ClientBatch};
use super::client::{StoreClient, Wait};
use super::database::Database;

/// The most connections at a time. A server has a few: one for each loop, or a small pool. This
/// many fit into the default limit of 1,024 descriptors. Further clients wait in the queue of the
/// socket.
pub(super) const CLIENTS: usize = 1_000;

/// The most bytes read from a client at a time: several times what its requests in a batch take.
const READ_BYTES: usize = 64 * 1024;

/// The most capacity that each of a batch's two buffers keeps for the next batch.
const BATCH_BYTES_KEPT: usize = 1024 * 1024;

/// The most events that one wait returns; the next wait returns the others.
const EVENTS: usize = 256;

/// The pause before the next accept after descriptors or memory were short. Another event ends the
/// pause early.
const ACCEPT_PAUSE_MS: i64 = 100;

/// The token of the listening socket. A client's token is its index in the slab.
const LISTENER: u64 = u64::MAX;

/// The token of the descriptor of signals.
const SIGNALS: u64 = u64::MAX - 1;

/// A running store.
pub(super) struct Service {
    epoll: OwnedFd,
    listener: OwnedFd,
    /// Whether epoll watches for new clients.
    is_listening: bool,
    /// Whether the last attempt to accept a client failed.
    is_paused: bool,
    clients: Slab<StoreClient>,
    /// The tokens of the clients of the next batch, each once.
    due: Vec<usize>,
    database: Database,
    /// The buffer of one read.
    scratch: Vec<u8>,
    /// The input of all clients of a batch.
    input: Vec<u8>,
    /// The replies to all clients of a batch.
    replies: Vec<u8>,
    /// The source of the signals that stop the service.
    stop: Option<StopSource>,
    /// The lock, held as long as this process serves the file.
    _lock: File,
}

/// Signals that stop the service. If there is a `sender`, only the signals of that process count.
struct StopSource {
    signals: Signals,
    sender: Option<Pid>,
}

impl StopSource {
    fn is_stop_requested(&self) -> bool {
        std::iter::from_fn(|| self.signals.next_with_sender())
            .any(|(_, from)| self.sender.is_none() || from == Sender::Process(self.sender))
    }
}

impl Service {
    pub(super) fn new(lock: File, database: Database, listener: OwnedFd) -> Result<Service> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Service {
            epoll,
            listener,
            is_listening: true,
            is_paused: false,
            clients: Slab::new(),
            due: Vec::new(),
            database,
            scratch: vec![0; READ_BYTES],
            input: Vec::new(),
            replies: Vec::new(),
            stop: None,
            _lock: lock,
        })
    }

    /// Makes these signals stop the service. With a `sender`, only that process's signals count.
    pub(super) fn stop_on(&mut self, signals: Signals, sender: Option<Pid>) -> Result<()> {
        epoll::add(&self.epoll, &signals, EventData::new_u64(SIGNALS), EventFlags::IN)?;
        self.stop = Some(StopSource { signals, sender });
        Ok(())
    }

    /// Serves until a signal stops it.
    ///
    /// # Errors
    ///
    /// Those of epoll_wait(2), except `EINTR`, and of epoll_ctl(2).
    pub(super) fn serve(&mut self) -> Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        let mut is_running = true;
        while is_running {
            self.wait(&mut events)?;
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept(),
                    SIGNALS => {
                        is_running = !self.stop.as_ref().is_some_and(StopSource::is_stop_requested)
                    }
                    token => self.on_event(token as usize)?,
                }
            }
            self.answer_batch()?;
        }
        Ok(())
    }

    /// Closes the database, and then releases the lock for another store.
    ///
    /// # Errors
    ///
    /// The error of SQLite, in one sentence.
    pub(super) fn close(self) -> std::result::Result<(), String> {
        self.database.close()
    }

    /// Waits until there is something to do.
    fn wait(&mut self, events: &mut Vec<Event>) -> Result<()> {
        let should_listen = !self.is_paused && self.clients.len() < CLIENTS;
        if should_listen != self.is_listening {
            let interest = if should_listen { EventFlags::IN } else { EventFlags::empty() };
            epoll::modify(&self.epoll, &self.listener, EventData::new_u64(LISTENER), interest)?;
            self.is_listening = should_listen;
        }
        let timeout = match (self.due.is_empty(), self.is_paused) {
            (false, _) => Some(Timespec { tv_sec: 0, tv_nsec: 0 }),
            (true, true) => Some(Timespec { tv_sec: 0, tv_nsec: ACCEPT_PAUSE_MS * 1_000_000 }),
            (true, false) => None,
        };
        self.is_paused = false;
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
                Err(_) => return self.is_paused = true,
            };
            let entry = self.clients.vacant_entry();
            let token = EventData::new_u64(entry.key() as u64);
            // If the kernel has no memory to watch the socket, the socket is closed.
            if epoll::add(&self.epoll, &socket, token, EventFlags::IN).is_ok() {
                entry.insert(StoreClient::new(socket));
            }
        }
    }

    /// Handles an event for a client. The client exists: a wait returns at most one event for each
    /// client, and epoll reports none for clients that were removed before the wait.
    fn on_event(&mut self, token: usize) -> Result<()> {
        match self.clients[token].waits_for() {
            Wait::Input => self.due.push(token),
            Wait::Room => {
                self.clients[token].send_rest();
                self.update_interest(token, Wait::Room)?;
            }
            Wait::Batch | Wait::Nothing => {}
        }
        Ok(())
    }

    /// Answers all clients that are due.
    fn answer_batch(&mut self) -> Result<()> {
        let due = std::mem::take(&mut self.due);
        let mut ends = Vec::with_capacity(due.len());
        for &token in &due {
            self.clients[token].read(&mut self.scratch, &mut self.input);
            ends.push(self.input.len());
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let inputs = starts.zip(&ends).map(|(start, &end)| &self.input[start..end]);
        let mut parts: Vec<ClientBatch<'_>> = inputs.map(ClientBatch::new).collect();
        batch::answer(&mut self.database, &mut parts, &mut self.replies);
        for (&token, part) in due.iter().zip(parts) {
            let client = &mut self.clients[token];
            client.keep(part.rest, part.may_have_more);
            if part.closes {
                client.end();
            }
            client.send(&self.replies[part.replies]);
        }
        for buffer in [&mut self.input, &mut self.replies] {
            buffer.clear();
            buffer.shrink_to(BATCH_BYTES_KEPT);
        }
        due.into_iter().try_for_each(|token| self.update_interest(token, Wait::Input))
    }

    /// Updates the events that epoll watches for if the client no longer waits for `before`.
    /// Removes a client that waits for nothing.
    fn update_interest(&mut self, token: usize, before: Wait) -> Result<()> {
        let client = &self.clients[token];
        let now = client.waits_for();
        let interest = if now == Wait::Room { EventFlags::OUT } else { EventFlags::IN };
        match now {
            Wait::Nothing => drop(self.clients.remove(token)),
            _ if (now == Wait::Room) == (before == Wait::Room) => {}
            _ => {
                let data = EventData::new_u64(token as u64);
                epoll::modify(&self.epoll, &client.socket, data, interest)?;
            }
        }
        if now == Wait::Batch {
            self.due.push(token);
        }
        Ok(())
    }
}
