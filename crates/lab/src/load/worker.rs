//! One thread of the load generator: a loop over its clients, with epoll(7).
//!
//! In each turn the loop reads the answers that have come. A client that has its answer sends its
//! next request at once. A request allocates nothing: its bytes are prepared, all answers are read
//! into one buffer, and the counters exist. The clock is read once for each answer: that time ends
//! one request and begins the next.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use super::alarm::Alarm;
use super::barrier::Barrier;
use super::client::LoadClient;
use super::counts::{ThreadCounts, ThreadProgress};
use super::deadlines::Deadlines;
use super::latency::histogram;
use super::meter::{Meter, now_ns};
use super::plan::{Length, LoadPlan};
use super::ramp::Ramp;
use super::schedule::{Pause, Schedule, pause};
use super::share::ThreadShare;
use super::socket::Route;
use crate::failure::Failure;

/// The most events that one wait returns. The next wait returns the others.
const EVENTS: usize = 512;

/// The most bytes that one read returns.
pub(super) const SCRATCH: usize = 64 * 1024;

/// The time between two updates of the progress that the main thread displays.
const SHOW_INTERVAL_NS: u64 = 100_000_000;

/// Clients start in batches of this size, one every `BATCH_NS`: at most 32,000 connections a
/// second.
const BATCH: u64 = 64;
const BATCH_NS: u64 = 2_000_000;

/// The time between two checks whether the measured time has begun.
const START_POLL_NS: u64 = 1_000_000;

/// The token of the alarm; clients have smaller tokens.
const ALARM: u64 = u64::MAX;

/// A thread of the load generator.
pub struct LoadWorker<'a> {
    pub(super) plan: &'a LoadPlan,
    pub(super) share: ThreadShare,
    barrier: &'a Barrier,
    thread_progress: &'a Mutex<ThreadProgress>,
    pub(super) route: Route,
    pub(super) epoll: OwnedFd,
    pub(super) clients: Vec<LoadClient>,
    /// Free clients; the first has been free for the longest time.
    pub(super) idle: VecDeque<u32>,
    /// Since when at least one client has been free.
    pub(super) idle_since_ns: u64,
    /// Clients that pause, with the time at which each continues.
    pub(super) paused: BinaryHeap<Reverse<(u64, u32)>>,
    pub(super) deadlines: Deadlines,
    pub(super) ramp: Ramp,
    /// Whether this thread has reported that all its clients have had their first answer.
    has_arrived: bool,
    /// The start and the end of the measured time.
    pub(super) period: Option<(u64, u64)>,
    pub(super) schedule: Option<Schedule>,
    alarm: Alarm,
    /// How many more requests can begin.
    pub(super) requests_left: u64,
    /// How many clients wait for an answer.
    pub(super) in_flight: usize,
    pub(super) connected: usize,
    pub(super) failed: u64,
    /// The buffer into which all answers are read.
    pub(super) scratch: Vec<u8>,
    pub(super) now_ns: u64,
    show_at_ns: u64,
    /// The processor use at the start of the measured time, until the use at its end is read.
    start_meter: Option<Meter>,
    /// Latencies since the last report.
    pub(super) recent: Histogram<u64>,
    pub(super) counts: ThreadCounts,
}

impl<'a> LoadWorker<'a> {
    /// A worker that has not started.
    ///
    /// # Errors
    ///
    /// Those of epoll_create(2) and timerfd_create(2): no descriptor is left.
    pub fn new(
        plan: &'a LoadPlan,
        share: ThreadShare,
        barrier: &'a Barrier,
        thread_progress: &'a Mutex<ThreadProgress>,
    ) -> io::Result<LoadWorker<'a>> {
        let request_len = plan.target.request.len();
        let route = Route::new(plan.target.address, plan.clients, plan.keep_alive, request_len);
        let clients = || std::iter::repeat_with(LoadClient::default).take(share.clients);
        let skips_ramp = plan.rate_per_s.is_some() && share.requests.is_some();
        // If there are fewer requests than clients, some clients stay unused.
        let ramped = share.requests.map_or(share.clients, |requests| {
            share.clients.min(usize::try_from(requests).unwrap_or(usize::MAX))
        });
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let alarm = Alarm::new()?;
        let data = EventData::new_u64(ALARM);
        epoll::add(&epoll, &alarm, data, EventFlags::IN | EventFlags::ET)?;
        Ok(LoadWorker {
            plan,
            share,
            barrier,
            thread_progress,
            route,
            epoll,
            clients: clients().collect(),
            idle: if skips_ramp { (0..share.clients as u32).collect() } else { VecDeque::new() },
            idle_since_ns: now_ns(),
            paused: BinaryHeap::with_capacity(share.clients),
            deadlines: Deadlines::default(),
            ramp: Ramp::new(if skips_ramp { 0 } else { ramped }, plan.threads),
            has_arrived: false,
            period: None,
            schedule: None,
            alarm,
            requests_left: share.requests.unwrap_or(u64::MAX),
            in_flight: 0,
            connected: 0,
            failed: 0,
            scratch: vec![0; SCRATCH],
            now_ns: now_ns(),
            show_at_ns: 0,
            start_meter: None,
            recent: histogram(),
            counts: ThreadCounts::default(),
        })
    }

    /// Does its part of the load. Returns its counts.
    ///
    /// # Errors
    ///
    /// Those of epoll_wait(2).
    pub fn run(mut self) -> io::Result<ThreadCounts> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            self.do_due_work();
            if self.is_done() {
                return Ok(self.into_counts());
            }
            self.wait(&mut events)?;
            for event in &events {
                match event.data.u64() {
                    ALARM => {}
                    client => self.on_event(client as u32),
                }
                // Reading many answers takes long; requests that become due meanwhile must not
                // wait.
                self.keep_schedule();
            }
        }
    }

    /// Waits for an event of a socket, or for the next action.
    fn wait(&mut self, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let at_once = zerohttpd_sys::ready::timespec(0);
        let (due_ns, until_ns) = (self.due_ns(), self.next_action_ns());
        let limit = match pause(self.now_ns, due_ns, until_ns, self.plan.may_spin) {
            Pause::Spin => Some(&at_once),
            Pause::Sleep(wake_ns) => {
                self.alarm.set(wake_ns, self.now_ns);
                None
            }
        };
        events.clear();
        match epoll::wait(&self.epoll, spare_capacity(events), limit) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let since_ns = std::mem::replace(&mut self.now_ns, now_ns());
        if limit.is_some() && events.is_empty() {
            self.counts.spun_ns += self.now_ns - since_ns;
        }
        Ok(())
    }

    /// A client by its number.
    pub(super) fn client(&mut self, client: u32) -> &mut LoadClient {
        &mut self.clients[client as usize]
    }

    /// The part of a turn that does not depend on events.
    fn do_due_work(&mut self) {
        if self.period.is_none() {
            self.await_start();
        }
        while let Some(&Reverse((at_ns, client))) = self.paused.peek()
            && at_ns <= self.now_ns
        {
            self.paused.pop();
            self.resume(client);
        }
        if self.has_started() || self.share.requests.is_none() {
            while let Some(client) = self.ramp.next_client(self.now_ns) {
                self.begin(client, self.now_ns);
            }
        }
        self.keep_schedule();
        self.expire_requests();
        if self.now_ns >= self.show_at_ns {
            self.show_at_ns = self.now_ns + SHOW_INTERVAL_NS;
            self.show();
        }
        if self.period.is_some_and(|(_, end_ns)| self.now_ns >= end_ns) {
            self.read_meter();
        }
    }

    /// Continues with a client whose pause is over: its think time, or the pause after a failure.
    fn resume(&mut self, client: u32) {
        let is_open = self.plan.rate_per_s.is_some();
        if self.client(client).awaits_answer {
            self.send_request(client);
        } else if !is_open && self.period.is_some_and(|(_, end_ns)| self.now_ns < end_ns) {
            self.begin(client, self.now_ns);
        } else {
            self.set_idle(client);
        }
    }

    /// Reports once this thread's clients have had their first answer. Begins the measured time
    /// when the main thread has set its start.
    fn await_start(&mut self) {
        let is_ramp_over = self.share.requests.is_some() || self.ramp.is_over(self.now_ns);
        if is_ramp_over && !std::mem::replace(&mut self.has_arrived, true) {
            self.barrier.arrive();
        }
        let Some(start_ns) = self.barrier.start_ns() else { return };
        let end_ns = match self.plan.length {
            Length::Time(time) => start_ns + time.as_nanos() as u64,
            Length::Requests(_) => u64::MAX,
        };
        self.period = Some((start_ns, end_ns));
        self.start_meter = Some(Meter::read());
        let think_ns = self.plan.think.as_nanos() as u64;
        match self.plan.rate_per_s {
            Some(rate) => {
                let schedule = Schedule::new(rate, self.plan.threads, self.share.thread, start_ns);
                self.schedule = Some(schedule);
            }
            // With think time, the clients' starts are spread over the think time.
            None => {
                let count = self.idle.len() as u64;
                for (number, client) in (0..).zip(self.idle.drain(..)) {
                    let batch_ns = number / BATCH * BATCH_NS;
                    let at_ns =
                        start_ns.max(self.now_ns) + batch_ns.max(think_ns * number / count.max(1));
                    self.paused.push(Reverse((at_ns, client)));
                }
            }
        }
    }

    /// Ends the requests that have timed out.
    fn expire_requests(&mut self) {
        while let Some(client) = self.deadlines.pop(self.now_ns) {
            let (now_ns, deadline_ns) = (self.now_ns, self.deadline_ns(client));
            let state = self.client(client);
            let awaits_answer = state.awaits_answer;
            state.has_deadline = awaits_answer && now_ns < deadline_ns;
            if state.has_deadline {
                self.deadlines.push(deadline_ns, client);
            } else if awaits_answer {
                self.fail(client, Failure::Timeout);
            }
        }
    }

    /// The deadline of a client's request.
    pub(super) fn deadline_ns(&self, client: u32) -> u64 {
        self.clients[client as usize].started_ns + self.plan.timeout.as_nanos() as u64
    }

    /// Whether requests that begin now count.
    pub(super) fn has_started(&self) -> bool {
        self.period.is_some_and(|(start_ns, _)| self.now_ns >= start_ns)
    }

    /// Updates the progress that the main thread displays.
    fn show(&mut self) {
        // This can't fail: all histograms have the same bounds.
        let _ = self.counts.latency.add(&self.recent);
        let mut thread_progress =
            self.thread_progress.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = thread_progress.latency.add(&self.recent);
        thread_progress.failed = self.failed;
        thread_progress.connected = self.connected;
        thread_progress.ever_connected |= self.counts.peak_connected > 0;
        self.recent.reset();
    }

    /// The next time at which there is something to do, without an event or a due request.
    fn next_action_ns(&self) -> u64 {
        let mut until_ns = self.show_at_ns;
        if let Some(Reverse((at_ns, _))) = self.paused.peek() {
            until_ns = until_ns.min(*at_ns);
        }
        if let Some(at_ns) = self.deadlines.next_ns() {
            until_ns = until_ns.min(at_ns);
        }
        if !self.has_arrived || self.period.is_some() {
            until_ns = until_ns.min(self.ramp_ns());
        }
        if self.has_arrived && self.period.is_none() {
            until_ns = until_ns.min(self.now_ns + START_POLL_NS);
        }
        if let Some((start_ns, end_ns)) = self.period {
            let ahead = [start_ns, end_ns].into_iter().filter(|at_ns| *at_ns > self.now_ns);
            until_ns = ahead.fold(until_ns, u64::min);
        }
        until_ns
    }

    fn ramp_ns(&self) -> u64 {
        if self.ramp.is_over(self.now_ns) { u64::MAX } else { self.ramp.next_ns() }
    }

    fn is_done(&self) -> bool {
        let is_at_end = match self.period {
            None => false,
            Some((_, end_ns)) => self.requests_left == 0 || self.now_ns >= end_ns,
        };
        self.barrier.is_stopped() || is_at_end && self.in_flight == 0
    }

    fn read_meter(&mut self) {
        if let Some(start_meter) = self.start_meter.take() {
            let meter = Meter::read();
            let (watched_ns, busy_ns, waited_ns) = meter.since(&start_meter);
            self.counts.watched_ns = watched_ns;
            self.counts.busy_ns = busy_ns;
            self.counts.waited_ns = waited_ns;
        }
    }

    fn into_counts(mut self) -> ThreadCounts {
        self.read_meter();
        self.show();
        // Requests are left only if a signal stopped the load.
        if let Some(schedule) = self.schedule.as_ref().filter(|_| self.requests_left > 0) {
            self.counts.unsent = schedule.untaken_before(self.now_ns).min(self.requests_left);
        }
        self.counts.unfinished = self.in_flight as u64;
        self.counts
    }
}
