//! One loop over all sockets, with poll(2).
//!
//! # Idea
//!
//! Never wait for one client: keep a list of all sockets, and let the kernel mark the ready ones.
//!
//! # Shape
//!
//! ```text
//!        ┌──► poll the whole list ──► find the ready ones ──► serve them ──┐
//!        └─────────────────────── change the list ◄────────────────────────┘
//! ```
//!
//! # Where it waits
//!
//! Only in poll(2), and for files that are not in the page cache.
//!
//! # What one more client costs
//!
//! A few hundred bytes, eight of them in a list that kernel and program walk in each turn.
//!
//! # What breaks it
//!
//! Many idle clients: each call of poll(2) costs time for all sockets, however few are ready.
//!
//! # In the C original
//!
//! `06_poll`, whose list is copied whole when a socket leaves it. Client sockets block, so half a
//! request stops the loop, and each client has a Redis connection of its own.
//!
//! # Seen in
//!
//! thttpd, early Squid, nginx with `use poll`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use rustix::event::{PollFlags as Flags, Timespec};
use zerohttpd_sys::poll::{PollEntry, poll};

use crate::driver::poller::{Event, Interest, Poller, Ready, Token};
use crate::driver::reactor;
use crate::server::Server;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    reactor::run::<Poll>(server)
}

/// The list of sockets, which this program keeps.
struct Poll {
    list: Vec<PollEntry>,
    tokens: Vec<Token>,
    /// For each descriptor, by number, its position in the list; `usize::MAX` for none.
    positions: Vec<usize>,
}

impl Poller for Poll {
    const EDGE_TRIGGERED: bool = false;

    fn new() -> io::Result<Poll> {
        Ok(Poll { list: Vec::new(), tokens: Vec::new(), positions: Vec::new() })
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let (number, entry) = (fd.as_raw_fd() as usize, PollEntry::new(fd, flags(interest)));
        self.positions.resize(self.positions.len().max(number + 1), usize::MAX);
        if self.positions[number] == usize::MAX {
            self.positions[number] = self.list.len();
            self.list.push(entry);
            self.tokens.push(token);
        }
        self.list[self.positions[number]] = entry;
        self.tokens[self.positions[number]] = token;
        Ok(())
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        self.add(fd, token, interest)
    }

    fn remove_closed(&mut self, number: RawFd, token: Token) {
        let position = self.positions[number as usize];
        // Another descriptor can have this number by now.
        if self.tokens.get(position) == Some(&token) {
            self.positions[number as usize] = usize::MAX;
            self.tokens.swap_remove(position);
            self.list.swap_remove(position);
            if let Some(moved) = self.list.get(position) {
                self.positions[moved.number() as usize] = position;
            }
        }
    }

    fn wait(&mut self, timeout: Option<&Timespec>, events: &mut Vec<Event>) -> io::Result<()> {
        poll(&mut self.list, timeout)?;
        let ready = self.list.iter().zip(&self.tokens).filter(|(it, _)| !it.found().is_empty());
        events.extend(ready.map(|(it, &token)| Event { token, ready: to_ready(it.found()) }));
        Ok(())
    }
}

fn flags(interest: Interest) -> Flags {
    match interest {
        Interest::Errors => Flags::empty(),
        Interest::Read | Interest::ReadExclusive => Flags::IN,
        Interest::Write => Flags::OUT,
        Interest::ReadWrite | Interest::Edges => Flags::IN | Flags::OUT,
    }
}

fn to_ready(flags: Flags) -> Ready {
    let end = flags.intersects(Flags::RDHUP | Flags::HUP);
    Ready {
        read: end || flags.contains(Flags::IN),
        end,
        write: flags.contains(Flags::OUT),
        reset: flags.contains(Flags::ERR),
    }
}
