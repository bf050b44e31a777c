//! A process that holds a part of the idle clients: a loop over all of them, with epoll(7).
//!
//! An idle client is only a descriptor. A client that is probed has a [`Probe`] until its answer
//! has come.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags};

use super::event::{ClientEvent, EventPipe};
use super::outcome::LATE_US;
use super::plan::{HolderShare, IdlePlan};
use crate::failure::Failure;
use crate::load::meter::now_ns;
use crate::load::response::{AnswerReader, Ending};
use crate::load::socket::Route;

/// The time between two checks for time-outs.
const CHECK_INTERVAL_NS: u64 = 100_000_000;

/// The most events that one wait returns.
const EVENTS: usize = 256;

/// The most bytes that one read returns.
const SCRATCH: usize = 64 * 1024;

/// The token of the stop pipe, whose closing ends the process; clients have smaller tokens.
const STOP: u64 = u64::MAX;

/// A process that holds clients.
pub struct Holder<'a> {
    plan: &'a IdlePlan,
    share: HolderShare,
    route: Route,
    epoll: OwnedFd,
    /// The socket of each client; none if it is not connected yet, or lost.
    sockets: Vec<Option<OwnedFd>>,
    /// The probes under way, by client.
    probes: HashMap<u32, Probe>,
    /// How many of the probes are a client's first request.
    opening: u32,
    /// The next client to connect.
    next_client: u32,
    /// The next client to probe.
    next_probed: u32,
    probe_at_ns: u64,
    check_at_ns: u64,
    now_ns: u64,
    scratch: Vec<u8>,
    events_out: EventPipe,
}

/// A request whose answer has not come.
struct Probe {
    is_first: bool,
    since_ns: u64,
    sent: usize,
    /// Whether epoll watches for room to send.
    awaits_room: bool,
    reader: AnswerReader,
}

impl<'a> Holder<'a> {
    /// A holder without clients.
    ///
    /// # Errors
    ///
    /// Those of epoll_create(2).
    pub fn new(
        plan: &'a IdlePlan,
        share: HolderShare,
        events_out: OwnedFd,
    ) -> io::Result<Holder<'a>> {
        let now_ns = now_ns();
        let request_len = plan.target.request.len();
        Ok(Holder {
            plan,
            share,
            route: Route::for_idle(plan.target.address, plan.clients as usize, request_len),
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            sockets: Vec::with_capacity(share.clients as usize),
            probes: HashMap::new(),
            opening: 0,
            next_client: 0,
            next_probed: 0,
            // The first probe comes after a whole interval, when some clients have connected.
            probe_at_ns: now_ns + share.interval_ns,
            check_at_ns: now_ns,
            now_ns,
            scratch: vec![0; SCRATCH],
            events_out: EventPipe::new(events_out),
        })
    }

    /// Holds the clients until the other end of this pipe is closed.
    ///
    /// # Errors
    ///
    /// Those of epoll_wait(2), or the pipe for events has no reader.
    pub fn run(mut self, stop_pipe: &OwnedFd) -> io::Result<()> {
        epoll::add(&self.epoll, stop_pipe, EventData::new_u64(STOP), EventFlags::IN)?;
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            self.do_due_work();
            self.events_out.flush()?;
            events.clear();
            let until_ns = self.check_at_ns.min(self.probe_at_ns);
            let wait_ms = until_ns.saturating_sub(self.now_ns).div_ceil(1_000_000);
            let timeout = zerohttpd_sys::ready::timespec(wait_ms);
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            self.now_ns = now_ns();
            for event in &events {
                match event.data.u64() {
                    STOP => return self.report_unanswered(),
                    client => self.on_event(client as u32),
                }
            }
        }
    }

    /// The part of a turn that does not depend on events.
    fn do_due_work(&mut self) {
        while self.next_client < self.share.clients && self.opening < self.share.opening {
            self.open();
        }
        if self.probe_at_ns <= self.now_ns {
            // Probes that a busy machine delayed are left out: they would come all at once.
            self.probe_at_ns = self.now_ns + self.share.interval_ns;
            self.probe_next();
        }
        if self.check_at_ns <= self.now_ns {
            self.check_at_ns = self.now_ns + CHECK_INTERVAL_NS;
            let timeout_ns = self.plan.timeout.as_nanos() as u64;
            let is_late = |probe: &Probe| self.now_ns.saturating_sub(probe.since_ns) > timeout_ns;
            let late = self.probes.iter().filter(|(_, probe)| is_late(probe));
            for client in late.map(|(client, _)| *client).collect::<Vec<_>>() {
                self.lose(client, Failure::Timeout);
            }
        }
    }

    /// Connects the next client.
    fn open(&mut self) {
        let client = self.next_client;
        self.next_client += 1;
        self.opening += 1;
        self.start_probe(client, true);
        match self.route.connect(self.share.first + client) {
            Ok(socket) => self.sockets.push(Some(socket)),
            Err(errno) => {
                self.sockets.push(None);
                return self.lose(client, Failure::of(errno, false));
            }
        }
        self.send_request(client, true);
    }

    /// Probes the next idle client.
    fn probe_next(&mut self) {
        for _ in 0..self.next_client {
            let client = self.next_probed % self.next_client;
            self.next_probed = client + 1;
            if self.sockets[client as usize].is_some() && !self.probes.contains_key(&client) {
                self.start_probe(client, false);
                return self.send_request(client, false);
            }
        }
    }

    fn start_probe(&mut self, client: u32, is_first: bool) {
        let since_ns = now_ns();
        let reader = AnswerReader::default();
        let probe = Probe { is_first, since_ns, sent: 0, awaits_room: false, reader };
        self.probes.insert(client, probe);
    }

    /// Sends as much of a client's request as the kernel takes. A new socket is added to epoll.
    fn send_request(&mut self, client: u32, is_new: bool) {
        let Some(socket) = &self.sockets[client as usize] else { return };
        let Some(probe) = self.probes.get_mut(&client) else { return };
        let request = &self.plan.target.request;
        while probe.sent < request.len() {
            match net::send(socket, &request[probe.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => probe.sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => {
                    let failure = Failure::of(errno, probe.sent > 0 || !probe.is_first);
                    return self.lose(client, failure);
                }
            }
        }
        let awaits_room = probe.sent < request.len();
        let room = if awaits_room { EventFlags::OUT } else { EventFlags::empty() };
        let (data, interest) = (EventData::new_u64(client.into()), EventFlags::IN | room);
        let has_changed = std::mem::replace(&mut probe.awaits_room, awaits_room) != awaits_room;
        let watched = match (is_new, has_changed) {
            (true, _) => epoll::add(&self.epoll, socket, data, interest),
            (false, true) => epoll::modify(&self.epoll, socket, data, interest),
            (false, false) => Ok(()),
        };
        if watched.is_err() {
            self.lose(client, Failure::NoDescriptor);
        }
    }

    /// Handles an event of a client's socket.
    fn on_event(&mut self, client: u32) {
        if self.probes.get(&client).is_some_and(|probe| probe.awaits_room) {
            self.send_request(client, false);
        }
        let Some(socket) = &self.sockets[client as usize] else { return };
        let count = match net::recv(socket, &mut self.scratch[..], RecvFlags::empty()) {
            Ok((count, _)) => count,
            Err(Errno::AGAIN | Errno::INTR) => return,
            Err(errno) => {
                let is_first = self.probes.get(&client).is_some_and(|probe| probe.is_first);
                return self.lose(client, Failure::of(errno, !is_first));
            }
        };
        let Some(probe) = self.probes.get_mut(&client) else {
            // The server closed the idle connection; it can send 408 before.
            return self.lose(client, Failure::HungUp);
        };
        if count == 0 {
            let failure = match probe.reader.end() {
                Ending::Silent => Failure::HungUp,
                Ending::Whole(_) | Ending::Short => Failure::Short,
            };
            return self.lose(client, failure);
        }
        match probe.reader.receive(&self.scratch[..count]) {
            Ok(None) => {}
            Ok(Some(answer)) if (200..400).contains(&answer.status) => self.answered(client),
            Ok(Some(_)) => self.lose(client, Failure::Status),
            Err(_) => self.lose(client, Failure::Protocol),
        }
    }

    fn answered(&mut self, client: u32) {
        let Some(probe) = self.probes.remove(&client) else { return };
        let latency_us = now_ns().saturating_sub(probe.since_ns) / 1000;
        match probe.is_first {
            true => {
                self.opening -= 1;
                self.events_out.buffer(ClientEvent::FirstAnswer);
            }
            false => self
                .events_out
                .buffer(ClientEvent::Answered(latency_us.try_into().unwrap_or(u32::MAX))),
        }
    }

    /// Handles the loss of a client.
    fn lose(&mut self, client: u32, failure: Failure) {
        self.sockets[client as usize] = None;
        let was_held = match self.probes.remove(&client) {
            Some(probe) if probe.is_first => {
                self.opening -= 1;
                false
            }
            _ => true,
        };
        let report = if was_held { ClientEvent::Lost } else { ClientEvent::Failed };
        self.events_out.buffer(report(failure));
    }

    /// Reports the clients that still wait for an answer, at the end.
    fn report_unanswered(mut self) -> io::Result<()> {
        let late_ns = u64::from(LATE_US) * 1000;
        for probe in self.probes.values() {
            if self.now_ns.saturating_sub(probe.since_ns) > late_ns {
                self.events_out.buffer(ClientEvent::Unanswered);
            }
        }
        self.events_out.flush()
    }
}
