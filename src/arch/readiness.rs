//! The driver of the architectures in which one loop has all clients and waits for none.
//!
//! A client is advanced until it would block: its wants are paid as far as they can be at once.
//! What it is blocked on then is all that a loop needs to know; `poll` and `epoll` differ in how
//! they turn that into waiting.
//!
//! A turn of a loop: wait; [`begin`](Reactor::begin); pass on what became ready, with
//! [`accept`](Reactor::accept), [`advance`](Reactor::advance) and
//! [`store_ready`](Reactor::store_ready); [`finish`](Reactor::finish).

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::event::Timespec;
use zero_core::{Closing, Moment, Ticket, Want};

use super::doors::Doors;
use super::places::{Blocked, Key, Place, Places, Ready};
use super::timers::Timers;
use crate::client::{Client, Outgoing, Pushed};
use crate::clock;
use crate::habits::StoreConnection;
use crate::log::Log;
use crate::presence::{Post, Presence};
use crate::scoreboard::Phase;
use crate::server::Server;
use crate::store::link::Link;

/// All clients of a loop, and what they need.
pub struct Reactor<'a> {
    server: &'a Server,
    places: Places,
    store: Link<'a, (Key, Ticket)>,
    timers: Timers<Key>,
    /// Clients that have more to do at once.
    eager: VecDeque<Key>,
    /// Clients that have to be watched from now on.
    newcomers: Vec<Key>,
    log: Log<'a>,
    post: Post,
    now: Moment,
    scratch: Box<[MaybeUninit<u8>]>,
    doors: Doors<'a>,
    /// How many clients this loop has taken on.
    taken_on: &'a AtomicU64,
    phase: Phase,
}

/// A client gets so many wants paid before the next one's turn: a handful of pipelined requests.
const WANTS_PER_TURN: usize = 32;

/// So many clients are accepted before those that were accepted are served.
const ACCEPTS_PER_TURN: usize = 64;

/// Enough for many pipelined requests; a loop has one of these for all clients.
const SCRATCH_BYTES: usize = 64 * 1024;

impl<'a> Reactor<'a> {
    /// A loop without clients.
    pub fn new(server: &'a Server) -> Reactor<'a> {
        let timeout_ms = server.app.limits.store_timeout_ms;
        let post = server.post();
        let store = Link::new(&server.store, server.gate(post.tally), timeout_ms);
        let store = match server.habits.store_connection {
            StoreConnection::Reused => store,
            StoreConnection::PerRequest => store.closing(),
        };
        Reactor {
            server,
            places: Places::default(),
            store,
            timers: Timers::default(),
            eager: VecDeque::new(),
            newcomers: Vec::new(),
            log: Log::new(&server.log, post.tally),
            post,
            now: clock::now(),
            scratch: Box::new_uninit_slice(SCRATCH_BYTES),
            doors: Doors::new(server),
            taken_on: server.scoreboard.taken_on(server.index),
            phase: Phase::Serving,
        }
    }

    /// A turn begins: the loop has waited, and time has passed.
    pub fn begin(&mut self) {
        self.now = clock::now();
        let phase = self.server.phase();
        if phase != self.phase {
            self.phase = phase;
            self.part();
        }
    }

    /// The stop descriptor is readable.
    pub fn told_to_stop(&mut self) {
        self.server.told_to_stop();
        self.begin();
    }

    /// Tells all clients that the server is to wind down or to stop.
    fn part(&mut self) {
        for (key, place) in self.places.iter_mut() {
            if self.phase == Phase::WindingDown {
                place.connection.wind_down();
                continue;
            }
            place.connection.retire();
            if place.blocked == Blocked::Read && !place.is_eager {
                place.is_eager = true;
                self.eager.push_back(key);
            }
        }
    }

    /// The listening sockets from which clients are accepted now, by their numbers.
    pub fn doors(&self) -> &[usize] {
        match self.phase {
            Phase::Serving => self.doors.open(self.places.len(), self.now.ms),
            Phase::WindingDown | Phase::Stopping => &[],
        }
    }

    /// Whether it is to be told when another loop can't accept.
    pub fn awaits_bell(&self) -> bool {
        self.phase == Phase::Serving && self.doors.awaits_bell()
    }

    /// Another loop can't accept.
    pub fn rang(&mut self) {
        self.doors.rang();
    }

    /// What the server was last found to be doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the last client is gone, and no other will be accepted.
    pub fn is_done(&self) -> bool {
        self.phase != Phase::Serving && self.places.len() == 0
    }

    /// Clients wait to be accepted at a door. Each is served at once: most have sent their request
    /// already.
    pub fn accept(&mut self, door: usize) {
        for _ in 0..ACCEPTS_PER_TURN {
            if self.phase != Phase::Serving {
                break;
            }
            let clients = self.places.len();
            let Some(client) = self.doors.accept(door, clients, self.now.ms) else { break };
            self.welcome(client);
        }
        self.note_clients();
    }

    /// Tells the other loops how many clients this one has.
    fn note_clients(&self) {
        self.server.crowd.note(self.server.index, self.places.len());
    }

    fn welcome(&mut self, client: Client) {
        let Some(client) = self.server.admit(client, self.server.desk()) else { return };
        self.taken_on.fetch_add(1, Relaxed);
        let key = self.places.insert(client, Presence::new(self.post));
        self.advance(key, Ready::default());
    }

    /// A client that has to be watched from now on, and was not asked for before. One that never
    /// has to be waited for itself, but for the store at most, is none.
    pub fn newcomer(&mut self) -> Option<Key> {
        self.newcomers.pop()
    }

    /// A client's socket.
    pub fn socket(&self, key: Key) -> Option<BorrowedFd<'_>> {
        self.places.get(key).map(|place| place.client.as_fd())
    }

    /// All clients, and what each waits for.
    pub fn clients(&self) -> impl Iterator<Item = (Key, BorrowedFd<'_>, Blocked)> {
        self.places.iter().map(|(key, place)| (key, place.client.as_fd(), place.blocked))
    }

    /// The store's socket, a number that changes with it, and whether to wait for room in it.
    pub fn store_socket(&self) -> Option<(BorrowedFd<'_>, u64, bool)> {
        self.store.socket().map(|(socket, number)| (socket, number, self.store.is_blocked()))
    }

    /// The store's socket became ready.
    pub fn store_ready(&mut self, ready: Ready) {
        if ready.write {
            self.store.writable(self.now);
        }
        if ready.read || ready.hung_up {
            self.store.readable(&mut self.scratch, self.now);
        }
    }

    /// Something became ready for a client: pays what it wants, until it would block. Should a bug
    /// make that panic, one client suffers, not all of them.
    pub fn advance(&mut self, key: Key, ready: Ready) {
        if catch_unwind(AssertUnwindSafe(|| self.pay_all(key, ready))).is_err() {
            self.places.remove(key);
            self.note_clients();
        }
    }

    fn pay_all(&mut self, key: Key, ready: Ready) {
        let Some(place) = self.places.get_mut(key) else { return };
        place.has_input |= ready.read;
        place.is_ended |= ready.end;
        if ready.hung_up {
            place.connection.hung_up();
            place.outgoing = None;
        }
        for _ in 0..WANTS_PER_TURN {
            match self.pay(key) {
                Progress::Paid => {}
                Progress::Blocked(on) => return self.block(key, on),
                Progress::Gone => return,
            }
        }
        self.give_turn(key);
        self.block(key, Blocked::Turn);
    }

    /// The turn ends: whoever can go on does, the store is asked, deadlines are kept. Returns how
    /// long the loop may wait; none for as long as it takes.
    pub fn finish(&mut self) -> Option<Timespec> {
        for _ in 0..self.eager.len() {
            let Some(key) = self.eager.pop_front() else { break };
            if let Some(place) = self.places.get_mut(key) {
                place.is_eager = false;
                self.advance(key, Ready::default());
            }
        }
        self.keep_deadlines();
        self.doors.mind(self.places.len(), self.now.ms);
        self.store.check(self.now);
        self.store.flush(self.now);
        while let Some(((key, ticket), reply)) = self.store.reply(self.now) {
            if let Some(place) = self.places.get_mut(key) {
                place.connection.answered(ticket, reply);
                self.advance(key, Ready::default());
            }
        }
        self.store.flush(self.now);
        if self.log.due_ms().is_some_and(|due_ms| due_ms <= self.now.ms) {
            self.log.flush();
        }
        self.patience()
    }

    fn keep_deadlines(&mut self) {
        while let Some((at_ms, key)) = self.timers.pop(self.now.ms) {
            let now_ms = self.now.ms;
            // A timer that an earlier one has replaced means nothing any more.
            let armed = |place: &&mut Place| place.armed_ms == at_ms;
            let Some(place) = self.places.get_mut(key).filter(armed) else { continue };
            place.armed_ms = 0;
            match place.connection.deadline() {
                Some(deadline) if deadline.at_ms <= now_ms => {
                    place.outgoing = None;
                    self.advance(key, Ready::default());
                }
                _ => self.arm(key),
            }
        }
    }

    /// The time until something is to be done although nothing becomes ready.
    fn patience(&self) -> Option<Timespec> {
        let log_ms = self.log.due_ms();
        let doors_ms = self.doors.next_ms(self.now.ms);
        let eager_ms = (!self.eager.is_empty()).then_some(self.now.ms);
        let times = [self.timers.next(), self.store.deadline_ms(), log_ms, doors_ms, eager_ms];
        let first_ms = times.into_iter().flatten().min()?;
        Some(clock::timespec(first_ms.saturating_sub(self.now.ms)))
    }

    /// Pays one want, or goes on paying it.
    fn pay(&mut self, key: Key) -> Progress {
        let now = self.now;
        let server = self.server;
        let Some(place) = self.places.get_mut(key) else { return Progress::Gone };
        if let Some(outgoing) = place.outgoing.take() {
            return self.send(key, *outgoing);
        }
        match place.connection.poll(&server.app, now) {
            Want::Read if !place.has_input => return Progress::Blocked(Blocked::Read),
            Want::Read => place.read(server.habits.of(&mut self.scratch)),
            Want::Open(path, encodings) => {
                place.connection.opened(server.site.file(&path, encodings, now));
            }
            Want::List(path, page) => {
                place.connection.listed(server.site.list(&path, page, now));
            }
            Want::Ask(ticket, query) => {
                self.store.ask((key, ticket), query, now);
                return Progress::Blocked(Blocked::Store);
            }
            Want::Wait => return Progress::Blocked(Blocked::Store),
            Want::Send(transmit) => return self.send(key, Outgoing::new(transmit, server.habits)),
            Want::Shutdown => place.client.stop_sending(),
            Want::Close(_) if place.has_unread() => place.connection.linger(),
            Want::Close(why) => {
                if why == Closing::TooSlow {
                    place.client.give_up();
                }
                place.presence.ends(why);
                let served = place.connection.unfinished();
                if let Some(served) = served {
                    self.log.record(&served, place.client.peer, now);
                }
                self.places.remove(key);
                self.note_clients();
                self.doors.has_room();
                return Progress::Gone;
            }
        }
        Progress::Paid
    }

    fn send(&mut self, key: Key, mut outgoing: Outgoing) -> Progress {
        let Some(place) = self.places.get_mut(key) else { return Progress::Gone };
        match outgoing.push(&place.client, &mut place.queue) {
            Pushed::Blocked => {
                let limits = &self.server.app.limits;
                place.connection.queues(place.queue.more_bytes(), limits);
                place.outgoing = Some(Box::new(outgoing));
                Progress::Blocked(Blocked::Write)
            }
            Pushed::Ended(outcome) => {
                let served = place.connection.sent(outgoing.into_transmit(), outcome);
                if let Some(served) = served {
                    self.log.record(&served, place.client.peer, self.now);
                }
                Progress::Paid
            }
        }
    }

    /// Has the client go on in the next turn.
    fn give_turn(&mut self, key: Key) {
        if let Some(place) = self.places.get_mut(key).filter(|place| !place.is_eager) {
            place.is_eager = true;
            self.eager.push_back(key);
        }
    }

    fn block(&mut self, key: Key, blocked: Blocked) {
        if let Some(place) = self.places.get_mut(key) {
            place.blocked = blocked;
            if blocked != Blocked::Turn {
                place.presence.waits(place.connection.deadline());
            }
            if matches!(blocked, Blocked::Read | Blocked::Write) && !place.is_watched {
                place.is_watched = true;
                self.newcomers.push(key);
            }
        }
        self.arm(key);
    }

    /// Sets a timer for the connection's deadline, unless an earlier one is set: that will look at
    /// the deadline again. So a deadline that moves on with each request costs nothing.
    fn arm(&mut self, key: Key) {
        let Some(place) = self.places.get_mut(key) else { return };
        let Some(deadline) = place.connection.deadline() else { return };
        if place.armed_ms == 0 || deadline.at_ms < place.armed_ms {
            place.armed_ms = deadline.at_ms;
            self.timers.push(deadline.at_ms, key);
        }
    }
}

/// What came of paying.
enum Progress {
    /// A want was paid; there may be another.
    Paid,
    /// It can't be paid at once.
    Blocked(Blocked),
    /// The client is gone.
    Gone,
}
