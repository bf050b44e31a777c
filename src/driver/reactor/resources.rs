//! What the clients of a loop share, and how the loop performs what one of them wants.

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use zerohttpd_core::{CloseReason, Completion, Now, Operation, Ticket, Want};

use crate::ablations::{AfterReplies, Push};
use crate::clock;
use crate::driver::acceptor::Acceptor;
use crate::driver::connections::{Blocked, LoopClient};
use crate::driver::poller::{Interest, Key, Poller, Ready, Token};
use crate::driver::timers::Timers;
use crate::net::listener::Sharing;
use crate::net::stream::{Outgoing, Pushed};
use crate::observe::access_log::Log;
use crate::server::Server;
use crate::shared::guard::MetricsHandle;
use crate::shared::scoreboard::Phase;
use crate::store::pipelined::PipelinedConnection;

/// What the clients of a loop share.
pub struct Resources<'a, P> {
    pub server: &'a Server,
    pub poller: P,
    pub acceptor: Acceptor<'a>,
    pub store: PipelinedConnection<'a, (Key, Ticket)>,
    /// Called on the store's connection once the replies of a turn were passed on.
    pub after_replies: AfterReplies<'a, (Key, Ticket)>,
    pub timers: Timers<Key>,
    /// The ready queue: clients that can go on without an event.
    pub queue: VecDeque<Key>,
    pub metrics: &'a MetricsHandle,
    pub now: Now,
    /// The server's phase at the beginning of the turn.
    pub phase: Phase,
    log: Log<'a>,
    /// The buffer for reads from clients and the store.
    scratch: Box<[MaybeUninit<u8>]>,
    /// The most bytes that one call reads from a client.
    read_bytes: usize,
    push: Push,
    /// The descriptors that are watched, those of clients excepted.
    watched: Vec<Watched>,
    /// The descriptors that are to be watched. Kept between turns only to save an allocation.
    wanted: Vec<Watched>,
    /// How many clients this loop has accepted.
    accepted_count: &'a AtomicU64,
}

/// A descriptor that is watched, and its interest.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Watched {
    token: Token,
    interest: Interest,
    number: RawFd,
}

/// At most this many wants of a client are performed before other clients are served: a handful of
/// pipelined requests.
const WANTS_PER_TURN: usize = 32;

/// The size of the read buffer, which all clients of a loop share. Many pipelined requests fit.
const SCRATCH_BYTES: usize = 64 * 1024;

/// The result of performing a want.
enum Progress {
    /// It was performed, and the connection can be polled again.
    Done,
    /// It can't be performed now.
    Blocked(Blocked),
    /// It takes long, and goes on after other clients were served.
    Later,
    /// The connection is to be closed.
    Closed,
}

impl<'a, P: Poller> Resources<'a, P> {
    /// The resources of a loop without clients.
    pub fn new(server: &'a Server, metrics: &'a MetricsHandle) -> io::Result<Resources<'a, P>> {
        let timeout_ms = server.app.limits.store_timeout_ms;
        let backoff = server.backoff(metrics.counters);
        Ok(Resources {
            server,
            poller: P::new()?,
            acceptor: Acceptor::new(server),
            store: PipelinedConnection::new(&server.store, backoff, timeout_ms),
            after_replies: server.ablations.after_replies(),
            timers: Timers::default(),
            queue: VecDeque::new(),
            metrics,
            now: clock::now(),
            phase: Phase::Serving,
            log: Log::new(&server.log, metrics.counters),
            scratch: Box::new_uninit_slice(SCRATCH_BYTES),
            read_bytes: server.ablations.read_bytes.min(SCRATCH_BYTES),
            push: server.ablations.push(),
            watched: Vec::new(),
            wanted: Vec::new(),
            accepted_count: server.scoreboard.accepted_by(server.index),
        })
    }

    /// Counts a client that was accepted.
    pub fn on_accept(&self) {
        self.accepted_count.fetch_add(1, Relaxed);
    }

    /// Closes a client's connection, and tells the acceptor that there is room.
    pub fn on_departure(&mut self, key: Key, client: LoopClient<'a>) {
        if client.watched.is_some() {
            self.poller.closed(client.stream.socket.as_raw_fd(), Token::Client(key));
        }
        drop(client);
        self.acceptor.on_departure();
    }

    /// Writes to the store and reads from it, as far as its socket is ready.
    pub fn on_store(&mut self, ready: Ready) {
        if ready.write {
            self.store.writable(self.now);
        }
        if ready.read || ready.reset {
            self.store.readable(&mut self.scratch, self.now);
        }
    }

    /// Puts a client into the ready queue, so that it goes on after the others.
    pub fn enqueue(&mut self, key: Key, client: &mut LoopClient<'_>) {
        if !client.is_queued {
            client.is_queued = true;
            self.queue.push_back(key);
        }
    }

    /// Performs what a client wants until it would block or has had its share of this turn. Returns
    /// false if the connection is to be closed.
    pub fn perform_all(&mut self, key: Key, client: &mut LoopClient<'_>) -> bool {
        for _ in 0..WANTS_PER_TURN {
            match self.perform(key, client) {
                Progress::Done => {}
                Progress::Blocked(on) => {
                    self.block(key, client, on);
                    return true;
                }
                Progress::Later => break,
                Progress::Closed => return false,
            }
        }
        self.enqueue(key, client);
        self.block(key, client, Blocked::Turn);
        true
    }

    /// Performs one want, or goes on with an answer that is partly sent.
    fn perform(&mut self, key: Key, client: &mut LoopClient<'_>) -> Progress {
        let (now, site) = (self.now, &self.server.site);
        if let Some(outgoing) = client.outgoing.take() {
            return self.send(client, *outgoing);
        }
        match client.connection.poll(&self.server.app, now) {
            Want::Read if !client.has_input => return Progress::Blocked(Blocked::Read),
            Want::Read => {
                client.read(&mut self.scratch[..self.read_bytes]);
                // The phase can have changed in this turn. The answer to what was read says so.
                client.enter(self.server.phase());
            }
            Want::Perform(ticket, Operation::Open(path, encodings)) => {
                let found = site.file(&path, encodings, now);
                client.connection.completed(ticket, Completion::Opened(found));
            }
            Want::Perform(ticket, Operation::List(path, page)) => {
                let Some(found) = site.list_in_turns(&path, page, now) else {
                    client.connection.completed(ticket, Completion::ListAgain);
                    return Progress::Later;
                };
                client.connection.completed(ticket, Completion::Listed(found));
            }
            Want::Perform(ticket, Operation::Ask(query)) => {
                self.store.ask((key, ticket), query, now);
                return Progress::Blocked(Blocked::Store);
            }
            Want::Wait => return Progress::Blocked(Blocked::Store),
            Want::Send(transmit) => return self.send(client, Outgoing::new(transmit)),
            Want::Shutdown => client.stream.stop_sending(),
            Want::Peek => client.peek(),
            Want::Close(reason, cut_short) => {
                if reason == CloseReason::TooSlow {
                    client.stream.reset_on_close();
                }
                client.guard.set_close_reason(reason);
                if let Some(cut_short) = cut_short {
                    self.log.record(&cut_short.record(), client.stream.peer, clock::now());
                }
                return Progress::Closed;
            }
        }
        Progress::Done
    }

    fn send(&mut self, client: &mut LoopClient<'_>, mut outgoing: Outgoing) -> Progress {
        match (self.push)(&mut outgoing, &client.stream) {
            Pushed::Blocked => {
                client.outgoing = Some(Box::new(outgoing));
                Progress::Blocked(Blocked::Write)
            }
            Pushed::Ended(outcome) => {
                let record = client.connection.sent(outgoing.into_transmit(), outcome);
                if let Some(record) = record {
                    // The next request begins here, and its time is measured from here.
                    self.now = clock::now();
                    self.log.record(&record, client.stream.peer, self.now);
                }
                Progress::Done
            }
        }
    }

    /// Notes what a client waits for, watches its socket for that, and sets its timer.
    fn block(&mut self, key: Key, client: &mut LoopClient<'_>, on: Blocked) {
        client.blocked = on;
        if on != Blocked::Turn {
            client.guard.waits_for(client.connection.deadline());
        }
        let interest = match on {
            Blocked::Read => Interest::Read,
            Blocked::Write => Interest::Write,
            Blocked::Store | Blocked::Turn => Interest::Errors,
        };
        if self.watch_client(key, client, interest).is_err() {
            // The kernel has no memory to watch it with (epoll_ctl(2)).
            client.connection.reset();
            self.enqueue(key, client);
        }
        self.set_timer(key, client);
    }

    /// Has the poller watch a client's socket with this interest. The socket of a client for which
    /// the loop never has to wait is never registered.
    fn watch_client(
        &mut self,
        key: Key,
        client: &mut LoopClient<'_>,
        interest: Interest,
    ) -> io::Result<()> {
        let (socket, token) = (client.stream.as_fd(), Token::Client(key));
        match client.watched {
            None if interest == Interest::Errors => return Ok(()),
            None if P::EDGE_TRIGGERED => self.poller.add(socket, token, Interest::Edges)?,
            None => self.poller.add(socket, token, interest)?,
            Some(watched) if P::EDGE_TRIGGERED || watched == interest => return Ok(()),
            Some(_) => self.poller.modify(socket, token, interest)?,
        }
        client.watched = Some(interest);
        Ok(())
    }

    /// Sets a timer for the connection's deadline, unless an earlier timer is set: a timer that
    /// fires too early is set again. So it costs nothing that each request moves the deadline.
    pub fn set_timer(&mut self, key: Key, client: &mut LoopClient<'_>) {
        let Some(deadline) = client.connection.deadline() else { return };
        if client.timer_ms == 0 || deadline.at_ms < client.timer_ms {
            client.timer_ms = deadline.at_ms;
            self.timers.push(deadline.at_ms, key);
        }
    }

    /// Writes the log if that is due.
    pub fn flush_log(&mut self) {
        if self.log.due_ms().is_some_and(|due_ms| due_ms <= self.now.ms) {
            self.log.flush();
        }
    }

    /// The time until the loop has something to do without an event; `None` if it waits for events
    /// alone.
    pub fn timeout_ms(&self) -> Option<u64> {
        let queue_ms = (!self.queue.is_empty()).then_some(self.now.ms);
        let acceptor_ms = self.acceptor.next_ms(self.now.ms);
        let (store_ms, log_ms) = (self.store.deadline_ms(), self.log.due_ms());
        let times = [self.timers.next(), store_ms, log_ms, acceptor_ms, queue_ms];
        let first_ms = times.into_iter().flatten().min()?;
        Some(first_ms.saturating_sub(self.now.ms))
    }

    /// Updates which descriptors the poller watches, those of clients excepted. In most turns there
    /// is nothing to change.
    pub fn watch(&mut self) -> io::Result<()> {
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.clear();
        self.list_to_watch(&mut wanted);
        let watched = match self.watched == wanted {
            true => Ok(()),
            false => self.update_watched(&wanted),
        };
        self.wanted = wanted;
        watched
    }

    /// Stops watching what is no longer wanted, and watches what is new. After an error, the next
    /// turn tries the rest again.
    fn update_watched(&mut self, wanted: &[Watched]) -> io::Result<()> {
        let Resources { server, store, poller, watched, .. } = self;
        watched.retain(|old| {
            let is_same = |new: &Watched| (new.token, new.number) == (old.token, old.number);
            let stays = wanted.iter().any(is_same);
            match descriptor(server, store, old.token) {
                _ if stays => {}
                Some(open) => poller.remove(open, old.token),
                None => poller.closed(old.number, old.token),
            }
            stays
        });
        for new in wanted {
            let Some(socket) = descriptor(server, store, new.token) else { continue };
            match watched.iter_mut().find(|old| old.token == new.token) {
                Some(old) if old.interest == new.interest => {}
                Some(old) => {
                    poller.modify(socket, new.token, new.interest)?;
                    *old = *new;
                }
                None => {
                    poller.add(socket, new.token, new.interest)?;
                    watched.push(*new);
                }
            }
        }
        // In the order of `wanted`, so that the next turn can compare the two lists.
        watched.clear();
        watched.extend_from_slice(wanted);
        Ok(())
    }

    /// Lists the descriptors that are to be watched now.
    fn list_to_watch(&self, wanted: &mut Vec<Watched>) {
        let mut watch = |token, interest| {
            let number = descriptor(self.server, &self.store, token).map(|fd| fd.as_raw_fd());
            wanted.extend(number.map(|number| Watched { token, interest, number }));
        };
        // `stop` and `drain` stay readable, so each is watched only until the phase has changed.
        if self.phase != Phase::Stopping {
            watch(Token::Stop, Interest::Read);
        }
        if self.phase == Phase::Serving {
            watch(Token::Drain, Interest::Read);
        }
        if self.acceptor.awaits_overload() {
            watch(Token::Overload, Interest::Read);
        }
        for listener in self.acceptor.listeners(self.now.ms) {
            // Several loops can accept for a full loop. It is enough to wake one of them.
            let by_one = self.server.sharing == Sharing::Exclusive
                || *listener != self.server.own_listener();
            let interest = if by_one { Interest::ReadByOne } else { Interest::Read };
            watch(Token::Listener(*listener as u32), interest);
        }
        if let Some((_, number)) = self.store.socket() {
            let interest = match self.store.is_blocked() {
                true => Interest::ReadWrite,
                false => Interest::Read,
            };
            watch(Token::Store(number), interest);
        }
    }
}

/// The descriptor that a token stands for. `None` for a client, and for a connection to the store
/// that is closed.
fn descriptor<'a, K>(
    server: &'a Server,
    store: &'a PipelinedConnection<'_, K>,
    token: Token,
) -> Option<BorrowedFd<'a>> {
    match token {
        Token::Stop => Some(server.stop.as_fd()),
        Token::Drain => Some(server.drain.as_fd()),
        Token::Overload => Some(server.admission.overload.as_fd()),
        Token::Listener(listener) => Some(server.listeners[listener as usize].as_fd()),
        Token::Store(number) => {
            store.socket().filter(|(_, now)| *now == number).map(|(socket, _)| socket)
        }
        Token::Client(_) => None,
    }
}
