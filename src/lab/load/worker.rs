//! One thread of the load: a loop over its clients, with epoll(7).
//!
//! A turn of the loop reads what has come, and whoever has its answer asks again at once. Nothing
//! is allocated for a request: its bytes were prepared, answers are read into one buffer, and what
//! is counted has its place. The clock is read once for an answer; it ends one request and begins
//! the next.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use super::client::Client;
use super::failure::Failure;
use super::gate::Gate;
use super::meter::{Meter, now_ns};
use super::plan::{Length, Plan};
use super::pulse::Pulse;
use super::ramp::Ramp;
use super::schedule::Schedule;
use super::socket::Route;
use super::tally::{TOLERANCE_NS, Tally, Window, histogram};

/// Events taken from the kernel at once; more wait for the next turn.
const EVENTS: usize = 512;

/// Bytes taken from a socket at once.
pub(super) const SCRATCH: usize = 64 * 1024;

/// How often time-outs are looked for, and what was counted is shown.
const LOOK_NS: u64 = 100_000_000;

/// Clients begin in batches, this much apart: 32,000 connections in a second at the most.
const BATCH: u64 = 64;
const BATCH_NS: u64 = 2_000_000;

/// How long to wait for the word to begin.
const ATTENTION_NS: u64 = 1_000_000;

/// What the kernel is given to tell the pulse from clients, whose numbers are smaller.
const PULSE: u64 = u64::MAX;

/// A thread's part of the load.
#[derive(Clone, Copy)]
pub struct Share {
    /// Its number.
    pub thread: usize,
    /// Clients.
    pub clients: usize,
    /// The number of its first client.
    pub first: u32,
    /// Requests; as many as there is time for, if there is no bound.
    pub requests: Option<u64>,
}

/// A thread of the load.
pub struct Worker<'a> {
    pub(super) plan: &'a Plan,
    pub(super) share: Share,
    gate: &'a Gate,
    window: &'a Mutex<Window>,
    pub(super) route: Route,
    pub(super) epoll: OwnedFd,
    pub(super) clients: Vec<Client>,
    /// Those that have nothing to do, the one that has waited longest first.
    pub(super) idle: VecDeque<u32>,
    /// Those that go on at some time.
    pub(super) later: BinaryHeap<Reverse<(u64, u32)>>,
    pub(super) ramp: Ramp,
    /// Whether all clients are in, and that was told.
    has_arrived: bool,
    /// When what counts began and ends.
    pub(super) period: Option<(u64, u64)>,
    schedule: Option<Schedule>,
    pulse: Pulse,
    /// Requests that may be begun yet.
    pub(super) left: u64,
    pub(super) asking: usize,
    pub(super) connected: usize,
    pub(super) failed: u64,
    pub(super) scratch: Vec<u8>,
    pub(super) now_ns: u64,
    look_ns: u64,
    at_start: Option<Meter>,
    /// Latencies since the last look.
    pub(super) recent: Histogram<u64>,
    pub(super) tally: Tally,
}

impl<'a> Worker<'a> {
    /// One whose clients have not begun.
    ///
    /// # Errors
    ///
    /// Those of epoll_create(2) and timerfd_create(2): no descriptor is left.
    pub fn new(
        plan: &'a Plan,
        share: Share,
        gate: &'a Gate,
        window: &'a Mutex<Window>,
    ) -> io::Result<Worker<'a>> {
        let request_len = plan.target.request.len();
        let route = Route::new(plan.target.address, plan.clients, plan.keep_alive, request_len);
        let clients = || std::iter::repeat_with(Client::default).take(share.clients);
        let begins_by_itself = plan.rate_per_s.is_some() && share.requests.is_some();
        // Requests that are counted are few for some: nobody comes in to do nothing.
        let invited = share.requests.map_or(share.clients, |requests| {
            share.clients.min(usize::try_from(requests).unwrap_or(usize::MAX))
        });
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let pulse = Pulse::new()?;
        let data = EventData::new_u64(PULSE);
        epoll::add(&epoll, &pulse, data, EventFlags::IN | EventFlags::ET)?;
        Ok(Worker {
            plan,
            share,
            gate,
            window,
            route,
            epoll,
            clients: clients().collect(),
            idle: if begins_by_itself {
                (0..share.clients as u32).collect()
            } else {
                VecDeque::new()
            },
            later: BinaryHeap::with_capacity(share.clients),
            ramp: Ramp::new(if begins_by_itself { 0 } else { invited }, plan.threads),
            has_arrived: false,
            period: None,
            schedule: None,
            pulse,
            left: share.requests.unwrap_or(u64::MAX),
            asking: 0,
            connected: 0,
            failed: 0,
            scratch: vec![0; SCRATCH],
            now_ns: now_ns(),
            look_ns: 0,
            at_start: None,
            recent: histogram(),
            tally: Tally::default(),
        })
    }

    /// Does its part of the load; what it has counted.
    ///
    /// # Errors
    ///
    /// Those of epoll_wait(2).
    pub fn run(mut self) -> io::Result<Tally> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            self.go_on();
            if self.is_done() {
                return Ok(self.into_tally());
            }
            events.clear();
            let patience = self.patience();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&patience)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            self.now_ns = now_ns();
            for event in &events {
                match event.data.u64() {
                    PULSE => {}
                    client => self.advance(client as u32),
                }
            }
        }
    }

    /// A client by its number.
    pub(super) fn client(&mut self, client: u32) -> &mut Client {
        &mut self.clients[client as usize]
    }

    /// What a turn does beside what the sockets told.
    fn go_on(&mut self) {
        if self.period.is_none() {
            self.await_start();
        }
        while let Some(&Reverse((at_ns, client))) = self.later.peek()
            && at_ns <= self.now_ns
        {
            self.later.pop();
            self.go_on_with(client);
        }
        if self.period.is_some() || self.share.requests.is_none() {
            while let Some(client) = self.ramp.let_in(self.now_ns) {
                self.begin(client, self.now_ns);
            }
        }
        self.keep_schedule();
        if self.now_ns >= self.look_ns {
            self.look_ns = self.now_ns + LOOK_NS;
            self.give_up_late_ones();
            self.show();
        }
        if self.period.is_some_and(|(_, end_ns)| self.now_ns >= end_ns) {
            self.read_meter();
        }
    }

    /// A client's time has come, after thought or failure.
    fn go_on_with(&mut self, client: u32) {
        let is_open = self.plan.rate_per_s.is_some();
        if self.client(client).is_asking {
            self.push(client);
        } else if !is_open && self.period.is_some_and(|(_, end_ns)| self.now_ns < end_ns) {
            self.begin(client, self.now_ns);
        } else {
            self.idle.push_back(client);
        }
    }

    /// Tells when its clients are in, and begins when all are.
    fn await_start(&mut self) {
        let is_in = self.share.requests.is_some() || self.ramp.is_over(self.now_ns);
        if is_in && !std::mem::replace(&mut self.has_arrived, true) {
            self.gate.arrive();
        }
        let Some(start_ns) = self.gate.start_ns() else { return };
        let end_ns = match self.plan.length {
            Length::Time(time) => start_ns + time.as_nanos() as u64,
            Length::Requests(_) => u64::MAX,
        };
        self.period = Some((start_ns, end_ns));
        self.at_start = Some(Meter::read());
        let think_ns = self.plan.think.as_nanos() as u64;
        match self.plan.rate_per_s {
            Some(rate) => {
                let schedule = Schedule::new(rate, self.plan.threads, self.share.thread, start_ns);
                self.pulse.start(schedule.next_ns(), schedule.interval_ns());
                self.schedule = Some(schedule);
            }
            // Those that think begin at different times of a thought, not all at once.
            None => {
                let count = self.idle.len() as u64;
                for (number, client) in (0..).zip(self.idle.drain(..)) {
                    let batch_ns = number / BATCH * BATCH_NS;
                    let at_ns = self.now_ns + batch_ns.max(think_ns * number / count.max(1));
                    self.later.push(Reverse((at_ns, client)));
                }
            }
        }
    }

    /// Begins what is due, as long as there are clients to do it.
    fn keep_schedule(&mut self) {
        let (Some((_, end_ns)), Some(mut schedule)) = (self.period, self.schedule.take()) else {
            return;
        };
        let until_ns = self.now_ns.min(end_ns - 1);
        while self.left > 0
            && let Some(&client) = self.idle.front()
            && let Some(due_ns) = schedule.take(until_ns)
        {
            self.idle.pop_front();
            self.tally.late += u64::from(self.now_ns > due_ns + TOLERANCE_NS);
            self.begin(client, due_ns);
        }
        // What no client was free for by the end is never begun.
        if self.left > 0 && self.now_ns >= end_ns {
            self.tally.unsent = schedule.left_before(end_ns);
            self.left = 0;
        }
        self.schedule = Some(schedule);
    }

    fn give_up_late_ones(&mut self) {
        let timeout_ns = self.plan.timeout.as_nanos() as u64;
        for client in 0..self.clients.len() as u32 {
            let now_ns = self.now_ns;
            let this = self.client(client);
            if this.is_asking && now_ns > this.begun_ns + timeout_ns {
                let failure = match this.is_connected {
                    true => Failure::Timeout,
                    false => Failure::ConnectTimeout,
                };
                self.fail(client, failure);
            }
        }
    }

    /// Shows what was counted to who looks on.
    fn show(&mut self) {
        // The bounds of all histograms are the same.
        let _ = self.tally.latency.add(&self.recent);
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = window.latency.add(&self.recent);
        window.failed = self.failed;
        window.connected = self.connected;
        window.ever_connected |= self.tally.peak_connected > 0;
        self.recent.reset();
    }

    /// Until when there is nothing to do unless a socket tells something: in milliseconds, as
    /// epoll_wait(2) counts them, and later rather than too soon.
    fn patience(&self) -> Timespec {
        let mut until_ns = self.look_ns;
        if let Some(Reverse((at_ns, _))) = self.later.peek() {
            until_ns = until_ns.min(*at_ns);
        }
        if !self.has_arrived || self.period.is_some() {
            until_ns = until_ns.min(self.ramp_ns());
        }
        if self.has_arrived && self.period.is_none() {
            until_ns = until_ns.min(self.now_ns + ATTENTION_NS);
        }
        if let Some((_, end_ns)) = self.period.filter(|(_, end_ns)| *end_ns > self.now_ns) {
            until_ns = until_ns.min(end_ns);
        }
        let wait_ms = until_ns.saturating_sub(self.now_ns).div_ceil(1_000_000);
        crate::clock::timespec(wait_ms)
    }

    fn ramp_ns(&self) -> u64 {
        if self.ramp.is_over(self.now_ns) { u64::MAX } else { self.ramp.next_ns() }
    }

    fn is_done(&self) -> bool {
        let is_at_end = match self.period {
            None => false,
            Some((_, end_ns)) => self.left == 0 || self.now_ns >= end_ns,
        };
        self.gate.is_stopped() || is_at_end && self.asking == 0
    }

    fn read_meter(&mut self) {
        if let Some(at_start) = self.at_start.take() {
            let meter = Meter::read();
            let (watched_ns, busy_ns, waited_ns) = meter.since(&at_start);
            self.tally.watched_ns = watched_ns;
            self.tally.busy_ns = busy_ns;
            self.tally.waited_ns = waited_ns;
        }
    }

    fn into_tally(mut self) -> Tally {
        self.read_meter();
        self.show();
        // It was stopped.
        if let Some(schedule) = self.schedule.as_ref().filter(|_| self.left > 0) {
            self.tally.unsent = schedule.left_before(self.now_ns);
        }
        self.tally.unfinished = self.asking as u64;
        self.tally
    }
}
