//! A request and its answer: what a thread of the load does with a client's socket.

use std::cmp::Reverse;

use rustix::event::epoll::{self, EventData};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags};

use super::failure::Failure;
use super::meter::now_ns;
use super::response::{Answer, Ending};
use super::worker::{SCRATCH, Worker};

/// A client with more than so many buffers of an answer waits for its next turn.
const READS: usize = 16;

/// A connection that could not be made is tried again after this.
const PAUSE_NS: u64 = 100_000_000;

impl Worker<'_> {
    /// Something can be done with a client's socket.
    pub(super) fn advance(&mut self, client: u32) {
        if self.client(client).awaits_room {
            self.push(client);
        }
        if self.client(client).is_connected {
            self.receive(client);
        }
    }

    /// Begins a request, of which latency counts from `since_ns`.
    pub(super) fn begin(&mut self, client: u32, since_ns: u64) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        self.asking += 1;
        let (now_ns, is_measured) = (self.now_ns, self.period.is_some());
        self.client(client).ask(since_ns, now_ns, is_measured);
        self.push(client);
    }

    /// Sends what can be sent of a request; connects, if need be.
    pub(super) fn push(&mut self, client: u32) {
        let this = &mut self.clients[client as usize];
        let is_new = this.socket.is_none();
        if is_new {
            match self.route.connect(self.share.first + client) {
                Ok(socket) => this.socket = Some(socket),
                Err(errno) => return self.fail(client, Failure::of(errno, false)),
            }
            this.answers = 0;
        }
        // On this machine a connection is there at once, though connect(2) does not say so.
        let pushed = this.push(&self.plan.target.request);
        if !this.is_connected && this.sent > 0 {
            this.is_connected = true;
            self.connected += 1;
            self.tally.connections += 1;
            self.tally.peak_connected = self.tally.peak_connected.max(self.connected);
        }
        if let Err(errno) = pushed {
            let failure = Failure::of(errno, this.is_connected);
            return self.fail(client, failure);
        }
        let awaits_room = this.sent < self.plan.target.request.len();
        let has_changed = awaits_room != this.awaits_room;
        this.awaits_room = awaits_room;
        if let Some(socket) = this.socket.as_ref().filter(|_| is_new || has_changed) {
            let data = EventData::new_u64(u64::from(client));
            let told = match is_new {
                true => epoll::add(&self.epoll, socket, data, this.interest()),
                false => epoll::modify(&self.epoll, socket, data, this.interest()),
            };
            if told.is_err() {
                // The kernel watches no more (epoll_ctl(2), ENOSPC and ENOMEM).
                self.fail(client, Failure::NoDescriptor);
            }
        }
    }

    /// Reads what has come for a client.
    fn receive(&mut self, client: u32) {
        for _ in 0..READS {
            let this = &mut self.clients[client as usize];
            let Some(socket) = &this.socket else { return };
            let count = match net::recv(socket, &mut self.scratch[..], RecvFlags::empty()) {
                Ok((0, _)) => return self.end(client),
                Ok((count, _)) => count,
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(_) if !this.is_asking => return self.close(client),
                Err(errno) => return self.fail(client, Failure::of(errno, true)),
            };
            if !this.is_asking {
                // A server may say that it has waited long enough before it closes (408).
                return self.close(client);
            }
            let in_time = self.period.is_some_and(|(_, end_ns)| self.now_ns <= end_ns);
            self.tally.bytes += if in_time { count as u64 } else { 0 };
            match this.reader.receive(&self.scratch[..count]) {
                Ok(Some(answer)) => return self.finish(client, answer),
                // What comes later is told later.
                Ok(None) if count < SCRATCH => return,
                Ok(None) => {}
                Err(malformed) => {
                    self.tally.malformed.get_or_insert(malformed.0);
                    return self.fail(client, Failure::Protocol);
                }
            }
        }
    }

    /// The server has closed a connection.
    fn end(&mut self, client: u32) {
        let this = self.client(client);
        if !this.is_asking {
            return self.close(client);
        }
        match this.reader.end() {
            Ending::Whole(answer) => self.finish(client, Answer { keeps: false, ..answer }),
            Ending::Silent => self.fail(client, Failure::HungUp),
            Ending::Short => self.fail(client, Failure::Short),
        }
    }

    fn close(&mut self, client: u32) {
        let this = &mut self.clients[client as usize];
        this.socket = None;
        this.awaits_room = false;
        if std::mem::take(&mut this.is_connected) {
            self.connected -= 1;
        }
    }

    /// A whole answer has come.
    fn finish(&mut self, client: u32, answer: Answer) {
        self.now_ns = now_ns();
        let this = &mut self.clients[client as usize];
        this.answers += 1;
        if !std::mem::replace(&mut this.was_answered, true) {
            self.tally.answered += 1;
        }
        let is_good = (200..400).contains(&answer.status);
        let latency_ns = self.now_ns.saturating_sub(this.since_ns);
        if this.is_measured {
            self.tally.count_status(answer.status);
        }
        match (is_good, this.is_measured) {
            (true, true) => {
                self.recent.saturating_record(latency_ns / 1000);
                let in_time = self.period.is_some_and(|(_, end_ns)| self.now_ns <= end_ns);
                self.tally.in_time += u64::from(in_time);
            }
            (true, false) => {}
            (false, true) => self.tally.fail(Failure::Status, latency_ns),
            (false, false) => self.tally.failures_before.count(Failure::Status),
        }
        self.failed += u64::from(!is_good);
        let is_answered_early = this.sent < self.plan.target.request.len();
        if !answer.keeps || !self.plan.keep_alive || is_answered_early {
            self.close(client);
        }
        self.over(client);
        self.rest(client);
    }

    /// No answer will come.
    pub(super) fn fail(&mut self, client: u32, failure: Failure) {
        self.close(client);
        self.now_ns = now_ns();
        let this = &mut self.clients[client as usize];
        let may_ask_again = failure.may_be_a_crossing()
            && this.answers > 0
            && this.reader.is_untouched()
            && self.plan.target.is_idempotent
            && !this.is_second_try;
        if may_ask_again {
            this.ask_again();
            self.tally.asked_again += 1;
            self.later.push(Reverse((self.now_ns, client)));
            return;
        }
        match this.is_measured {
            true => self.tally.fail(failure, self.now_ns.saturating_sub(this.since_ns)),
            false => self.tally.failures_before.count(failure),
        }
        self.failed += 1;
        self.over(client);
        let pause_ns = if failure.needs_a_pause() { PAUSE_NS } else { 0 };
        self.later.push(Reverse((self.now_ns + pause_ns, client)));
    }

    /// A request has ended, one way or the other.
    fn over(&mut self, client: u32) {
        let this = &mut self.clients[client as usize];
        this.is_asking = false;
        self.asking -= 1;
        if this.is_measured {
            self.tally.last_end_ns = self.now_ns;
        }
        if !std::mem::replace(&mut this.is_in, true) {
            self.ramp.answered(self.now_ns);
        }
    }

    /// What a client does that has its answer.
    fn rest(&mut self, client: u32) {
        let think_ns = self.plan.think.as_nanos() as u64;
        match (self.period, self.plan.rate_per_s) {
            (Some((_, end_ns)), None) if self.now_ns < end_ns => match think_ns {
                0 => self.begin(client, self.now_ns),
                _ => self.later.push(Reverse((self.now_ns + think_ns, client))),
            },
            _ => self.idle.push_back(client),
        }
    }
}
