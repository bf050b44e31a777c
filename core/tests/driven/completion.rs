//! Driven as a ring or a task drives it: one operation at a time is under way, time passes, bytes
//! come while an answer is owed, and what was given up is reported all the same, late or twice.

use std::collections::VecDeque;
use std::sync::Arc;

use zero_core::app::Remarks;
use zero_core::store::{Query, Reply, StoreDown};
use zero_core::{Closing, Moment, Sent, SitePath, Ticket, Transmit, Want};

use crate::client::{Client, Record, wire};
use crate::script::{Case, read_answer};
use crate::scripts::{for_each_case, run};
use crate::world::{Dice, Handle, START, Store};

/// How unkind the world is.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Everything comes, in any order, well in time; answers of the store come twice.
    Calm,
    /// Anything may be late or never come; the client or the driver may end it.
    Wild,
}

/// What was asked of the world.
enum Task {
    Open(SitePath),
    List(SitePath, u32),
    Ask(Ticket, Query),
    Send(Transmit<Handle>),
}

/// A reply that nobody waits for any more. Whoever believes it shows it.
const STALE_NUMBER: u64 = 666_666_666;
const STALE: &str = "666,666,666";

struct Ring<'c> {
    client: &'c mut Client,
    dice: Dice,
    manner: Manner,
    /// What is under way, and when it will be done.
    owed: Option<(u64, Task)>,
    /// Transmits that outlived what wanted them, and tickets that will be answered again.
    adrift: Vec<Transmit<Handle>>,
    stale: Vec<(u64, Ticket)>,
    feed: VecDeque<(u64, &'c [u8])>,
    timed_out: usize,
}

impl<'c> Ring<'c> {
    fn new(client: &'c mut Client, case: &'c Case, seed: u64, manner: Manner) -> Ring<'c> {
        client.reconnect();
        client.store = Store::default();
        client.now = START;
        let mut ring = Ring {
            client,
            dice: Dice(seed),
            manner,
            owed: None,
            adrift: Vec::new(),
            stale: Vec::new(),
            feed: VecDeque::new(),
            timed_out: 0,
        };
        let mut at = START.ms;
        for round in &case.rounds {
            let mut rest = &round.send[..];
            while !rest.is_empty() {
                at += ring.delay(5, 11_000);
                let (piece, after) = rest.split_at(ring.cut(rest));
                ring.feed.push_back((at, piece));
                rest = after;
            }
            if round.then_shut || (manner == Manner::Wild && ring.dice.once_in(8)) {
                ring.feed.push_back((at, &[]));
                break;
            }
        }
        ring
    }

    /// The length of the next piece; the calm cut at line ends.
    fn cut(&mut self, rest: &[u8]) -> usize {
        let most = 1 + self.dice.below(400) as usize;
        let end = rest.len().min(if rest.len() > 5000 { 50 * most } else { most });
        let line_end = rest[end - 1..].iter().position(|&byte| byte == b'\n');
        match self.manner {
            Manner::Wild => end,
            Manner::Calm => line_end.map_or(rest.len(), |more| end + more),
        }
    }

    /// Mostly short; in a wild world now and then about as long as a deadline.
    fn delay(&mut self, short_ms: u64, long_ms: u64) -> u64 {
        let long = self.manner == Manner::Wild && self.dice.once_in(12);
        self.dice.below(if long { 2 * long_ms } else { short_ms })
    }

    /// Goes on until the connection is closed, or waits with nothing left to come.
    fn run(&mut self) -> Option<Closing> {
        for _ in 0..100_000 {
            let deadline = self.client.conn.deadline();
            let due = deadline.is_some_and(|deadline| deadline.at_ms <= self.client.now.ms);
            let want = self.client.poll();
            let pays = matches!(want, Want::Wait);
            assert_eq!(pays, pays && self.owed.is_some(), "it waits for nothing");
            let closes = matches!(want, Want::Close(_));
            if !pays && let Some((_, task)) = self.owed.take() {
                assert!(due || closes, "{want:?} although something is owed and in time");
                self.give_up(task);
            }
            match want {
                Want::Wait => {}
                Want::Read if self.manner == Manner::Calm && self.is_over() => return None,
                Want::Read => {}
                Want::Shutdown => continue,
                Want::Close(why) => return Some(why),
                Want::Open(path, _) => self.start(Task::Open(path), 50),
                Want::List(path, page) => self.start(Task::List(path, page), 50),
                Want::Ask(ticket, query) => self.start(Task::Ask(ticket, query), 6_000),
                Want::Send(transmit) => self.start(Task::Send(transmit), 16_000),
            }
            self.wait();
        }
        panic!("it never ends");
    }

    fn is_over(&self) -> bool {
        self.feed.is_empty() && self.stale.is_empty()
    }

    fn start(&mut self, task: Task, long_ms: u64) {
        let of_a_file = matches!(task, Task::Open(_) | Task::List(..));
        let never = self.manner == Manner::Wild && !of_a_file && self.dice.once_in(10);
        let at_ms = self.client.now.ms + self.delay(20, long_ms);
        self.owed = Some((if never { u64::MAX } else { at_ms }, task));
    }

    /// The connection wants something else now; what it wanted goes on without it.
    fn give_up(&mut self, task: Task) {
        match task {
            Task::Open(_) | Task::List(..) => {}
            Task::Ask(ticket, _) => {
                self.timed_out += 1;
                self.stale.push((self.client.now.ms + self.dice.below(3_000), ticket));
            }
            Task::Send(transmit) => self.adrift.push(transmit),
        }
    }

    /// Lets time pass until something happens, and reports that.
    fn wait(&mut self) {
        let deadline = self.client.conn.deadline().map(|deadline| deadline.at_ms);
        let owed = self.owed.as_ref().map(|(at, _)| *at).filter(|at| *at != u64::MAX);
        let feed = self.feed.front().map(|(at, _)| *at);
        let stale = self.stale.iter().map(|(at, _)| *at).min();
        let next = [deadline, owed, feed, stale].into_iter().flatten().min();
        let now_ms =
            next.expect("a connection that nothing will ever wake").max(self.client.now.ms);
        self.client.now = Moment { ms: now_ms, unix_s: START.unix_s };
        if self.manner == Manner::Wild && self.dice.once_in(300) {
            return self.client.conn.hung_up();
        }
        if self.manner == Manner::Wild && self.dice.once_in(100) {
            self.client.conn.retire();
        }
        let is_now = |at: Option<u64>| at.is_some_and(|at| at <= now_ms);
        if is_now(stale) {
            self.report_stale(now_ms);
        } else if is_now(feed)
            && let Some((_, bytes)) = self.feed.pop_front()
        {
            self.client.conn.received(bytes);
        } else if is_now(owed)
            && let Some((_, task)) = self.owed.take()
        {
            self.pay(task);
        }
    }

    fn report_stale(&mut self, now_ms: u64) {
        let Some(at) = self.stale.iter().position(|(at, _)| *at <= now_ms) else { return };
        let (_, ticket) = self.stale.swap_remove(at);
        let remarks = Arc::new(Remarks::new(1, &[STALE.as_bytes()]));
        let reply = match self.dice.below(3) {
            0 => Err(StoreDown::Broken),
            1 => Ok(Reply::Signed),
            _ => Ok(Reply::Visited { number: STALE_NUMBER, remarks }),
        };
        self.client.conn.answered(ticket, reply);
    }

    fn pay(&mut self, task: Task) {
        match task {
            Task::Open(path) => self.client.conn.opened(self.client.site.open(&path)),
            Task::List(path, page) => {
                self.client.conn.listed(self.client.site.list(&path, page));
            }
            Task::Ask(ticket, query) => {
                let reply = self.client.store.ask(&query);
                self.client.conn.answered(ticket, reply);
                if self.dice.once_in(2) {
                    self.stale.push((self.client.now.ms + self.dice.below(30), ticket));
                }
            }
            Task::Send(transmit) if self.manner == Manner::Wild && self.dice.once_in(40) => {
                assert!(self.client.conn.sent(transmit, Sent::Failed).is_none());
            }
            Task::Send(transmit) => self.client.deliver(transmit),
        }
    }

    /// Reports to a closed connection all that is still to come: none of it matters any more.
    fn report_the_rest(&mut self, end: Closing) {
        if let Some((_, task)) = self.owed.take() {
            self.give_up(task);
        }
        for transmit in std::mem::take(&mut self.adrift) {
            assert!(!wire(&transmit).is_empty(), "it is whole until it is reported");
            assert!(self.client.conn.sent(transmit, Sent::Whole).is_none(), "logged too late");
        }
        while !self.stale.is_empty() {
            self.report_stale(u64::MAX);
        }
        self.client.conn.received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        self.client.conn.received(&[]);
        let want = self.client.poll();
        assert!(matches!(want, Want::Close(why) if why == end), "closed: {end}, then {want:?}");
    }
}

/// Whether what was sent is one whole answer for each that was logged, perhaps with interim ones.
fn check_wire(out: &[u8], log: &[Record]) -> Result<(), String> {
    let mut rest = out;
    let mut records = log.iter();
    while !rest.is_empty() {
        let to_head =
            records.as_slice().first().is_some_and(|record| record.line.starts_with("HEAD"));
        let read = read_answer(rest, to_head)?.ok_or("an answer was cut short")?;
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
fn in_a_wild_world_every_exchange_ends_and_no_late_report_is_believed() {
    let mut client = Client::new();
    for_each_case(|case| {
        for seed in 0..8 {
            let mut ring = Ring::new(&mut client, case, seed, Manner::Wild);
            let end = ring.run().expect("the end");
            ring.report_the_rest(end);
            let timed_out = ring.timed_out;
            let told_down = client.log.iter().filter(|record| record.status == 503).count();
            let shown = String::from_utf8_lossy(&client.out).contains(STALE);
            check_wire(&client.out, &client.log).map_err(|why| format!("seed {seed}: {why}"))?;
            if shown || told_down > timed_out || end == Closing::Bug {
                let told = format!("{told_down} of {timed_out} time-outs told, {end}");
                return Err(format!("seed {seed}: a late answer was believed: {shown}, {told}"));
            }
        }
        Ok(())
    });
}

#[test]
fn in_a_calm_world_the_answers_are_those_of_a_driver_that_blocks() {
    let mut client = Client::new();
    for_each_case(|case| {
        // Whether a client waits for 100, or stops before its answer, is a matter of time here.
        let interim = |answer: &crate::script::Expected| answer.statuses == [100];
        let timely =
            |round: &crate::script::Round| round.then_shut || round.answers.iter().any(interim);
        if case.rounds.iter().any(timely) {
            return Ok(());
        }
        client.reconnect();
        client.store = Store::default();
        let expected = run(&mut client, case, |bytes| vec![bytes]).concat();
        for seed in 0..3 {
            Ring::new(&mut client, case, seed, Manner::Calm).run();
            if client.out != expected {
                let text = client.out.escape_ascii();
                return Err(format!("seed {seed}: \"{text}\""));
            }
        }
        Ok(())
    });
}
