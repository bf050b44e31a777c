//! Accepts and admits clients. Pauses after failures and while the server is full. A loop also
//! accepts clients for other loops that can't.

use std::time::Duration;

use zerohttpd_sys::diagnostics;
use zerohttpd_sys::say;

use crate::admission::{Permit, Reservation, Slot, TooMany};
use crate::clock;
use crate::net::listener::Accepted;
use crate::net::stream::Stream;
use crate::server::Server;
use crate::shared::counters::Count;

/// A client that was accepted and admitted.
pub struct Admitted<'a> {
    /// Its socket.
    pub stream: Stream,
    /// Its permit; `None` in a forked child, whose parent keeps the permit.
    pub permit: Option<Permit<'a>>,
}

/// The longest time that a worker waits for room for another client.
const ROOM_TIMEOUT: Duration = Duration::from_millis(100);

/// The pause of a loop after a failed accept(2).
const FAILED_RETRY_MS: u64 = 100;

/// How long a loop waits before it checks again whether a client of another loop has left, or
/// whether another loop can accept again.
const FULL_RETRY_MS: u64 = 100;

/// Waits for the next client: accept4(2). Returns `None` after half a second without a client, or
/// after a pause if no client can be accepted. The caller can then reap its children and check
/// whether the server is to stop.
pub fn accept(server: &Server, slot: Slot) -> Option<Admitted<'_>> {
    accept_after(server, slot, || ())
}

/// Like [`accept`]. After accept4(2) and before the client is admitted, calls `make_room`, which
/// releases the permits of clients that have left.
pub fn accept_after(server: &Server, slot: Slot, make_room: impl FnOnce()) -> Option<Admitted<'_>> {
    let Some(reservation) = server.admission.reserve(slot, server.max_clients) else {
        server.admission.wait_for_room(slot, server.max_clients, ROOM_TIMEOUT);
        return None;
    };
    match server.listener.accept() {
        Accepted::Client(stream) => {
            make_room();
            admit(server, reservation, stream).ok()
        }
        Accepted::None => None,
        Accepted::Failed(errno) => {
            server.report_failed_accept(errno);
            server.pause();
            None
        }
    }
}

/// Admits a client. If its address has reached its limit, the client is refused with a 503 before
/// it costs a process or thread.
fn admit<'a>(
    server: &'a Server,
    reservation: Reservation<'a>,
    stream: Stream,
) -> Result<Admitted<'a>, TooMany> {
    match reservation.admit(stream.peer) {
        Ok(permit) => Ok(Admitted { stream, permit: Some(permit) }),
        Err(error) => {
            refuse(server, stream);
            Err(error)
        }
    }
}

/// Counts and reports a refused client, and sends it a 503.
fn refuse(server: &Server, stream: Stream) {
    let now = clock::now();
    server.scoreboard.counters.of_thread().count(Count::RefusedByAddress);
    if diagnostics::note_if_due(server.scoreboard.last_refusal_message_ms, now.ms) {
        let peer = stream.peer;
        say!(
            "zerohttpd: {peer} has --max-clients-per-address clients; its further clients get 503"
        );
    }
    stream.dismiss(&zerohttpd_core::app::too_many_connections(&server.app, now));
}

/// Accepts clients for one loop: at its own listening socket, and at those of loops that can't
/// accept. A listening socket is identified by its index in [`Server::listeners`].
pub struct Acceptor<'a> {
    server: &'a Server,
    /// The sockets at which it accepts, its own first.
    accepts_at: Vec<usize>,
    /// Whether it accepts no more clients.
    is_closed: bool,
    /// No client is accepted before this time, because accept(2) has failed.
    paused_until_ms: u64,
    /// No client is accepted before this time, because all loops together have reached the limit.
    full_until_ms: u64,
    /// When to check again which loops can't accept; `None` while all can.
    next_check_ms: Option<u64>,
    /// Whether this loop has reported to the others that it can't accept.
    has_reported_full: bool,
}

impl<'a> Acceptor<'a> {
    /// The acceptor of a server's loop. All loops can accept at first.
    pub fn new(server: &'a Server) -> Acceptor<'a> {
        Acceptor {
            server,
            accepts_at: vec![server.own_listener()],
            is_closed: false,
            paused_until_ms: 0,
            full_until_ms: 0,
            next_check_ms: None,
            has_reported_full: false,
        }
    }

    /// The sockets that the loop has to watch. Empty during a pause and while there is no room.
    pub fn listeners(&self, now_ms: u64) -> &[usize] {
        let is_paused = self.paused_until_ms.max(self.full_until_ms) > now_ms;
        if self.is_closed || is_paused || self.clients() >= self.server.max_clients {
            return &[];
        }
        &self.accepts_at
    }

    /// Accepts the next client that waits at a socket. `None` if no client waits or none can be
    /// accepted now. [`TooMany`] if the client was refused; then another client can be waiting.
    pub fn accept(
        &mut self,
        listener: usize,
        now_ms: u64,
    ) -> Option<Result<Admitted<'a>, TooMany>> {
        if !self.listeners(now_ms).contains(&listener) {
            return None;
        }
        let server = self.server;
        let Some(reservation) = server.admission.reserve(server.slot(), server.max_clients) else {
            self.full_until_ms = now_ms + FULL_RETRY_MS;
            return None;
        };
        match server.listeners[listener].accept() {
            Accepted::Client(stream) => Some(admit(server, reservation, stream)),
            Accepted::None => None,
            Accepted::Failed(errno) => {
                server.report_failed_accept(errno);
                self.paused_until_ms = now_ms + FAILED_RETRY_MS;
                None
            }
        }
    }

    /// Accepts no more clients, because the server drains or stops.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// A client of this loop has left, so there is room.
    pub fn on_departure(&mut self) {
        self.full_until_ms = 0;
    }

    /// The overload descriptor is readable: another loop can't accept.
    pub fn on_overload(&mut self) {
        self.next_check_ms = Some(0);
    }

    /// Whether to watch the overload descriptor. As long as any loop can't accept, this loop checks
    /// every [`FULL_RETRY_MS`] instead, because the descriptor stays readable.
    pub fn awaits_overload(&self) -> bool {
        !self.is_closed && self.server.listeners.len() > 1 && self.next_check_ms.is_none()
    }

    /// Sockets of other loops at which this loop tries to accept now without an event. A client
    /// wakes only one loop (`EPOLLEXCLUSIVE`), and that loop may have had no room for it.
    pub fn listeners_to_try(&self, now_ms: u64) -> Vec<usize> {
        match self.next_check_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            true => self.accepts_at[1..].to_vec(),
            false => Vec::new(),
        }
    }

    /// Reports to the other loops whether this one can accept, and finds out which others can't.
    /// The loop calls it at the end of each turn.
    pub fn exchange_overload(&mut self, now_ms: u64) {
        let overload = &self.server.admission.overload;
        let is_full = self.clients() >= self.server.max_clients || self.paused_until_ms > now_ms;
        if is_full != self.has_reported_full {
            self.has_reported_full = is_full;
            overload.note(self.server.index, is_full);
        }
        if self.next_check_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.next_check_ms = overload.is_any_full().then_some(now_ms + FULL_RETRY_MS);
            self.accepts_at.truncate(1);
            for server in overload.full() {
                let listener = server % self.server.listeners.len();
                if !self.accepts_at.contains(&listener) {
                    self.accepts_at.push(listener);
                }
            }
        }
    }

    /// When the acceptor next has something to do without an event: a pause ends, or the other
    /// loops are to be checked.
    pub fn next_ms(&self, now_ms: u64) -> Option<u64> {
        let pause_ms = self.paused_until_ms.max(self.full_until_ms);
        let pause_ms = (pause_ms > now_ms).then_some(pause_ms);
        pause_ms.into_iter().chain(self.next_check_ms).min()
    }

    /// How many clients this loop has.
    fn clients(&self) -> usize {
        self.server.admission.clients_of(self.server.index as u32)
    }
}
