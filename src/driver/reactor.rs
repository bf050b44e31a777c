//! The driver of the architectures in which one loop has all clients and waits for none of them.
//!
//! A client is advanced until it would block: the reactor performs what its connection wants as
//! long as that can be done at once. Then it notes what blocks the client. The [`Poller`], which is
//! the architecture, reports when the client can go on.
//!
//! ```text
//!          ┌──► wait ──► accept, advance the ready clients ──► serve the ready queue ──┐
//!          └────────── ask the store, watch ◄────────── deadlines ◄────────────────────┘
//! ```

mod resources;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::event::Timespec;
use rustix::io::Errno;
use zerohttpd_core::{Completion, Sent};
use zerohttpd_sys::ready::timespec;

use crate::clock;
use crate::driver::connections::{Blocked, Connections, LoopClient};
use crate::driver::poller::{Event, Key, Poller, Token};
use crate::driver::reactor::resources::Resources;
use crate::server::Server;
use crate::shared::guard::ConnectionGuard;
use crate::shared::scoreboard::Phase;

/// In a turn, at most this many clients are accepted at a socket, refused ones included, so that
/// connected clients are served in between.
const ACCEPTS_PER_TURN: usize = 64;

/// In a turn, at most this many replies of the store advance their clients at once; the other
/// clients go on in the next turn. While the store is down, every query fails at once, so a client
/// that pipelines requests would otherwise keep the loop to itself.
const REPLIES_PER_TURN: usize = 256;

/// The pause after the kernel had no memory for a registration.
const RETRY_MS: u64 = 100;

/// Serves until the server is to stop.
///
/// # Errors
///
/// The poller can't be created, or its wait fails for another reason than a lack of memory.
pub fn run<P: Poller>(server: &Server) -> io::Result<()> {
    server.set_nonblocking()?;
    let metrics = server.metrics();
    let resources = Resources::<P>::new(server, &metrics)?;
    let mut reactor = Reactor { connections: Connections::default(), resources };
    let (mut events, mut timeout) = (Vec::new(), Some(Timespec::default()));
    while !reactor.is_done() {
        events.clear();
        match reactor.resources.poller.wait(timeout.as_ref(), &mut events) {
            Ok(()) => {}
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::INTR) => {}
                Some(errno @ (Errno::NOMEM | Errno::AGAIN)) => {
                    server.complain("watch the sockets", errno.into());
                    server.pause();
                }
                _ => return Err(error),
            },
        }
        timeout = reactor.turn(&events);
    }
    Ok(())
}

/// A loop: its clients, and what they share. The two are separate so that both can be borrowed.
struct Reactor<'a, P> {
    connections: Connections<'a>,
    resources: Resources<'a, P>,
}

impl<P: Poller> Reactor<'_, P> {
    /// Whether the last client has left, and no other will be accepted.
    fn is_done(&self) -> bool {
        self.resources.phase != Phase::Serving && self.connections.is_empty()
    }

    /// Serves the clients that are ready and those whose deadline has passed. Returns the time-out
    /// of the next wait; `None` if only an event can give the loop something to do.
    fn turn(&mut self, events: &[Event]) -> Option<Timespec> {
        self.resources.now = clock::now();
        for &Event { token, ready } in events {
            match token {
                Token::Client(key) => self.advance(key, |client| client.on_ready(ready)),
                Token::Listener(listener) => self.accept(listener as usize),
                Token::Store(_) => self.resources.on_store(ready),
                Token::Overload => self.resources.acceptor.on_overload(),
                Token::Stop => self.resources.server.note_stop(),
                Token::Drain => self.resources.server.note_drain(),
            }
        }
        for listener in self.resources.acceptor.listeners_to_try(self.resources.now.ms) {
            self.accept(listener);
        }
        // Only after the events: if a client has woken this loop alone, it still accepts the
        // client.
        self.notice_phase();
        self.serve_queue();
        self.keep_deadlines();
        self.ask_store();
        self.resources.acceptor.exchange_overload(self.resources.now.ms);
        self.resources.flush_log();
        match self.resources.watch() {
            Ok(()) => self.resources.timeout_ms().map(timespec),
            // The kernel has no memory to watch the listener or the store with (epoll_ctl(2)).
            Err(error) => {
                self.resources.server.complain("watch a socket", error);
                let timeout_ms = self.resources.timeout_ms().unwrap_or(RETRY_MS);
                Some(timespec(timeout_ms.min(RETRY_MS)))
            }
        }
    }

    /// If the server has begun to drain or to stop, closes the acceptor and tells the clients.
    fn notice_phase(&mut self) {
        let phase = self.resources.server.phase();
        if phase == self.resources.phase {
            return;
        }
        self.resources.phase = phase;
        self.resources.acceptor.close();
        for (key, client) in self.connections.iter_mut() {
            client.enter(phase);
            if phase == Phase::Stopping && client.blocked == Blocked::Read {
                self.resources.enqueue(key, client);
            }
        }
    }

    /// Accepts clients, and serves each at once: most have sent their request already.
    fn accept(&mut self, listener: usize) {
        for _ in 0..ACCEPTS_PER_TURN {
            let resources = &mut self.resources;
            let accepted = resources.acceptor.accept(listener, resources.now.ms);
            let Some(admitted) = accepted else { break };
            let Ok(client) = admitted else { continue };
            resources.on_accept();
            let guard = ConnectionGuard::new(client.permit, resources.metrics);
            let key = self.connections.insert(client.stream, guard);
            self.advance(key, |_| ());
        }
    }

    /// Reports an event to a client, and performs what it wants then until it would block. A bug
    /// that panics ends the client's connection, and the loop goes on.
    fn advance(&mut self, key: Key, report: impl FnOnce(&mut LoopClient<'_>)) {
        let Some(client) = self.connections.get_mut(key) else { return };
        let resources = &mut self.resources;
        let advance = AssertUnwindSafe(|| {
            report(client);
            resources.perform_all(key, client)
        });
        if !catch_unwind(advance).unwrap_or(false) {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: Key) {
        let Some(client) = self.connections.remove(key) else { return };
        self.resources.on_departure(key, client);
    }

    /// Advances each client of the ready queue once.
    fn serve_queue(&mut self) {
        for _ in 0..self.resources.queue.len() {
            let Some(key) = self.resources.queue.pop_front() else { break };
            if let Some(client) = self.connections.get_mut(key) {
                client.is_queued = false;
                self.advance(key, |_| ());
            }
        }
    }

    /// Advances the clients whose deadlines have passed.
    fn keep_deadlines(&mut self) {
        let now_ms = self.resources.now.ms;
        while let Some((at_ms, key)) = self.resources.timers.pop(now_ms) {
            let Some(client) = self.connections.get_mut(key) else { continue };
            if client.timer_ms != at_ms {
                continue; // It was replaced by an earlier timer.
            }
            client.timer_ms = 0;
            match client.connection.deadline() {
                Some(deadline) if deadline.at_ms <= now_ms => {
                    self.advance(key, |client| client.cut_short(Sent::Late));
                }
                _ => self.resources.set_timer(key, client),
            }
        }
    }

    /// Sends the queries of this turn to the store, and passes its replies on to the clients.
    fn ask_store(&mut self) {
        let now = self.resources.now;
        self.resources.store.check(now);
        self.resources.store.flush(now);
        let mut replies = 0;
        while let Some(((key, ticket), reply)) = self.resources.store.reply(now) {
            let completion = Completion::Answered(reply);
            replies += 1;
            if replies <= REPLIES_PER_TURN {
                self.advance(key, |client| client.connection.completed(ticket, completion));
            } else if let Some(client) = self.connections.get_mut(key) {
                client.connection.completed(ticket, completion);
                self.resources.enqueue(key, client);
            }
        }
        (self.resources.after_replies)(&mut self.resources.store);
        self.resources.store.flush(now);
    }
}
