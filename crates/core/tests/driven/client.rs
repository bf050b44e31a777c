//! A connection with a blocking driver, its client, and a virtual clock.

use zerohttpd_core::{
    AccessRecord, App, Body, CloseReason, Completion, Connection, Limits, Now, Operation, Sent,
    Timeout, Transmit, Want,
};

use crate::world::{self, Handle, Site, Store};

/// The access record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) line: String,
    pub(crate) status: u16,
    pub(crate) body_bytes: u64,
    pub(crate) started_ms: u64,
}

impl Record {
    pub(crate) fn of(served: &AccessRecord<'_>) -> Record {
        Record {
            line: served.request_line.escape_ascii().to_string(),
            status: served.status,
            body_bytes: served.body_bytes,
            started_ms: served.started.ms,
        }
    }
}

/// Both ends of a connection: the core with its driver, and the client.
pub(crate) struct Client {
    pub(crate) conn: Connection<App, Handle>,
    pub(crate) app: App,
    pub(crate) site: Site,
    pub(crate) store: Store,
    pub(crate) now: Now,
    /// Bytes that the server sent and the client has not taken yet.
    pub(crate) out: Vec<u8>,
    pub(crate) log: Vec<Record>,
    /// Whether the server has shut its sending side.
    pub(crate) server_has_shut: bool,
    /// Why the connection was closed, if it is closed.
    pub(crate) end: Option<CloseReason>,
    /// The record of a response that the end of the connection cut short.
    pub(crate) cut_short: Option<Record>,
}

impl Client {
    pub(crate) fn new() -> Client {
        Client::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Client {
        Client {
            conn: Connection::new(),
            app: world::app(limits),
            site: Site::of_the_scripts(),
            store: Store::default(),
            now: world::START,
            out: Vec::new(),
            log: Vec::new(),
            server_has_shut: false,
            end: None,
            cut_short: None,
        }
    }

    /// Another connection to the same server.
    pub(crate) fn reconnect(&mut self) {
        self.conn = Connection::new();
        self.out.clear();
        self.log.clear();
        (self.server_has_shut, self.end, self.cut_short) = (false, None, None);
    }

    pub(crate) fn poll(&mut self) -> Want<Handle, Operation> {
        self.conn.poll(&self.app, self.now)
    }

    /// Performs all wants until the connection waits for the client or is closed.
    pub(crate) fn perform_all(&mut self) {
        while self.end.is_none() {
            match self.poll() {
                Want::Read => return,
                Want::Perform(ticket, operation) => {
                    let completion = world::perform(&self.site, &mut self.store, operation);
                    self.conn.completed(ticket, completion);
                }
                Want::Send(transmit) => self.deliver(transmit),
                Want::Shutdown => {
                    assert!(!self.server_has_shut, "shut twice");
                    self.server_has_shut = true;
                }
                Want::Peek => self.conn.peeked(false),
                Want::Close(why, cut_short) => {
                    self.end = Some(why);
                    self.cut_short = cut_short.map(|cut_short| Record::of(&cut_short.record()));
                }
                Want::Wait => panic!("it waits although every want was performed"),
            }
        }
    }

    /// Sends a whole transmit to the client.
    pub(crate) fn deliver(&mut self, transmit: Transmit<Handle>) {
        assert!(!self.server_has_shut, "sent after the sending side was shut");
        self.out.extend(wire(&transmit));
        let served = self.conn.sent(transmit, Sent::Whole).map(|served| Record::of(&served));
        self.log.extend(served);
    }

    /// Opens the file that the connection wants, from the site.
    pub(crate) fn open(&mut self) {
        let Want::Perform(ticket, Operation::Open(path, _)) = self.poll() else {
            panic!("a file is opened")
        };
        self.conn.completed(ticket, Completion::Opened(self.site.open(&path)));
    }

    /// Sends these bytes. An empty slice does nothing; [`stop`](Client::stop) ends the client's
    /// input.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.conn.received(bytes);
        }
        self.perform_all();
    }

    /// The client stops sending.
    pub(crate) fn stop(&mut self) {
        self.conn.received(&[]);
        self.perform_all();
    }

    pub(crate) fn advance_clock(&mut self, ms: u64) {
        self.now = self.now.later(ms);
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Sends a whole GET request of HTTP/1.1.
    pub(crate) fn get(&mut self, target: &str) {
        self.push(&get(target));
    }

    pub(crate) fn statuses(&self) -> Vec<u16> {
        self.log.iter().map(|record| record.status).collect()
    }

    /// The time-out of the connection's deadline, and how many milliseconds are left.
    pub(crate) fn timer(&self) -> Option<(Timeout, u64)> {
        self.conn.deadline().map(|deadline| (deadline.on, deadline.at_ms - self.now.ms))
    }

    /// Polls, and returns the transmit that the connection wants to send.
    pub(crate) fn poll_transmit(&mut self) -> Transmit<Handle> {
        match self.poll() {
            Want::Send(transmit) => transmit,
            other => panic!("wants {other:?}, not to send"),
        }
    }
}

pub(crate) fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes()
}

/// A request with a form that the guestbook accepts.
pub(crate) const SIGNED: &[u8] = b"POST /guestbook HTTP/1.1\r\nHost: x\r\n\
    Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 34\r\n\r\n\
    guest-name=Ada&guest-remarks=Hello";

/// The bytes of a transmit.
pub(crate) fn wire(transmit: &Transmit<Handle>) -> Vec<u8> {
    let mut bytes = transmit.head.clone();
    match &transmit.body {
        Body::None => {}
        Body::File { asset, from, to } => bytes.extend(asset.part(*from, *to)),
    }
    bytes
}
