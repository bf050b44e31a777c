//! One loop over all sockets, with epoll(7).
//!
//! # Idea
//!
//! Never wait for one client. The kernel keeps the list of sockets, and each wait returns those
//! that became ready since they were last seen to be (edge-triggered).
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
//! In epoll_wait(2) alone; and for files that are not in the page cache.
//!
//! # What one more client costs
//!
//! One epoll_ctl(2), if it ever has to be waited for, and a few hundred bytes. Nothing while it is
//! idle.
//!
//! # What breaks it
//!
//! Anything that takes long: while one request is worked on, no other is. One core is all it uses,
//! so several of it run side by side.
//!
//! # Seen in
//!
//! nginx, HAProxy, Redis, Node.js, memcached.

use std::io;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use super::places::{Key, Ready};
use super::readiness::Reactor;
use crate::server::Server;

/// Events taken from the kernel at once; more wait for the next turn.
const EVENTS: usize = 512;

// What the kernel is given to tell the other descriptors from clients, whose numbers are smaller.
const STOP: u64 = u64::MAX;
const LISTENER: u64 = u64::MAX - 1;
const STORE: u64 = u64::MAX - 2;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    server.listener.set_nonblocking()?;
    let mut reactor = Reactor::new(server);
    let mut watcher = Watcher::new(server)?;
    let mut events = Vec::with_capacity(EVENTS);
    let mut patience = None;
    while !reactor.is_done() {
        events.clear();
        match epoll::wait(&watcher.epoll, spare_capacity(&mut events), patience.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        reactor.begin();
        for &Event { flags, data } in &events {
            match data.u64() {
                STOP => {}
                LISTENER => reactor.accept(),
                STORE => reactor.store_ready(told(flags)),
                number => reactor.advance(Key::from_number(number), told(flags)),
            }
        }
        patience = reactor.finish();
        watcher.watch(server, &mut reactor)?;
    }
    Ok(())
}

/// What the kernel watches, and what it was told of that.
struct Watcher {
    epoll: OwnedFd,
    accepting: bool,
    /// The store's socket by its number, and whether it is watched for room.
    store: Option<(u64, bool)>,
}

impl Watcher {
    fn new(server: &Server) -> io::Result<Watcher> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let once = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, &server.stop, EventData::new_u64(STOP), once)?;
        add_listener(&epoll, server)?;
        Ok(Watcher { epoll, accepting: true, store: None })
    }

    /// Tells the kernel what has changed: mostly nothing.
    fn watch(&mut self, server: &Server, reactor: &mut Reactor<'_>) -> io::Result<()> {
        // Edge-triggered, a client needs to be registered only once, for all that it may wait for.
        let all = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        while let Some(key) = reactor.newcomer() {
            let Some(socket) = reactor.socket(key) else { continue };
            let added = epoll::add(&self.epoll, socket, EventData::new_u64(key.to_number()), all);
            if added.is_err() {
                // There is no memory to watch it with (epoll_ctl(2)).
                reactor.advance(key, Ready { hung_up: true, ..Ready::default() });
            }
        }
        if self.accepting != reactor.is_accepting() {
            self.accepting = !self.accepting;
            // A socket that is listed is told about when it is closed, whatever it is listed for.
            match self.accepting {
                true => add_listener(&self.epoll, server)?,
                false => epoll::delete(&self.epoll, &server.listener)?,
            }
        }
        self.watch_store(reactor)
    }

    fn watch_store(&mut self, reactor: &Reactor<'_>) -> io::Result<()> {
        let Some((socket, number, is_blocked)) = reactor.store_socket() else {
            self.store = None;
            return Ok(());
        };
        if self.store == Some((number, is_blocked)) {
            return Ok(());
        }
        let out = if is_blocked { EventFlags::OUT } else { EventFlags::empty() };
        let data = EventData::new_u64(STORE);
        match self.store {
            Some((same, _)) if same == number => {
                epoll::modify(&self.epoll, socket, data, EventFlags::IN | out)?;
            }
            // The one before was closed, and forgotten by the kernel with that.
            _ => epoll::add(&self.epoll, socket, data, EventFlags::IN | out)?,
        }
        self.store = Some((number, is_blocked));
        Ok(())
    }
}

fn add_listener(epoll: &OwnedFd, server: &Server) -> io::Result<()> {
    Ok(epoll::add(epoll, &server.listener, EventData::new_u64(LISTENER), EventFlags::IN)?)
}

fn told(flags: EventFlags) -> Ready {
    let end = flags.intersects(EventFlags::RDHUP | EventFlags::HUP);
    Ready {
        read: end || flags.contains(EventFlags::IN),
        end,
        write: flags.contains(EventFlags::OUT),
        hung_up: flags.contains(EventFlags::ERR),
    }
}
