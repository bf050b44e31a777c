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
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use super::places::{Key, Ready};
use super::readiness::Reactor;
use crate::listener::Sharing;
use crate::server::Server;

/// Events taken from the kernel at once; more wait for the next turn.
const EVENTS: usize = 512;

/// How long memory may take to come back.
const SOON: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

// What the kernel is given to tell the other descriptors from clients, whose numbers are smaller.
const STOP: u64 = u64::MAX;
const SUCCEEDED: u64 = u64::MAX - 1;
const STORE: u64 = u64::MAX - 2;
const BELL: u64 = u64::MAX - 3;
/// The first of the listening sockets.
const DOORS: u64 = (u32::MAX as u64) << 32;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    server.set_nonblocking()?;
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
                STOP => reactor.told_to_stop(),
                SUCCEEDED => {}
                BELL => reactor.rang(),
                STORE => reactor.store_ready(told(flags)),
                door @ DOORS.. => reactor.accept((door - DOORS) as usize),
                number => reactor.advance(Key::from_number(number), told(flags)),
            }
        }
        patience = reactor.finish();
        if let Err(error) = watcher.watch(server, &mut reactor) {
            // There is no memory to watch the listener or the store with: soon again.
            server.complain("watch a socket", error);
            patience = Some(SOON);
        }
    }
    Ok(())
}

/// What the kernel watches, and what it was told of that.
struct Watcher {
    epoll: OwnedFd,
    /// The listening sockets that are watched, by their numbers.
    doors: Vec<usize>,
    /// The store's socket by its number, and whether it is watched for room.
    store: Option<(u64, bool)>,
}

impl Watcher {
    fn new(server: &Server) -> io::Result<Watcher> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let once = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, &server.stop, EventData::new_u64(STOP), once)?;
        epoll::add(&epoll, &server.succeeded, EventData::new_u64(SUCCEEDED), once)?;
        epoll::add(&epoll, &server.crowd.relief, EventData::new_u64(BELL), once)?;
        let mut watcher = Watcher { epoll, doors: Vec::new(), store: None };
        watcher.watch_doors(server, &[server.own_listener()])?;
        Ok(watcher)
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
        if self.doors != reactor.doors() {
            self.watch_doors(server, reactor.doors())?;
        }
        self.watch_store(reactor)
    }

    fn watch_doors(&mut self, server: &Server, doors: &[usize]) -> io::Result<()> {
        // A socket that is listed is told about when it is closed, whatever it is listed for.
        self.doors.retain(|door| {
            let stays = doors.contains(door);
            stays || epoll::delete(&self.epoll, &server.listeners[*door]).is_err()
        });
        for door in doors {
            if self.doors.contains(door) {
                continue;
            }
            // Of those who stand in for another, one is enough.
            let wakes_one = server.sharing == Sharing::Exclusive || *door != server.own_listener();
            let one = if wakes_one { EventFlags::EXCLUSIVE } else { EventFlags::empty() };
            let data = EventData::new_u64(DOORS + *door as u64);
            epoll::add(&self.epoll, &server.listeners[*door], data, EventFlags::IN | one)?;
            self.doors.push(*door);
        }
        self.doors = doors.to_vec();
        Ok(())
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

fn told(flags: EventFlags) -> Ready {
    let end = flags.intersects(EventFlags::RDHUP | EventFlags::HUP);
    Ready {
        read: end || flags.contains(EventFlags::IN),
        end,
        write: flags.contains(EventFlags::OUT),
        hung_up: flags.contains(EventFlags::ERR),
    }
}
