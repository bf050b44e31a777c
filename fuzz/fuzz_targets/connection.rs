//! A whole connection, and everything that a client, a driver, a file and a store can do to it.
//!
//! A script is what the client sends, byte for byte, except that bytes from 0x80 on are events:
//! see [`Ring::happen`]. What a script leaves owed is paid, then the client stops, and then time
//! passes until the connection is closed.

#![no_main]

#[path = "../../core/tests/driven/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../../tests/support/script.rs"]
#[allow(dead_code)]
mod script;
mod wire;
#[path = "../../core/tests/driven/world.rs"]
#[allow(dead_code)]
mod world;

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use zero_core::app::Remarks;
use zero_core::store::{Query, Reply, StoreDown};
use zero_core::{
    App, Closing, Connection, Limits, Moment, NoAsset, Patience, Sent, SitePath, Ticket, Transmit,
    Want, limits,
};

use wire::Wire;
use world::{Handle, START, Site, Store};

/// What a driver is paying.
enum Task {
    Open(SitePath),
    List(SitePath, u32),
    Ask(Ticket, Query),
    Send(Transmit<Handle>),
}

/// A driver in completion style, and the world around it.
struct Ring {
    connection: Connection<Handle>,
    app: App,
    site: Site,
    store: Store,
    now: Moment,
    owed: Option<Task>,
    /// What outlived the connection's interest in it.
    adrift: Vec<Transmit<Handle>>,
    stale: Vec<Ticket>,
    wire: Wire,
    shut: bool,
    end: Option<Closing>,
}

/// A reply that nobody waits for any more has this number.
const STALE_NUMBER: u64 = 666_666_666;

/// And so begins a guestbook page that is made of it, which no remark can.
const STALE: &[u8] = b"visitor 666,666,666 ";

/// No end of a connection takes more polls.
const POLLS: usize = 10_000;

static SITE: OnceLock<Site> = OnceLock::new();

/// The site of the scripts, and a file of three pieces.
fn site() -> Site {
    let mut site = Site::of_the_scripts();
    site.add("large", vec![b'l'; 2 * limits::PIECE_BYTES as usize + 1]);
    site
}

fuzz_target!(|script: &[u8]| {
    let mut ring = Ring::new(script.first());
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
                ring.receive(&mut sent);
                ring.happen(event);
            }
        }
    }
    ring.receive(&mut sent);
    ring.finish();
});

/// Limits that a short script can reach.
fn small() -> Limits {
    Limits {
        first_byte_timeout_ms: 1_000,
        body_bytes_per_second: 1,
        send_bytes_per_second: 1,
        request_line_bytes: 64,
        header_section_bytes: 128,
        fields: 3,
        body_bytes: 50,
        ..Limits::default()
    }
}

impl Ring {
    /// The first byte of a script may be one that picks limits.
    fn new(first: Option<&u8>) -> Ring {
        let limits = match first {
            Some(0xfd) => Limits { keep_alive_timeout_ms: 0, ..Limits::default() },
            Some(0xfe) => Limits { requests_per_connection: 2, ..Limits::default() },
            Some(0xfc) => small(),
            Some(0xfb) => Limits { fields: limits::MOST_FIELDS, ..small() },
            _ => Limits::default(),
        };
        Ring {
            connection: Connection::new(),
            // Folders are shown unless limits are picked.
            app: App { listing: !matches!(first, Some(0xfd | 0xfe)), ..world::app(limits) },
            site: SITE.get_or_init(site).clone(),
            store: Store::default(),
            now: START,
            owed: None,
            adrift: Vec::new(),
            stale: Vec::new(),
            wire: Wire::default(),
            shut: false,
            end: None,
        }
    }

    fn receive(&mut self, bytes: &mut Vec<u8>) {
        if !bytes.is_empty() {
            self.connection.received(bytes);
            bytes.clear();
        }
    }

    fn happen(&mut self, event: u8) {
        match event {
            0x83 => {} // A cut.
            0x84 => self.poll(),
            0x85 => self.connection.received(&[]),
            0x86 => self.connection.hung_up(),
            0x87 => self.connection.retire(),
            0x88..=0x8b => self.open_fails(event),
            0x8c..=0x90 => self.store_fails(event),
            0x91 => self.send_ends(Sent::Short),
            0x92 => self.send_ends(Sent::Failed),
            0x93..=0x95 => self.report_stale(event),
            0x96 => self.report_adrift(),
            0x97 => self.pass(1),
            0x98 => self.pass(1000),
            0x99 => self.pass(6000),
            0x9a => self.pass(3_600_000),
            0x9b => self.pass(self.patience_ms().saturating_sub(1)),
            0x9c => self.pass(self.patience_ms()),
            0x9d => self.pay(),
            _ => self.settle(),
        }
        assert!(self.end.is_none() || self.connection.deadline().is_none(), "waits when closed");
    }

    fn poll(&mut self) {
        let deadline = self.connection.deadline();
        let due = deadline.is_some_and(|deadline| deadline.at_ms <= self.now.ms);
        let want = self.connection.poll(&self.app, self.now);
        if let Some(end) = self.end {
            assert!(matches!(want, Want::Close(why) if why == end), "closed: {end}, now {want:?}");
            return;
        }
        self.check(&want, due);
        if !matches!(want, Want::Wait) {
            self.give_up();
        }
        match want {
            Want::Wait | Want::Read => {}
            Want::Shutdown => self.shut = true,
            Want::Close(why) => self.end = Some(why),
            Want::Open(path, _) => self.owed = Some(Task::Open(path)),
            Want::List(path, page) => self.owed = Some(Task::List(path, page)),
            Want::Ask(ticket, query) => self.owed = Some(Task::Ask(ticket, query)),
            Want::Send(transmit) => {
                self.wire.send(&transmit);
                self.owed = Some(Task::Send(transmit));
            }
        }
    }

    /// What is wanted may be wanted now.
    fn check(&self, want: &Want<Handle>, due: bool) {
        let closes = matches!(want, Want::Close(_));
        match &self.owed {
            None => assert!(!matches!(want, Want::Wait), "it waits for nothing"),
            Some(Task::Ask(..)) => {
                assert!(closes || due || matches!(want, Want::Wait), "{want:?} beside a question");
            }
            Some(_) => assert!(closes || matches!(want, Want::Wait), "{want:?} while one is owed"),
        }
        let on = self.connection.deadline().map(|deadline| deadline.on);
        let owed = self.owed.as_ref();
        let in_order = match want {
            Want::Read => match on {
                Some(Patience::Goodbye) => self.shut,
                Some(Patience::FirstByte | Patience::NextRequest) => {
                    !self.shut && self.connection.is_idle()
                }
                Some(Patience::Head | Patience::Body) => !self.shut,
                _ => false,
            },
            Want::Wait => match owed {
                Some(Task::Ask(..)) => on == Some(Patience::Store),
                Some(Task::Send(_)) => on == Some(Patience::Delivery),
                _ => true,
            },
            Want::Ask(..) => on == Some(Patience::Store),
            Want::Send(_) => on == Some(Patience::Delivery) && !self.shut,
            Want::Shutdown => !self.shut && self.wire.is_between(),
            Want::Close(why) => on.is_none() && *why != Closing::Bug,
            Want::Open(..) | Want::List(..) => true,
        };
        assert!(in_order, "{want:?} waiting on {on:?}, shut: {}", self.shut);
    }

    /// The connection wants something else now.
    fn give_up(&mut self) {
        match self.owed.take() {
            Some(Task::Send(transmit)) => self.adrift.push(transmit),
            Some(Task::Ask(ticket, _)) => self.stale.push(ticket),
            Some(Task::Open(_) | Task::List(..)) | None => {}
        }
    }

    /// Pays what is owed, as it should be paid.
    fn pay(&mut self) {
        match self.owed.take() {
            None => {}
            Some(Task::Open(path)) => self.connection.opened(self.site.open(&path)),
            Some(Task::List(path, page)) => self.connection.listed(self.site.list(&path, page)),
            Some(Task::Ask(ticket, query)) => {
                let reply = self.store.ask(&query);
                self.answer(ticket, reply);
            }
            Some(task @ Task::Send(_)) => {
                self.owed = Some(task);
                self.send_ends(Sent::Whole);
            }
        }
    }

    /// Polls and pays up to bytes from the client or the end.
    fn settle(&mut self) {
        for _ in 0..POLLS {
            self.poll();
            if self.end.is_some() || (self.owed.is_none() && !self.shut) {
                return;
            }
            if self.owed.is_none() && self.on_goodbye() {
                return;
            }
            self.pay();
        }
        panic!("it never settles");
    }

    fn on_goodbye(&self) -> bool {
        self.connection.deadline().is_some_and(|deadline| deadline.on == Patience::Goodbye)
    }

    fn open_fails(&mut self, event: u8) {
        let why = match event {
            0x88 => NoAsset::Missing,
            0x89 => NoAsset::Folder,
            0x8a => NoAsset::Busy,
            _ => NoAsset::Unreadable,
        };
        // Without a question, this is an answer that comes too late.
        match self.owed.take() {
            Some(Task::List(..)) => return self.connection.listed(Err(why)),
            Some(Task::Open(_)) => {}
            other => self.owed = other,
        }
        self.connection.opened(Err(why));
    }

    fn store_fails(&mut self, event: u8) {
        let why = match event {
            0x8c => StoreDown::Unreachable,
            0x8d => StoreDown::Broken,
            0x8e => StoreDown::TimedOut,
            0x8f => StoreDown::Overloaded,
            _ => StoreDown::Refused,
        };
        match self.owed.take() {
            Some(Task::Ask(ticket, _)) => self.answer(ticket, Err(why)),
            other => self.owed = other,
        }
    }

    /// Answers a question; the same may be answered again.
    fn answer(&mut self, ticket: Ticket, reply: Result<Reply, StoreDown>) {
        self.connection.answered(ticket, reply);
        self.stale.push(ticket);
    }

    fn report_stale(&mut self, event: u8) {
        let Some(ticket) = self.stale.pop() else { return };
        let reply = match event {
            0x93 => Err(StoreDown::Broken),
            0x94 => Ok(Reply::Signed),
            _ => {
                let remarks = Arc::new(Remarks::new(1, &[]));
                Ok(Reply::Visited { number: STALE_NUMBER, remarks })
            }
        };
        self.connection.answered(ticket, reply);
    }

    fn send_ends(&mut self, how: Sent) {
        match self.owed.take() {
            Some(Task::Send(transmit)) => {
                let (len, more) = (transmit.body.len(), transmit.rest > 0);
                // A hang-up or a flood may have ended it since.
                let whole = how == Sent::Whole && self.connection.unfinished().is_none();
                let served = self.connection.sent(transmit, how);
                self.wire.reported(whole, len, more, served.as_ref());
            }
            other => self.owed = other,
        }
    }

    /// A transmit that was given up is reported when nobody waits for it.
    fn report_adrift(&mut self) {
        if let Some(transmit) = self.adrift.pop() {
            assert!(self.end.is_some(), "a send was given up on a connection that goes on");
            assert!(self.connection.sent(transmit, Sent::Whole).is_none(), "logged too late");
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now = self.now.later(ms);
    }

    fn patience_ms(&self) -> u64 {
        let deadline = self.connection.deadline();
        deadline.map_or(0, |deadline| deadline.at_ms.saturating_sub(self.now.ms))
    }

    /// Everything comes to its end, and what comes later changes nothing.
    fn finish(&mut self) {
        self.settle();
        self.connection.received(&[]);
        for _ in 0..POLLS {
            self.settle();
            if self.end.is_some() {
                break;
            }
            assert!(self.connection.deadline().is_some(), "nothing will ever wake it");
            self.pass(self.patience_ms());
        }
        let end = self.end.expect("the end");
        assert!(self.wire.is_between() || self.connection.unfinished().is_some(), "cut: {end}");
        self.give_up();
        while !self.adrift.is_empty() {
            self.report_adrift();
        }
        while !self.stale.is_empty() {
            self.report_stale(0x95);
        }
        self.connection.received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        self.connection.received(&[]);
        self.poll();
    }
}
