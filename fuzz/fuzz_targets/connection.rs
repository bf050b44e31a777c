//! A whole connection, and everything that a client, a driver, a file and a store can do to it.
//!
//! A script consists of the bytes that the client sends, and of events, which are bytes from 0x80
//! on: see [`CompletionDriver::apply`]. After a script, the driver performs all wants, the client
//! stops sending, and time passes until the connection is closed.

#![no_main]

#[path = "../../crates/core/tests/driven/client.rs"]
#[allow(dead_code)]
mod client;
mod environment;
#[path = "../../tests/support/script.rs"]
#[allow(dead_code)]
mod script;
mod wire;
#[path = "../../crates/core/tests/driven/world.rs"]
#[allow(dead_code)]
mod world;

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use zerohttpd_core::store::{Remarks, Reply, StoreDown};
use zerohttpd_core::{
    App, AssetError, CloseReason, Completion, Connection, Now, Operation, Sent, Ticket, Timeout,
    Transmit, Want,
};

use wire::Wire;
use world::{Handle, START, Site, Store};

/// A want that the driver has begun to perform.
enum Task {
    Perform(Ticket, Operation),
    Send(Transmit<Handle>),
}

/// A driver that reports completions, with its client, files, store and clock.
struct CompletionDriver {
    connection: Connection<App, Handle>,
    app: App,
    site: Site,
    store: Store,
    now: Now,
    /// The task under way.
    task: Option<Task>,
    /// Bytes that have come and that the connection has not taken yet.
    untaken: Vec<u8>,
    /// Transmits that the connection gave up.
    abandoned_sends: Vec<Transmit<Handle>>,
    /// Tickets of operations that were reported, or that the connection gave up.
    stale_tickets: Vec<Ticket>,
    wire: Wire,
    /// Whether the server has shut its sending side.
    server_has_shut: bool,
    /// Why the connection was closed, if it is closed.
    end: Option<CloseReason>,
    /// Whether the end cut an answer short.
    is_cut_short: bool,
}

/// The visitor number in a late reply, for which the connection no longer waits.
const STALE_NUMBER: u64 = 666_666_666;

/// The beginning of a guestbook page with that number. No remark can make a page begin like this.
const STALE_PAGE: &[u8] = b"visitor 666,666,666 ";

/// The time-out of an operation.
fn timeout_of(operation: &Operation) -> Timeout {
    match operation {
        Operation::Ask(_) => Timeout::Store,
        Operation::Open(..) | Operation::List(..) => Timeout::File,
    }
}

/// No connection needs more polls than this to come to its end.
const MOST_POLLS: usize = 10_000;

fuzz_target!(|script: &[u8]| {
    let mut driver = CompletionDriver::new(script.first());
    let mut bytes = script.iter().copied();
    let mut sent = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            ..0x80 => sent.push(byte),
            0x80 => sent.extend(bytes.next()),
            0x81 => sent.extend([b'a'; 5000]),
            0x82 => sent.extend(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"),
            0x9e => sent.extend(b"GET /guestbook HTTP/1.1\r\nHost: x\r\n\r\n"),
            event => {
                driver.receive(&mut sent);
                driver.apply(event);
            }
        }
    }
    driver.receive(&mut sent);
    driver.finish();
});

impl CompletionDriver {
    fn new(first: Option<&u8>) -> CompletionDriver {
        CompletionDriver {
            connection: Connection::new(),
            app: environment::app(first),
            site: environment::site(),
            store: Store::default(),
            now: START,
            task: None,
            untaken: Vec::new(),
            abandoned_sends: Vec::new(),
            stale_tickets: Vec::new(),
            wire: Wire::default(),
            server_has_shut: false,
            end: None,
            is_cut_short: false,
        }
    }

    fn receive(&mut self, bytes: &mut Vec<u8>) {
        self.untaken.append(bytes);
        self.offer();
    }

    /// Passes the connection the bytes that have come, and keeps those that it does not take.
    fn offer(&mut self) {
        if !self.untaken.is_empty() {
            let taken = self.connection.received(&self.untaken);
            self.untaken.drain(..taken);
        }
    }

    /// The client stops sending, unless the connection has not taken all bytes yet.
    fn stop(&mut self) {
        if self.untaken.is_empty() {
            self.connection.received(&[]);
        }
    }

    fn apply(&mut self, event: u8) {
        match event {
            0x83 => {} // The bytes so far were received already.
            0x84 => self.poll(),
            0x85 => self.stop(),
            0x86 => self.connection.reset(),
            0x87 => self.connection.close_when_idle(),
            0x88..=0x8b => self.open_fails(event),
            0x8c..=0x90 => self.store_fails(event),
            0x91 => self.send_ends(Sent::Short(1)),
            0x92 => self.send_ends(Sent::Failed(1)),
            0x93..=0x95 => self.report_stale(event),
            0x96 => self.report_abandoned_send(),
            0x97 => self.advance_clock(1),
            0x98 => self.advance_clock(1000),
            0x99 => self.advance_clock(6000),
            0x9a => self.advance_clock(3_600_000),
            0x9b => self.advance_clock(self.ms_to_deadline().saturating_sub(1)),
            0x9c => self.advance_clock(self.ms_to_deadline()),
            0x9d => self.perform_task(),
            _ => self.run_until_idle(),
        }
        assert!(
            self.end.is_none() || self.connection.deadline().is_none(),
            "a deadline when closed"
        );
    }

    fn poll(&mut self) {
        let deadline = self.connection.deadline();
        let due = deadline.is_some_and(|deadline| deadline.at_ms <= self.now.ms);
        let want = self.connection.poll(&self.app, self.now);
        if let Some(end) = self.end {
            assert!(
                matches!(want, Want::Close(why, None) if why == end),
                "closed: {end}, now {want:?}"
            );
            return;
        }
        self.check(&want, due);
        if !matches!(want, Want::Wait) {
            self.abandon();
        }
        match want {
            Want::Wait => {}
            Want::Read => self.offer(),
            Want::Peek => self.connection.peeked(!self.untaken.is_empty()),
            Want::Shutdown => self.server_has_shut = true,
            Want::Close(why, cut_short) => {
                self.end = Some(why);
                self.is_cut_short = cut_short.is_some();
            }
            Want::Perform(ticket, operation) => {
                self.task = Some(Task::Perform(ticket, operation));
            }
            Want::Send(transmit) => {
                self.wire.send(&transmit);
                self.task = Some(Task::Send(transmit));
            }
        }
    }

    /// Checks that this want is allowed now. `due` says whether the deadline has passed.
    fn check(&self, want: &Want<Handle, Operation>, due: bool) {
        let closes = matches!(want, Want::Close(..));
        match &self.task {
            None => assert!(!matches!(want, Want::Wait), "it waits although no task is under way"),
            Some(Task::Perform(..)) => {
                assert!(
                    closes || due || matches!(want, Want::Wait),
                    "{want:?} while an operation is under way"
                );
            }
            Some(Task::Send(_)) => {
                assert!(closes || matches!(want, Want::Wait), "{want:?} while a send is under way")
            }
        }
        let on = self.connection.deadline().map(|deadline| deadline.on);
        let task = self.task.as_ref();
        let in_order = match want {
            Want::Read => match on {
                Some(Timeout::Linger) => self.server_has_shut,
                Some(Timeout::FirstByte | Timeout::KeepAlive) => {
                    !self.server_has_shut && self.connection.is_idle()
                }
                Some(Timeout::Head | Timeout::Body) => !self.server_has_shut,
                _ => false,
            },
            Want::Wait => match task {
                Some(Task::Perform(_, operation)) => on == Some(timeout_of(operation)),
                Some(Task::Send(_)) => on == Some(Timeout::Delivery),
                None => true,
            },
            Want::Perform(_, operation) => on == Some(timeout_of(operation)),
            Want::Send(_) => on == Some(Timeout::Delivery) && !self.server_has_shut,
            Want::Shutdown => !self.server_has_shut && self.wire.is_between_answers(),
            Want::Close(why, _) => on.is_none() && *why != CloseReason::Bug,
            Want::Peek => on.is_none() && !self.server_has_shut,
        };
        assert!(in_order, "{want:?} waiting on {on:?}, has_shut: {}", self.server_has_shut);
    }

    /// The connection has given up the task under way.
    fn abandon(&mut self) {
        match self.task.take() {
            Some(Task::Send(transmit)) => self.abandoned_sends.push(transmit),
            Some(Task::Perform(ticket, _)) => self.stale_tickets.push(ticket),
            None => {}
        }
    }

    /// Performs the task under way, without a fault.
    fn perform_task(&mut self) {
        match self.task.take() {
            None => {}
            Some(Task::Perform(ticket, operation)) => {
                let is_for_store = matches!(operation, Operation::Ask(_));
                let completion = world::perform(&self.site, &mut self.store, operation);
                self.connection.completed(ticket, completion);
                if is_for_store {
                    self.stale_tickets.push(ticket);
                }
            }
            Some(send @ Task::Send(_)) => {
                self.task = Some(send);
                self.send_ends(Sent::Whole);
            }
        }
    }

    /// Polls and performs until the connection waits for the client, or ends.
    fn run_until_idle(&mut self) {
        for _ in 0..MOST_POLLS {
            self.poll();
            if self.end.is_some() || (self.task.is_none() && !self.server_has_shut) {
                return;
            }
            if self.task.is_none() && self.is_lingering() {
                return;
            }
            self.perform_task();
        }
        panic!("more than {MOST_POLLS} polls");
    }

    fn is_lingering(&self) -> bool {
        self.connection.deadline().is_some_and(|deadline| deadline.on == Timeout::Linger)
    }

    fn open_fails(&mut self, event: u8) {
        let why = match event {
            0x88 => AssetError::Missing,
            0x89 => AssetError::Folder,
            0x8a => AssetError::Busy,
            _ => AssetError::Unreadable,
        };
        match self.task.take() {
            Some(Task::Perform(ticket, Operation::List(..))) => {
                self.connection.completed(ticket, Completion::Listed(Err(why)));
            }
            Some(Task::Perform(ticket, Operation::Open(..))) => {
                self.connection.completed(ticket, Completion::Opened(Err(why)));
            }
            other => self.task = other,
        }
    }

    fn store_fails(&mut self, event: u8) {
        let why = match event {
            0x8c => StoreDown::Unreachable,
            0x8d => StoreDown::Broken,
            0x8e => StoreDown::TimedOut,
            0x8f => StoreDown::Overloaded,
            _ => StoreDown::Refused,
        };
        match self.task.take() {
            Some(Task::Perform(ticket, Operation::Ask(_))) => {
                self.connection.completed(ticket, Completion::Answered(Err(why)));
                self.stale_tickets.push(ticket);
            }
            other => self.task = other,
        }
    }

    fn report_stale(&mut self, event: u8) {
        let Some(ticket) = self.stale_tickets.pop() else { return };
        let reply = match event {
            0x93 => Err(StoreDown::Broken),
            0x94 => Ok(Reply::Signed),
            _ => {
                let remarks = Arc::new(Remarks::new(1, &[]));
                Ok(Reply::Visited { number: STALE_NUMBER, remarks })
            }
        };
        self.connection.completed(ticket, Completion::Answered(reply));
        let file = Handle::new(STALE_PAGE.to_vec(), "text/plain");
        self.connection.completed(ticket, Completion::Opened(Ok(file)));
    }

    fn send_ends(&mut self, outcome: Sent) {
        match self.task.take() {
            Some(Task::Send(transmit)) => {
                let (len, has_more) = (transmit.body.len(), transmit.rest > 0);
                // A reset can have ended the send.
                let is_whole = outcome == Sent::Whole && self.connection.deadline().is_some();
                let served = self.connection.sent(transmit, outcome);
                self.wire.check_report(is_whole, len, has_more, served.as_ref());
            }
            other => self.task = other,
        }
    }

    /// Reports a transmit that the connection gave up.
    fn report_abandoned_send(&mut self) {
        if let Some(transmit) = self.abandoned_sends.pop() {
            assert!(self.end.is_some(), "a send was given up on a connection that goes on");
            assert!(self.connection.sent(transmit, Sent::Whole).is_none(), "logged after the end");
        }
    }

    fn advance_clock(&mut self, ms: u64) {
        self.now = self.now.later(ms);
    }

    fn ms_to_deadline(&self) -> u64 {
        let deadline = self.connection.deadline();
        deadline.map_or(0, |deadline| deadline.at_ms.saturating_sub(self.now.ms))
    }

    /// Runs the connection to its end, and checks that late reports change nothing.
    fn finish(&mut self) {
        self.run_until_idle();
        self.stop();
        for _ in 0..MOST_POLLS {
            self.run_until_idle();
            if self.end.is_some() {
                break;
            }
            assert!(self.connection.deadline().is_some(), "it waits without a deadline");
            self.advance_clock(self.ms_to_deadline());
        }
        let end = self.end.expect("the end");
        assert!(self.wire.is_between_answers() || self.is_cut_short, "cut: {end}");
        self.abandon();
        while !self.abandoned_sends.is_empty() {
            self.report_abandoned_send();
        }
        while !self.stale_tickets.is_empty() {
            self.report_stale(0x95);
        }
        self.connection.received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        self.connection.received(&[]);
        self.poll();
    }
}
