//! What a connection wants next, and what a driver says of it afterwards.

use alloc::vec::Vec;
use core::fmt;

use crate::app::SitePath;
use crate::http::encoding::Encodings;
use crate::store::Query;

/// What a [`Connection`](crate::Connection) wants next: always exactly one thing.
///
/// `A` is the driver's handle to an open file; the core only carries it about.
#[derive(Debug)]
#[must_use]
pub enum Want<A> {
    /// Bytes from the client: report with `received`.
    Read,
    /// A file opened, in one of these codings if it is there: report with `opened`.
    Open(SitePath, Encodings),
    /// A page of what is in a folder, counted from 1: report with `listed`.
    List(SitePath, u32),
    /// An answer from the store: report with `answered`, under the same ticket.
    Ask(Ticket, Query),
    /// Something sent. It is the driver's own until it is reported with `sent`.
    Send(Transmit<A>),
    /// Our sending side shut, so that the client sees the end while we still read.
    Shutdown,
    /// The connection closed. Nothing else will ever be wanted, unless the driver lets it
    /// [linger](crate::Connection::linger).
    Close(Closing),
    /// Nothing new: what was asked for last is still owed.
    Wait,
}

/// Tells the answer to one question from a late answer to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub(crate) u32);

/// Something to send: bytes first, then a piece of a file.
#[derive(Debug)]
pub struct Transmit<A> {
    /// The head of an answer, and the page if one was made for it: one buffer is cheaper to send
    /// than two. Empty before a later piece of a file.
    pub head: Vec<u8>,
    /// What follows.
    pub body: Body<A>,
    /// Bytes of the same answer that will follow at once (`MSG_MORE` keeps packets full).
    pub rest: u64,
}

/// The second half of a [`Transmit`].
#[derive(Debug)]
pub enum Body<A> {
    /// Nothing.
    None,
    /// The bytes `from..to` of a file.
    File {
        /// The file, as the driver opened it.
        asset: A,
        /// Offset of the first byte.
        from: u64,
        /// Offset after the last byte.
        to: u64,
    },
}

impl<A> Body<A> {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Body::None => 0,
            Body::File { from, to, .. } => to - from,
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How a [`Transmit`] went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Every byte is with the kernel.
    Whole,
    /// The file was shorter than it said: the answer can't be completed.
    Short,
    /// The client reset the connection, or is gone.
    Failed,
}

/// When a driver must poll although it is still paying something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The time, in milliseconds of [`Moment::ms`](crate::Moment::ms).
    pub at_ms: u64,
    /// What is being waited for.
    pub on: Patience,
}

/// What a [`Deadline`] bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// The first byte of the first request.
    FirstByte,
    /// The first byte of another request: the client is idle.
    NextRequest,
    /// The rest of a request head.
    Head,
    /// The rest of a request body.
    Body,
    /// The store.
    Store,
    /// A client that takes its answer.
    Delivery,
    /// The end of what a client sends after its last answer.
    Goodbye,
}

/// An answer that was given: what to log and to count.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// The request line as the client sent it, without its line end: any bytes. Empty where a
    /// client sent no line.
    pub request_line: &'a [u8],
    /// The status code, such as 200.
    pub status: u16,
    /// Bytes of body handed to the kernel.
    pub body_bytes: u64,
    /// When the head of the request was whole, in milliseconds of `Moment::ms`.
    pub started_ms: u64,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The last answer was given.
    Done,
    /// The client left between requests.
    Left,
    /// The client was silent for longer than the idle time-out.
    Idle,
    /// The client reset the connection or vanished in the middle of something.
    HungUp,
    /// The client took its answer too slowly.
    TooSlow,
    /// The client sent more while an answer was owed than a connection may hold.
    Flood,
    /// A file became shorter while it was sent.
    Truncated,
    /// The driver asked for an idle connection to end.
    Retired,
    /// The core lost its way; no input should get here.
    Bug,
}

impl Closing {
    /// All of them, in their order.
    pub const ALL: [Closing; 9] = [
        Closing::Done,
        Closing::Left,
        Closing::Idle,
        Closing::HungUp,
        Closing::TooSlow,
        Closing::Flood,
        Closing::Truncated,
        Closing::Retired,
        Closing::Bug,
    ];

    /// A name for counts.
    pub fn name(self) -> &'static str {
        match self {
            Closing::Done => "done",
            Closing::Left => "left",
            Closing::Idle => "idle",
            Closing::HungUp => "hung_up",
            Closing::TooSlow => "too_slow",
            Closing::Flood => "flood",
            Closing::Truncated => "truncated",
            Closing::Retired => "retired",
            Closing::Bug => "bug",
        }
    }

    /// A few words for logs and tests.
    pub fn explain(self) -> &'static str {
        match self {
            Closing::Done => "the last answer was given",
            Closing::Left => "the client left between requests",
            Closing::Idle => "the client was silent for too long",
            Closing::HungUp => "the client hung up",
            Closing::TooSlow => "the client took its answer too slowly",
            Closing::Flood => "the client sent too much while its answer was owed",
            Closing::Truncated => "a file became shorter while it was sent",
            Closing::Retired => "the server needed the place",
            Closing::Bug => "an internal error",
        }
    }
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explain())
    }
}
