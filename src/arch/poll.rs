//! One loop over all sockets, with poll(2).
//!
//! # Idea
//!
//! Never wait for one client. Before each wait, write down every socket and what it is watched for;
//! the kernel marks those that are ready, and only they are served.
//!
//! # Shape
//!
//! ```text
//!        ┌──► list all sockets ──► poll ──► serve the ready ones ──┐
//!        └─────────────────────────────────────────────────────────┘
//! ```
//!
//! # Where it waits
//!
//! In poll(2) alone; and for files that are not in the page cache.
//!
//! # What one more client costs
//!
//! Eight bytes in a list that is walked thrice a turn: to write it, by the kernel, to read it.
//!
//! # What breaks it
//!
//! Many idle clients: each wait costs as much as there are sockets, be one of them ready or all.
//!
//! # Seen in
//!
//! thttpd, early Squid, `poll` mode of Node's and nginx's portable builds.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::places::{Blocked, Key, Ready};
use super::readiness::Reactor;
use crate::scoreboard::Phase;
use crate::server::Server;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    server.set_nonblocking()?;
    let mut reactor = Reactor::new(server);
    let mut patience = None;
    while !reactor.is_done() {
        let ready = wait(server, &reactor, patience.as_ref())?;
        reactor.begin();
        for (source, ready) in ready {
            match source {
                Source::Stop => reactor.told_to_stop(),
                Source::Succeeded => {}
                Source::Bell => reactor.rang(),
                Source::Door(door) => reactor.accept(door),
                Source::Store => reactor.store_ready(ready),
                Source::Client(key) => reactor.advance(key, ready),
            }
        }
        patience = reactor.finish();
        // All are listed anew before each wait.
        while reactor.newcomer().is_some() {}
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Source {
    Stop,
    Succeeded,
    Bell,
    Door(usize),
    Store,
    Client(Key),
}

/// Lists every socket, and waits until some of them are ready.
fn wait(
    server: &Server,
    reactor: &Reactor<'_>,
    patience: Option<&Timespec>,
) -> io::Result<Vec<(Source, Ready)>> {
    let mut sources = Vec::new();
    let mut fds = Vec::new();
    let mut watch = |source, socket, interest| {
        sources.push(source);
        fds.push(PollFd::from_borrowed_fd(socket, interest));
    };
    // What is readable for ever is of no more interest once it was.
    if reactor.phase() != Phase::Stopping {
        watch(Source::Stop, server.stop.as_fd(), PollFlags::IN);
    }
    if reactor.phase() == Phase::Serving {
        watch(Source::Succeeded, server.succeeded.as_fd(), PollFlags::IN);
    }
    if reactor.awaits_bell() {
        watch(Source::Bell, server.crowd.relief.as_fd(), PollFlags::IN);
    }
    for door in reactor.doors() {
        watch(Source::Door(*door), server.listeners[*door].as_fd(), PollFlags::IN);
    }
    if let Some((socket, _, is_blocked)) = reactor.store_socket() {
        let out = if is_blocked { PollFlags::OUT } else { PollFlags::empty() };
        watch(Source::Store, socket, PollFlags::IN | out);
    }
    let interests =
        reactor.clients().map(|(key, socket, blocked)| (key, socket, interest(blocked)));
    interests.for_each(|(key, socket, flags)| watch(Source::Client(key), socket, flags));
    match poll(&mut fds, patience) {
        Ok(_) | Err(Errno::INTR) => {}
        // There is no memory for the list (poll(2)).
        Err(Errno::NOMEM | Errno::AGAIN) => {
            server.complain("watch the sockets", Errno::NOMEM.into());
            server.pause();
        }
        Err(errno) => return Err(errno.into()),
    }
    let ready = fds.iter().map(PollFd::revents).zip(sources);
    Ok(ready.filter(|(flags, _)| !flags.is_empty()).map(|(f, source)| (source, told(f))).collect())
}

fn interest(blocked: Blocked) -> PollFlags {
    match blocked {
        Blocked::Read => PollFlags::IN,
        Blocked::Write => PollFlags::OUT,
        // Only a reset is told, asked for or not.
        Blocked::Store | Blocked::Turn => PollFlags::empty(),
    }
}

fn told(flags: PollFlags) -> Ready {
    Ready {
        read: flags.intersects(PollFlags::IN | PollFlags::HUP),
        // What is left to read is told again the next time.
        end: false,
        write: flags.contains(PollFlags::OUT),
        hung_up: flags.contains(PollFlags::ERR),
    }
}
