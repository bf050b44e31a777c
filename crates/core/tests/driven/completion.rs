//! A driver that reports completions, like one on io_uring. One operation at a time is under way.
//! Meanwhile time passes and bytes arrive. Operations that the connection gave up are still
//! reported, but late, and some operations are reported twice.

use std::collections::VecDeque;
use std::sync::Arc;

use zerohttpd_core::store::{Remarks, Reply, StoreDown};
use zerohttpd_core::{
    CloseReason, Completion, CutShort, Now, Operation, Sent, Ticket, Transmit, Want,
};

use crate::client::{Client, Record, wire};
use crate::script::{Case, read_answer};
use crate::scripts::{for_each_case, run};
use crate::world::{self, Dice, Handle, START, Store};

/// How the simulated world behaves.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Everything happens in time, in any order. The store's answers come twice.
    Calm,
    /// Each event can be late or not happen. The client or the driver can end the connection.
    Wild,
}

/// A task for the simulated world.
enum Task {
    Perform(Ticket, Operation),
    Send(Transmit<Handle>),
}

/// The visitor number in replies that come too late. No page must show it.
const STALE_NUMBER: u64 = 666_666_666;
const STALE: &str = "666,666,666";

struct CompletionDriver<'c> {
    client: &'c mut Client,
    dice: Dice,
    manner: Manner,
    /// The time at which the task under way will be done, and the task.
    task: Option<(u64, Task)>,
    /// Transmits that the connection gave up.
    abandoned_sends: Vec<Transmit<Handle>>,
    /// Tickets for which a late report is to come, and when.
    stale_tickets: Vec<(u64, Ticket)>,
    /// Bytes that the client will send, and when. An empty slice ends its input.
    arrivals: VecDeque<(u64, &'c [u8])>,
    /// Bytes that have arrived and that the connection has not taken yet.
    untaken: VecDeque<&'c [u8]>,
    /// How many operations the connection gave up.
    timed_out: usize,
}

impl<'c> CompletionDriver<'c> {
    fn new(
        client: &'c mut Client,
        case: &'c Case,
        seed: u64,
        manner: Manner,
    ) -> CompletionDriver<'c> {
        client.reconnect();
        client.store = Store::default();
        client.now = START;
        let mut driver = CompletionDriver {
            client,
            dice: Dice(seed),
            manner,
            task: None,
            abandoned_sends: Vec::new(),
            stale_tickets: Vec::new(),
            arrivals: VecDeque::new(),
            untaken: VecDeque::new(),
            timed_out: 0,
        };
        let mut at = START.ms;
        for round in &case.rounds {
            let mut rest = &round.send[..];
            while !rest.is_empty() {
                at += driver.delay(5, 11_000);
                let (piece, after) = rest.split_at(driver.cut(rest));
                driver.arrivals.push_back((at, piece));
                rest = after;
            }
            if round.then_shut || (manner == Manner::Wild && driver.dice.once_in(8)) {
                driver.arrivals.push_back((at, &[]));
                break;
            }
        }
        driver
    }

    /// The length of the next piece that the client sends. A calm client sends whole lines.
    fn cut(&mut self, rest: &[u8]) -> usize {
        let max_len = 1 + self.dice.below(400) as usize;
        let end = rest.len().min(if rest.len() > 5000 { 50 * max_len } else { max_len });
        let line_end = rest[end - 1..].iter().position(|&byte| byte == b'\n');
        match self.manner {
            Manner::Wild => end,
            Manner::Calm => line_end.map_or(rest.len(), |more| end + more),
        }
    }

    /// A delay. Most delays are short; in a wild world, some are about as long as a deadline.
    fn delay(&mut self, short_ms: u64, long_ms: u64) -> u64 {
        let long = self.manner == Manner::Wild && self.dice.once_in(12);
        self.dice.below(if long { 2 * long_ms } else { short_ms })
    }

    /// Runs until the connection is closed, or until it waits for something that will not happen.
    fn run(&mut self) -> Option<CloseReason> {
        for _ in 0..100_000 {
            let deadline = self.client.conn.deadline();
            let due = deadline.is_some_and(|deadline| deadline.at_ms <= self.client.now.ms);
            let want = self.client.poll();
            let waits = matches!(want, Want::Wait);
            assert!(!waits || self.task.is_some(), "it waits although no task is under way");
            let closes = matches!(want, Want::Close(..));
            if !waits && let Some((_, task)) = self.task.take() {
                assert!(due || closes, "{want:?} although a task is under way and not late");
                self.abandon(task);
            }
            match want {
                Want::Wait => {}
                Want::Read if !self.untaken.is_empty() => {
                    self.offer();
                    continue;
                }
                Want::Read if self.manner == Manner::Calm && self.has_no_more_events() => {
                    return None;
                }
                Want::Read => {}
                Want::Peek => {
                    self.client
                        .conn
                        .peeked(self.arrivals.front().is_some_and(|(_, b)| !b.is_empty()));
                    continue;
                }
                Want::Shutdown => continue,
                Want::Close(why, cut_short) => {
                    let record = |cut_short: Box<CutShort>| Record::of(&cut_short.record());
                    self.client.cut_short = cut_short.map(record);
                    return Some(why);
                }
                Want::Perform(ticket, operation) => {
                    let is_for_store = matches!(operation, Operation::Ask(_));
                    let long_ms = if is_for_store { 6_000 } else { 11_000 };
                    self.start(Task::Perform(ticket, operation), long_ms);
                }
                Want::Send(transmit) => self.start(Task::Send(transmit), 16_000),
            }
            self.wait();
        }
        panic!("it never ends");
    }

    fn has_no_more_events(&self) -> bool {
        self.arrivals.is_empty() && self.stale_tickets.is_empty()
    }

    fn start(&mut self, task: Task, long_ms: u64) {
        let never = self.manner == Manner::Wild && self.dice.once_in(10);
        let at_ms = self.client.now.ms + self.delay(20, long_ms);
        self.task = Some((if never { u64::MAX } else { at_ms }, task));
    }

    /// The connection has given up a task, which will be reported late.
    fn abandon(&mut self, task: Task) {
        match task {
            Task::Perform(ticket, _) => {
                self.timed_out += 1;
                self.stale_tickets.push((self.client.now.ms + self.dice.below(3_000), ticket));
            }
            Task::Send(transmit) => self.abandoned_sends.push(transmit),
        }
    }

    /// Lets time pass until the next event, and reports the event.
    fn wait(&mut self) {
        let deadline = self.client.conn.deadline().map(|deadline| deadline.at_ms);
        let task_done = self.task.as_ref().map(|(at, _)| *at).filter(|at| *at != u64::MAX);
        let arrivals = self.arrivals.front().map(|(at, _)| *at);
        let stale = self.stale_tickets.iter().map(|(at, _)| *at).min();
        let next = [deadline, task_done, arrivals, stale].into_iter().flatten().min();
        let now_ms = next.expect("an event that wakes the connection").max(self.client.now.ms);
        self.client.now = Now { ms: now_ms, us: 0, unix_s: START.unix_s };
        if self.manner == Manner::Wild && self.dice.once_in(300) {
            return self.client.conn.reset();
        }
        if self.manner == Manner::Wild && self.dice.once_in(100) {
            self.client.conn.close_when_idle();
        }
        let is_now = |at: Option<u64>| at.is_some_and(|at| at <= now_ms);
        if is_now(stale) {
            self.report_stale(now_ms);
        } else if is_now(arrivals)
            && let Some((_, bytes)) = self.arrivals.pop_front()
        {
            self.untaken.push_back(bytes);
            if self.untaken.len() == 1 {
                self.offer();
            }
        } else if is_now(task_done)
            && let Some((_, task)) = self.task.take()
        {
            self.perform(task);
        }
    }

    /// Passes the connection the bytes that have arrived, and keeps those that it does not take.
    fn offer(&mut self) {
        let Some(bytes) = self.untaken.pop_front() else { return };
        let left = &bytes[self.client.conn.received(bytes)..];
        if !left.is_empty() {
            self.untaken.push_front(left);
        }
    }

    fn report_stale(&mut self, now_ms: u64) {
        let Some(at) = self.stale_tickets.iter().position(|(at, _)| *at <= now_ms) else { return };
        let (_, ticket) = self.stale_tickets.swap_remove(at);
        let file = Handle::new(STALE.as_bytes().to_vec(), "text/plain");
        self.client.conn.completed(ticket, Completion::Opened(Ok(file)));
        let remarks = Arc::new(Remarks::new(1, &[STALE.as_bytes()]));
        let reply = match self.dice.below(3) {
            0 => Err(StoreDown::Broken),
            1 => Ok(Reply::Signed),
            _ => Ok(Reply::Visited { number: STALE_NUMBER, remarks }),
        };
        self.client.conn.completed(ticket, Completion::Answered(reply));
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Perform(ticket, operation) => {
                let is_for_store = matches!(operation, Operation::Ask(_));
                let client = &mut *self.client;
                let completion = world::perform(&client.site, &mut client.store, operation);
                client.conn.completed(ticket, completion);
                if is_for_store && self.dice.once_in(2) {
                    self.stale_tickets.push((self.client.now.ms + self.dice.below(30), ticket));
                }
            }
            Task::Send(transmit) if self.manner == Manner::Wild && self.dice.once_in(40) => {
                assert!(self.client.conn.sent(transmit, Sent::Failed(9)).is_none());
            }
            Task::Send(transmit) => self.client.deliver(transmit),
        }
    }

    /// Makes all late reports to a closed connection, which must ignore them.
    fn report_the_rest(&mut self, end: CloseReason) {
        if let Some((_, task)) = self.task.take() {
            self.abandon(task);
        }
        for transmit in std::mem::take(&mut self.abandoned_sends) {
            assert!(!wire(&transmit).is_empty(), "the transmit still has its bytes");
            assert!(self.client.conn.sent(transmit, Sent::Whole).is_none(), "logged after the end");
        }
        while !self.stale_tickets.is_empty() {
            self.report_stale(u64::MAX);
        }
        self.client.conn.received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        self.client.conn.received(&[]);
        let want = self.client.poll();
        assert!(
            matches!(want, Want::Close(why, None) if why == end),
            "closed: {end}, then {want:?}"
        );
    }
}

/// Checks that the bytes sent are one whole answer for each record of the log and, if the end of
/// the connection cut another answer short, a part of that one. Interim answers can be in between.
fn check_wire(out: &[u8], log: &[Record], cut_short: Option<&Record>) -> Result<(), String> {
    let mut rest = out;
    let mut records = log.iter();
    while !rest.is_empty() {
        let to_head =
            records.as_slice().first().is_some_and(|record| record.line.starts_with("HEAD"));
        let Some(read) = read_answer(rest, to_head)? else {
            let is_last = records.as_slice().is_empty() && cut_short.is_some();
            return if is_last { Ok(()) } else { Err("an answer was cut short".to_string()) };
        };
        rest = &rest[read.1..];
        if read.0.status < 200 {
            continue;
        }
        let logged = records.next().map(|record| record.status);
        if logged != Some(read.0.status) {
            return Err(format!("sent {}, logged {logged:?}", read.0.status));
        }
        if read.0.field("Connection")? == Some(b"close") && !rest.is_empty() {
            return Err("something was sent after an answer that said close".to_string());
        }
    }
    let unsent = records.len();
    if unsent == 0 { Ok(()) } else { Err(format!("{unsent} answers logged and not sent")) }
}

#[test]
fn in_a_wild_world_every_connection_ends_and_late_reports_are_ignored() {
    let mut client = Client::new();
    for_each_case(|case| {
        for seed in 0..8 {
            let mut driver = CompletionDriver::new(&mut client, case, seed, Manner::Wild);
            let end = driver.run().expect("the end");
            driver.report_the_rest(end);
            let timed_out = driver.timed_out;
            let unavailable = client.log.iter().filter(|record| record.status == 503).count();
            let is_stale_shown = String::from_utf8_lossy(&client.out).contains(STALE);
            check_wire(&client.out, &client.log, client.cut_short.as_ref())
                .map_err(|why| format!("seed {seed}: {why}"))?;
            if is_stale_shown || unavailable > timed_out || end == CloseReason::Bug {
                return Err(format!(
                    "seed {seed}: a late answer was shown: {is_stale_shown}; {unavailable} answers \
                     with 503 after {timed_out} time-outs; {end}"
                ));
            }
        }
        Ok(())
    });
}

#[test]
fn in_a_calm_world_the_answers_are_those_of_a_blocking_driver() {
    let mut client = Client::new();
    for_each_case(|case| {
        // If a client waits for 100, or stops before its answer, the answers depend on the time.
        let is_interim = |answer: &crate::script::Expected| answer.statuses == [100];
        let depends_on_time =
            |round: &crate::script::Round| round.then_shut || round.answers.iter().any(is_interim);
        if case.rounds.iter().any(depends_on_time) {
            return Ok(());
        }
        client.reconnect();
        client.store = Store::default();
        let expected = run(&mut client, case, |bytes| vec![bytes]).concat();
        for seed in 0..3 {
            CompletionDriver::new(&mut client, case, seed, Manner::Calm).run();
            if client.out != expected {
                let text = client.out.escape_ascii();
                return Err(format!("seed {seed}: \"{text}\""));
            }
        }
        Ok(())
    });
}
