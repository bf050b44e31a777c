//! Where a loop accepts clients: at its own socket, and at those of other loops that can't.

use crate::client::Client;
use crate::listener::Accepted;
use crate::server::Server;

/// How long descriptors or memory may take to come back.
const EXHAUSTED_MS: u64 = 100;

/// How long until it is looked whether another loop has lost a client, or can accept again.
const FULL_MS: u64 = 100;

/// The sockets of all loops, by their numbers, as one of the loops sees them.
pub struct Doors<'a> {
    server: &'a Server,
    /// Those that it accepts from when it can: its own is the first.
    minded: Vec<usize>,
    /// Descriptors or memory ran out: no accept before this.
    accept_at_ms: u64,
    /// All loops together have as many clients as they may: no accept before this.
    room_at_ms: u64,
    /// When to look again who can't accept; never, while all can.
    look_at_ms: Option<u64>,
    /// The others were told that this loop can't accept.
    is_full: bool,
}

impl<'a> Doors<'a> {
    /// All loops can accept.
    pub fn new(server: &'a Server) -> Doors<'a> {
        Doors {
            server,
            minded: vec![server.own_listener()],
            accept_at_ms: 0,
            room_at_ms: 0,
            look_at_ms: None,
            is_full: false,
        }
    }

    /// Those that a loop with so many clients accepts from now.
    pub fn open(&self, clients: usize, now_ms: u64) -> &[usize] {
        let has_room = clients < self.server.most_clients;
        match has_room && self.accept_at_ms.max(self.room_at_ms) <= now_ms {
            true => &self.minded,
            false => &[],
        }
    }

    /// The next client at a door, for a loop that has so many.
    pub fn accept(&mut self, door: usize, clients: usize, now_ms: u64) -> Option<Client> {
        if !self.open(clients, now_ms).contains(&door) {
            return None;
        }
        if !self.server.crowd.has_room(self.server.index, clients) {
            self.room_at_ms = now_ms + FULL_MS;
            return None;
        }
        match self.server.listeners[door].accept() {
            Accepted::Client(client) => {
                self.server.recovered();
                Some(client)
            }
            Accepted::Nobody => None,
            Accepted::Exhausted(errno) => {
                self.server.complain("accept a client", errno.into());
                self.accept_at_ms = now_ms + EXHAUSTED_MS;
                None
            }
        }
    }

    /// A client has left.
    pub fn has_room(&mut self) {
        self.room_at_ms = 0;
    }

    /// Another loop can't accept, or can't any more.
    pub fn rang(&mut self) {
        self.look_at_ms = Some(0);
    }

    /// Whether the bell is of interest: who knows looks by itself.
    pub fn awaits_bell(&self) -> bool {
        self.server.listeners.len() > 1 && self.look_at_ms.is_none()
    }

    /// A turn ends with so many clients: tells the others whether this loop can't accept, and
    /// learns who else can't.
    pub fn mind(&mut self, clients: usize, now_ms: u64) {
        let relief = &self.server.crowd.relief;
        let is_full = clients >= self.server.most_clients || self.accept_at_ms > now_ms;
        if is_full != self.is_full {
            self.is_full = is_full;
            relief.note(self.server.index, is_full);
        }
        if self.look_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.look_at_ms = relief.is_needed().then_some(now_ms + FULL_MS);
            self.minded.truncate(1);
            for server in relief.full() {
                let door = server % self.server.listeners.len();
                if !self.minded.contains(&door) {
                    self.minded.push(door);
                }
            }
        }
    }

    /// When something changes here though nothing happens.
    pub fn next_ms(&self, now_ms: u64) -> Option<u64> {
        let pause_ms = self.accept_at_ms.max(self.room_at_ms);
        let pause_ms = (pause_ms > now_ms).then_some(pause_ms);
        pause_ms.into_iter().chain(self.look_at_ms).min()
    }
}
