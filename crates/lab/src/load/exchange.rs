//! A request and its answer: what a thread of the load generator does with a client's socket.

use std::cmp::Reverse;

use rustix::event::epoll::{self, EventData};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags};

use super::counts::share_within;
use super::meter::now_ns;
use super::response::{Answer, Ending};
use super::worker::{LoadWorker, SCRATCH};
use crate::failure::Failure;

/// At most this many buffers are read for a client in one turn, so that other clients do not wait.
const READS_PER_TURN: usize = 16;

/// The pause before another attempt at a connection that failed.
const PAUSE_NS: u64 = 100_000_000;

impl LoadWorker<'_> {
    /// Handles an event of a client's socket. Reads before it sends: a server that has refused a
    /// request reads no more of it.
    pub(super) fn on_event(&mut self, client: u32) {
        if self.client(client).is_connected {
            self.receive(client);
        }
        if self.client(client).awaits_room {
            self.send_request(client);
        }
    }

    /// Begins a request, whose latency counts from `latency_from_ns`.
    pub(super) fn begin(&mut self, client: u32, latency_from_ns: u64) {
        if self.requests_left == 0 {
            return;
        }
        self.requests_left -= 1;
        self.in_flight += 1;
        let (now_ns, is_measured) = (self.now_ns, self.has_started());
        self.client(client).start_request(latency_from_ns, now_ns, is_measured);
        if !std::mem::replace(&mut self.client(client).has_deadline, true) {
            self.deadlines.push(self.deadline_ns(client), client);
        }
        self.send_request(client);
    }

    /// Sends as much of a client's request as the kernel takes. Connects the client if it has no
    /// socket.
    pub(super) fn send_request(&mut self, client: u32) {
        let state = &mut self.clients[client as usize];
        let is_new = state.socket.is_none();
        if is_new {
            match self.route.connect(self.share.first + client) {
                Ok(socket) => state.socket = Some(socket),
                Err(errno) => return self.fail(client, Failure::of(errno, false)),
            }
            state.answers = 0;
        }
        // connect(2) reports a connection in progress, but on the same machine the connection is
        // made by now.
        let sent = state.send_request(&self.plan.target.request);
        if !state.is_connected && state.sent > 0 {
            state.is_connected = true;
            self.connected += 1;
            self.counts.connections += 1;
            self.counts.peak_connected = self.counts.peak_connected.max(self.connected);
        }
        match sent {
            Ok(()) => {}
            // The server can have sent an error response and closed the connection. The response
            // can still be read.
            Err(errno) if state.is_connected => state.send_error = Some(errno),
            Err(errno) => return self.fail(client, Failure::of(errno, false)),
        }
        let is_sent = state.sent == self.plan.target.request.len();
        let awaits_room = !is_sent && state.send_error.is_none();
        let has_changed = awaits_room != state.awaits_room;
        state.awaits_room = awaits_room;
        if let Some(socket) = state.socket.as_ref().filter(|_| is_new || has_changed) {
            let data = EventData::new_u64(u64::from(client));
            let watched = match is_new {
                true => epoll::add(&self.epoll, socket, data, state.interest()),
                false => epoll::modify(&self.epoll, socket, data, state.interest()),
            };
            if watched.is_err() {
                // The kernel can't watch another descriptor (epoll_ctl(2), ENOSPC and ENOMEM).
                self.fail(client, Failure::NoDescriptor);
            }
        }
    }

    /// Reads what a client's socket has received.
    fn receive(&mut self, client: u32) {
        for _ in 0..READS_PER_TURN {
            let state = &mut self.clients[client as usize];
            let Some(socket) = &state.socket else { return };
            let count = match net::recv(socket, &mut self.scratch[..], RecvFlags::empty()) {
                Ok((0, _)) => return self.on_end_of_stream(client),
                Ok((count, _)) => count,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => match state.send_error {
                    None => return,
                    Some(errno) => return self.fail(client, Failure::of(errno, true)),
                },
                Err(_) if !state.awaits_answer => return self.close(client),
                Err(errno) => return self.fail(client, Failure::of(errno, true)),
            };
            if !state.awaits_answer {
                // A server can send 408 before it closes an idle connection.
                return self.close(client);
            }
            state.received += count as u64;
            match state.reader.receive(&self.scratch[..count]) {
                Ok(Some(answer)) => return self.finish(client, answer),
                // epoll will report when more has come.
                Ok(None) if count < SCRATCH && state.send_error.is_none() => return,
                Ok(None) => {}
                Err(malformed) => {
                    self.counts.malformed.get_or_insert(malformed.0);
                    return self.fail(client, Failure::Protocol);
                }
            }
        }
    }

    /// Handles a connection that the server has closed.
    fn on_end_of_stream(&mut self, client: u32) {
        let state = self.client(client);
        if !state.awaits_answer {
            return self.close(client);
        }
        match state.reader.end() {
            Ending::Whole(answer) => self.finish(client, Answer { keep_alive: false, ..answer }),
            Ending::Silent => match state.send_error {
                None => self.fail(client, Failure::HungUp),
                Some(errno) => self.fail(client, Failure::of(errno, true)),
            },
            Ending::Short => self.fail(client, Failure::Short),
        }
    }

    /// Closes a client's socket, if it has one.
    fn close(&mut self, client: u32) {
        let state = &mut self.clients[client as usize];
        state.socket = None;
        state.send_error = None;
        state.awaits_room = false;
        if std::mem::take(&mut state.is_connected) {
            self.connected -= 1;
        }
    }

    /// Handles a complete answer.
    fn finish(&mut self, client: u32, answer: Answer) {
        self.now_ns = now_ns();
        if self.now_ns > self.deadline_ns(client) {
            return self.fail(client, Failure::Timeout);
        }
        let state = &mut self.clients[client as usize];
        state.answers += 1;
        if !std::mem::replace(&mut state.was_answered, true) {
            self.counts.answered += 1;
        }
        let is_good = (200..400).contains(&answer.status);
        let latency_ns = self.now_ns.saturating_sub(state.latency_from_ns);
        let share = match self.period {
            // The first requests of clients, before the measured time, belong to no schedule.
            Some(_) if !state.is_measured && self.plan.rate_per_s.is_some() => 0.0,
            Some(period) => share_within(period, state.started_ns, self.now_ns),
            None => 0.0,
        };
        self.counts.bytes_in_period += share * state.received as f64;
        self.counts.good_in_period += if is_good { share } else { 0.0 };
        let is_early = state.sent < self.plan.target.request.len();
        if state.is_measured {
            self.counts.bytes += state.received;
            self.counts.count_status(answer.status);
            self.counts.early += u64::from(is_early);
        } else {
            self.counts.count_status_before(answer.status);
        }
        match (is_good, state.is_measured) {
            (true, true) => {
                self.recent.saturating_record(latency_ns / 1000);
                self.counts.note_good(self.now_ns);
            }
            (true, false) => {}
            (false, true) => self.counts.fail(Failure::Status, latency_ns),
            (false, false) => self.counts.failures_before.count(Failure::Status),
        }
        self.failed += u64::from(!is_good);
        if !answer.keep_alive || !self.plan.keep_alive || is_early {
            self.close(client);
        }
        self.end_request(client);
        self.continue_after_answer(client);
    }

    /// Handles a failed request: sends it again if that is allowed, else counts the failure.
    pub(super) fn fail(&mut self, client: u32, failure: Failure) {
        self.now_ns = now_ns();
        // After its deadline a request counts as timed out, even if it also failed otherwise.
        let is_late = self.now_ns >= self.deadline_ns(client);
        let failure = match self.client(client).is_connected {
            _ if !is_late => failure,
            true => Failure::Timeout,
            false => Failure::ConnectTimeout,
        };
        self.close(client);
        let state = &mut self.clients[client as usize];
        let can_retry = failure.can_be_an_idle_close()
            && state.answers > 0
            && state.reader.is_untouched()
            && self.plan.target.is_idempotent
            && !state.is_retry;
        if can_retry {
            state.restart_request();
            self.counts.asked_again += 1;
            self.paused.push(Reverse((self.now_ns, client)));
            return;
        }
        match state.is_measured {
            true => self.counts.fail(failure, self.now_ns.saturating_sub(state.latency_from_ns)),
            false => self.counts.failures_before.count(failure),
        }
        self.failed += 1;
        self.end_request(client);
        let pause_ns = if failure.retry_needs_pause() { PAUSE_NS } else { 0 };
        self.paused.push(Reverse((self.now_ns + pause_ns, client)));
    }

    /// Updates the state after the end of a request, answered or failed.
    fn end_request(&mut self, client: u32) {
        let state = &mut self.clients[client as usize];
        state.awaits_answer = false;
        self.in_flight -= 1;
        if state.is_measured {
            self.counts.last_end_ns = self.now_ns;
        }
        if !std::mem::replace(&mut state.first_has_ended, true) {
            self.ramp.answered(self.now_ns);
        }
    }

    /// Begins a client's next request, pauses the client for its think time, or sets it idle.
    fn continue_after_answer(&mut self, client: u32) {
        let think_ns = self.plan.think.as_nanos() as u64;
        match (self.period, self.plan.rate_per_s) {
            (Some((_, end_ns)), None) if self.now_ns < end_ns => match think_ns {
                0 => self.begin(client, self.now_ns),
                _ => self.paused.push(Reverse((self.now_ns + think_ns, client))),
            },
            _ => self.set_idle(client),
        }
    }
}
