//! One process with its part of the clients: a loop over all of them, with epoll(7).
//!
//! Of a client that is idle there is its descriptor and nothing else. Who is being asked after has
//! an [`Asking`] until the answer is there.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags};

use super::super::failure::Failure;
use super::super::meter::now_ns;
use super::super::response::{Ending, Reader};
use super::super::socket::Route;
use super::Plan;
use super::account::LATE_US;
use super::report::{Report, Reports};

/// So many clients at once wait for their first answer, in all processes together.
const OPENING: u32 = 64;

/// So many clients are asked after in a second, by all processes together.
const SAMPLES_PER_S: u64 = 1000;

/// How often time-outs are looked for.
const LOOK_NS: u64 = 100_000_000;

/// Events taken from the kernel at once.
const EVENTS: usize = 256;

/// Bytes taken from a socket at once.
const SCRATCH: usize = 64 * 1024;

/// What the kernel is given to tell the end from clients, whose numbers are smaller.
const OVER: u64 = u64::MAX;

/// A process' part of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The number of its first client.
    first: u32,
    clients: u32,
    /// How many of these may wait for their first answer at once.
    opening: u32,
    /// The time between two that are asked after.
    interval_ns: u64,
}

impl Share {
    /// That of one of several processes.
    pub fn of(plan: &Plan, process: u32, processes: u32) -> Share {
        let start = |process: u32| {
            (u64::from(plan.clients) * u64::from(process) / u64::from(processes)) as u32
        };
        Share {
            first: start(process),
            clients: start(process + 1) - start(process),
            opening: (OPENING / processes).max(1),
            interval_ns: 1_000_000_000 * u64::from(processes) / SAMPLES_PER_S,
        }
    }
}

/// A process that holds clients.
pub struct Holder<'a> {
    plan: &'a Plan,
    share: Share,
    route: Route,
    epoll: OwnedFd,
    /// By client; none who is not there yet, or any more.
    sockets: Vec<Option<OwnedFd>>,
    /// Those with a request on its way.
    asking: HashMap<u32, Asking>,
    /// How many of these have theirs for the first time.
    opening: u32,
    /// Whose turn it is to come in.
    next: u32,
    /// Whose turn it is to be asked after, and when.
    sampled: u32,
    sample_at_ns: u64,
    look_at_ns: u64,
    now_ns: u64,
    scratch: Vec<u8>,
    reports: Reports,
}

/// A request on its way.
struct Asking {
    is_first: bool,
    since_ns: u64,
    sent: usize,
    /// The kernel was asked to tell when more can be sent.
    awaits_room: bool,
    reader: Reader,
}

impl<'a> Holder<'a> {
    /// One whose clients are still to come.
    ///
    /// # Errors
    ///
    /// Those of epoll_create(2).
    pub fn new(plan: &'a Plan, share: Share, reports: OwnedFd) -> io::Result<Holder<'a>> {
        let now_ns = now_ns();
        let request_len = plan.target.request.len();
        Ok(Holder {
            plan,
            share,
            route: Route::for_idle(plan.target.address, plan.clients as usize, request_len),
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            sockets: Vec::with_capacity(share.clients as usize),
            asking: HashMap::new(),
            opening: 0,
            next: 0,
            sampled: 0,
            // They take turns.
            sample_at_ns: now_ns + share.interval_ns,
            look_at_ns: now_ns,
            now_ns,
            scratch: vec![0; SCRATCH],
            reports: Reports::new(reports),
        })
    }

    /// Holds its clients until the other end of this is closed.
    ///
    /// # Errors
    ///
    /// Those of epoll_wait(2), or nobody hears what is reported.
    pub fn run(mut self, is_over: &OwnedFd) -> io::Result<()> {
        epoll::add(&self.epoll, is_over, EventData::new_u64(OVER), EventFlags::IN)?;
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            self.go_on();
            self.reports.flush()?;
            events.clear();
            let until_ns = self.look_at_ns.min(self.sample_at_ns);
            let wait_ms = until_ns.saturating_sub(self.now_ns).div_ceil(1_000_000);
            let patience = crate::clock::timespec(wait_ms);
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&patience)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            self.now_ns = now_ns();
            for event in &events {
                match event.data.u64() {
                    OVER => return self.end(),
                    client => self.advance(client as u32),
                }
            }
        }
    }

    /// What a turn does beside what the sockets told.
    fn go_on(&mut self) {
        while self.next < self.share.clients && self.opening < self.share.opening {
            self.open();
        }
        if self.sample_at_ns <= self.now_ns {
            // What a busy machine has kept us from is not made up for: that would be a crowd.
            self.sample_at_ns = self.now_ns + self.share.interval_ns;
            self.sample();
        }
        if self.look_at_ns <= self.now_ns {
            self.look_at_ns = self.now_ns + LOOK_NS;
            let timeout_ns = self.plan.timeout.as_nanos() as u64;
            let is_late =
                |asking: &Asking| self.now_ns.saturating_sub(asking.since_ns) > timeout_ns;
            let late = self.asking.iter().filter(|(_, asking)| is_late(asking));
            for client in late.map(|(client, _)| *client).collect::<Vec<_>>() {
                self.lose(client, Failure::Timeout);
            }
        }
    }

    /// Has the next client come in.
    fn open(&mut self) {
        let client = self.next;
        self.next += 1;
        self.opening += 1;
        self.ask(client, true);
        match self.route.connect(self.share.first + client) {
            Ok(socket) => self.sockets.push(Some(socket)),
            Err(errno) => {
                self.sockets.push(None);
                return self.lose(client, Failure::of(errno, false));
            }
        }
        self.push(client, true);
    }

    /// Asks after the next one that is idle.
    fn sample(&mut self) {
        for _ in 0..self.next {
            let client = self.sampled % self.next;
            self.sampled = client + 1;
            if self.sockets[client as usize].is_some() && !self.asking.contains_key(&client) {
                self.ask(client, false);
                return self.push(client, false);
            }
        }
    }

    fn ask(&mut self, client: u32, is_first: bool) {
        let since_ns = now_ns();
        let reader = Reader::default();
        let asking = Asking { is_first, since_ns, sent: 0, awaits_room: false, reader };
        self.asking.insert(client, asking);
    }

    /// Sends what can be sent of a request; a socket that is new is watched from now on.
    fn push(&mut self, client: u32, is_new: bool) {
        let Some(socket) = &self.sockets[client as usize] else { return };
        let Some(asking) = self.asking.get_mut(&client) else { return };
        let request = &self.plan.target.request;
        while asking.sent < request.len() {
            match net::send(socket, &request[asking.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => asking.sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => {
                    let failure = Failure::of(errno, asking.sent > 0 || !asking.is_first);
                    return self.lose(client, failure);
                }
            }
        }
        let awaits_room = asking.sent < request.len();
        let room = if awaits_room { EventFlags::OUT } else { EventFlags::empty() };
        let (data, interest) = (EventData::new_u64(client.into()), EventFlags::IN | room);
        let has_changed = std::mem::replace(&mut asking.awaits_room, awaits_room) != awaits_room;
        let told = match (is_new, has_changed) {
            (true, _) => epoll::add(&self.epoll, socket, data, interest),
            (false, true) => epoll::modify(&self.epoll, socket, data, interest),
            (false, false) => Ok(()),
        };
        if told.is_err() {
            self.lose(client, Failure::NoDescriptor);
        }
    }

    /// Something can be done with a client's socket.
    fn advance(&mut self, client: u32) {
        if self.asking.get(&client).is_some_and(|asking| asking.awaits_room) {
            self.push(client, false);
        }
        let Some(socket) = &self.sockets[client as usize] else { return };
        let count = match net::recv(socket, &mut self.scratch[..], RecvFlags::empty()) {
            Ok((count, _)) => count,
            Err(Errno::AGAIN | Errno::INTR) => return,
            Err(errno) => {
                let is_first = self.asking.get(&client).is_some_and(|asking| asking.is_first);
                return self.lose(client, Failure::of(errno, !is_first));
            }
        };
        let Some(asking) = self.asking.get_mut(&client) else {
            // It ended, or a server says why it is about to (408).
            return self.lose(client, Failure::HungUp);
        };
        if count == 0 {
            let failure = match asking.reader.end() {
                Ending::Silent => Failure::HungUp,
                Ending::Whole(_) | Ending::Short => Failure::Short,
            };
            return self.lose(client, failure);
        }
        match asking.reader.receive(&self.scratch[..count]) {
            Ok(None) => {}
            Ok(Some(answer)) if (200..400).contains(&answer.status) => self.answered(client),
            Ok(Some(_)) => self.lose(client, Failure::Status),
            Err(_) => self.lose(client, Failure::Protocol),
        }
    }

    fn answered(&mut self, client: u32) {
        let Some(asking) = self.asking.remove(&client) else { return };
        let past_us = now_ns().saturating_sub(asking.since_ns) / 1000;
        match asking.is_first {
            true => {
                self.opening -= 1;
                self.reports.tell(Report::In);
            }
            false => self.reports.tell(Report::Answered(past_us.try_into().unwrap_or(u32::MAX))),
        }
    }

    /// A client is no more.
    fn lose(&mut self, client: u32, failure: Failure) {
        self.sockets[client as usize] = None;
        let was_in = match self.asking.remove(&client) {
            Some(asking) if asking.is_first => {
                self.opening -= 1;
                false
            }
            _ => true,
        };
        let report = if was_in { Report::Lost } else { Report::Failed };
        self.reports.tell(report(failure));
    }

    /// Tells of those who are owed an answer, and leaves.
    fn end(mut self) -> io::Result<()> {
        let late_ns = u64::from(LATE_US) * 1000;
        for asking in self.asking.values() {
            if self.now_ns.saturating_sub(asking.since_ns) > late_ns {
                self.reports.tell(Report::Unanswered);
            }
        }
        self.reports.flush()
    }
}
