//! One loop over all sockets, with epoll(7).
//!
//! # Idea
//!
//! Never wait for one client. The kernel keeps the list of sockets. A wait returns those that are
//! ready: a client's socket once for each change, so the loop reads until the socket is empty.
//!
//! # Shape
//!
//! ```text
//!                  register once
//!   accept ──► serve ──► epoll ─┐
//!                               ▼
//!                  ┌──► epoll_wait ──► serve the ready ones ──┐
//!                  └──────────────────────────────────────────┘
//! ```
//!
//! # Where it waits
//!
//! Only in epoll_wait(2), and for files that are not in the page cache.
//!
//! # What one more client costs
//!
//! A few hundred bytes, and one epoll_ctl(2) when the loop first waits for it. No time while idle.
//!
//! # What breaks it
//!
//! Work that takes long: meanwhile, no other client is served. A loop uses only one core (see
//! `--workers`).
//!
//! # In the C original
//!
//! `07_epoll`, which is level-triggered and calls epoll_ctl(2) four times for each connection to
//! Redis. Client sockets block, so half a request stops the loop.
//!
//! # Seen in
//!
//! nginx, HAProxy, Redis, Node.js, memcached.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags as Flags};

use crate::driver::poller::{Event, Interest, Poller, Ready, Token};
use crate::driver::reactor;
use crate::server::Server;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    reactor::run::<Epoll>(server)
}

/// The list of sockets, which the kernel keeps.
struct Epoll {
    epoll: OwnedFd,
    ready: Vec<epoll::Event>,
}

/// One epoll_wait(2) returns at most this many events.
const EVENTS_PER_WAIT: usize = 512;

impl Poller for Epoll {
    const EDGE_TRIGGERED: bool = true;

    fn new() -> io::Result<Epoll> {
        Ok(Epoll {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            ready: Vec::with_capacity(EVENTS_PER_WAIT),
        })
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let data = EventData::new_u64(token.to_u64());
        Ok(epoll::add(&self.epoll, fd, data, flags(interest))?)
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let data = EventData::new_u64(token.to_u64());
        Ok(epoll::modify(&self.epoll, fd, data, flags(interest))?)
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, _token: Token) {
        // It fails only for a descriptor that is not registered.
        let _ = epoll::delete(&self.epoll, fd);
    }

    fn wait(&mut self, timeout: Option<&Timespec>, events: &mut Vec<Event>) -> io::Result<()> {
        self.ready.clear();
        epoll::wait(&self.epoll, spare_capacity(&mut self.ready), timeout)?;
        events.extend(self.ready.iter().map(|event| Event {
            token: Token::from_u64(event.data.u64()),
            ready: to_ready(event.flags),
        }));
        Ok(())
    }
}

fn flags(interest: Interest) -> Flags {
    match interest {
        Interest::Errors => Flags::empty(),
        Interest::Read => Flags::IN,
        Interest::Write => Flags::OUT,
        Interest::ReadWrite => Flags::IN | Flags::OUT,
        Interest::ReadExclusive => Flags::IN | Flags::EXCLUSIVE,
        Interest::Edges => Flags::IN | Flags::OUT | Flags::RDHUP | Flags::ET,
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
