//! A connection with a driver that blocks, a client at its other end, and a clock in between.

use zero_core::{
    App, Body, Closing, Connection, Limits, Moment, Patience, Sent, Served, Transmit, Want,
};

use crate::world::{self, Handle, Site, Store};

/// What was logged of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) line: String,
    pub(crate) status: u16,
    pub(crate) body_bytes: u64,
    pub(crate) started_ms: u64,
}

impl Record {
    pub(crate) fn of(served: &Served<'_>) -> Record {
        Record {
            line: served.request_line.escape_ascii().to_string(),
            status: served.status,
            body_bytes: served.body_bytes,
            started_ms: served.started_ms,
        }
    }
}

/// Both ends of a connection.
pub(crate) struct Client {
    pub(crate) conn: Connection<Handle>,
    pub(crate) app: App,
    pub(crate) site: Site,
    pub(crate) store: Store,
    pub(crate) now: Moment,
    /// What came from the server and was not taken.
    pub(crate) out: Vec<u8>,
    pub(crate) log: Vec<Record>,
    /// The server has shut its side.
    pub(crate) shut: bool,
    pub(crate) end: Option<Closing>,
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
            shut: false,
            end: None,
        }
    }

    /// Another connection to the same server.
    pub(crate) fn reconnect(&mut self) {
        self.conn = Connection::new();
        self.out.clear();
        self.log.clear();
        (self.shut, self.end) = (false, None);
    }

    pub(crate) fn poll(&mut self) -> Want<Handle> {
        self.conn.poll(&self.app, self.now)
    }

    /// Pays all that is wanted, up to bytes from the client or the end.
    pub(crate) fn settle(&mut self) {
        while self.end.is_none() {
            match self.poll() {
                Want::Read => return,
                Want::Open(path, _) => self.conn.opened(self.site.open(&path)),
                Want::List(path, page) => self.conn.listed(self.site.list(&path, page)),
                Want::Ask(ticket, query) => {
                    let reply = self.store.ask(&query);
                    self.conn.answered(ticket, reply);
                }
                Want::Send(transmit) => self.deliver(transmit),
                Want::Shutdown => {
                    assert!(!self.shut, "shut twice");
                    self.shut = true;
                }
                Want::Close(why) => self.end = Some(why),
                Want::Wait => panic!("nothing is owed, and it waits"),
            }
        }
    }

    /// Sends a transmit whole.
    pub(crate) fn deliver(&mut self, transmit: Transmit<Handle>) {
        assert!(!self.shut, "sent after the sending side was shut");
        self.out.extend(wire(&transmit));
        let served = self.conn.sent(transmit, Sent::Whole).map(|served| Record::of(&served));
        self.log.extend(served);
    }

    /// Sends these bytes; none is not how a client [stops](Client::stop).
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.conn.received(bytes);
        }
        self.settle();
    }

    /// The client stops sending.
    pub(crate) fn stop(&mut self) {
        self.conn.received(&[]);
        self.settle();
    }

    pub(crate) fn later(&mut self, ms: u64) {
        self.now = self.now.later(ms);
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// A GET with an HTTP/1.1 head, whole.
    pub(crate) fn get(&mut self, target: &str) {
        self.push(&get(target));
    }

    pub(crate) fn statuses(&self) -> Vec<u16> {
        self.log.iter().map(|record| record.status).collect()
    }

    /// What is waited for, and for how many milliseconds still.
    pub(crate) fn patience(&self) -> Option<(Patience, u64)> {
        self.conn.deadline().map(|deadline| (deadline.on, deadline.at_ms - self.now.ms))
    }

    /// Polls for a send.
    pub(crate) fn sending(&mut self) -> Transmit<Handle> {
        match self.poll() {
            Want::Send(transmit) => transmit,
            other => panic!("wants {other:?}, not to send"),
        }
    }
}

pub(crate) fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes()
}

/// A signed form, of which the guestbook has nothing to complain.
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
