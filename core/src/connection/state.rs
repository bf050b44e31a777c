//! The states of a connection, and what a request carries through them.
//!
//! ```text
//!          ┌───────────────────────────── kept alive ─────────────────────────────┐
//!          ▼                                                                      │
//!  new ─► Listening ─head─► Receiving ─body─► Ready ─► Opening ─opened─► Ready ...  │
//!         Read │  │         Read ▲             ▲  └──► Asking ─answered─► Ready ...  │
//!              │  │              │             │        Ask                        │
//!              │  └─Expect─► Continuing        │        Ready ─answer─► Sending ─► Answered
//!              │             Send              │                        Send ▲ │       │
//!              └────────── refused ────────────┘                             │ ▼       │
//!                                                                            Piece     │
//!         Closed ◄─ its end, or 2 s ─ Lingering ◄─ Parting ◄──── to be closed ─────────┘
//!         Close                       Read         Shutdown
//! ```
//!
//! Below a state stands what it wants. A deadline, a hang-up or `retire` can lead from every state
//! to Closed.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use crate::app::{App, Content, Outcome, Part, Plan};
use crate::http::body::Receiver;
use crate::http::head::Request;
use crate::http::refusal::Refusal;
use crate::http::response::Persistence;
use crate::limits;
use crate::moment::Moment;
use crate::want::{Body, Closing, Transmit};

#[derive(Debug)]
pub(super) enum State<A> {
    /// For a request head.
    Listening,
    /// `100 Continue` is to be sent.
    Encouraging(Box<Exchange<A>>),
    /// `100 Continue` is on its way.
    Continuing(Box<Exchange<A>>),
    /// For a request body.
    Receiving(Box<Exchange<A>>),
    /// The next step can be taken.
    Ready(Box<Exchange<A>>),
    /// A file is being opened, or a folder read.
    Opening(Box<Exchange<A>>),
    /// The store is being asked.
    Asking(Box<Exchange<A>>),
    /// An answer, or a piece of it, is on its way.
    Sending(Box<Exchange<A>>),
    /// A file's next piece can be sent.
    Piece(Box<Exchange<A>>, A),
    /// The answer was given.
    Answered(Box<Exchange<A>>),
    /// Our side is to be shut.
    Parting,
    /// For the client's side to be shut.
    Lingering,
    /// It is over; the exchange, if any, was cut short.
    Closed(Closing, Option<Box<Exchange<A>>>),
}

impl<A> State<A> {
    /// The end that any state can come to. The first reason stays.
    pub(super) fn closed(self, why: Closing) -> State<A> {
        match self {
            State::Closed(first, cut_short) => State::Closed(first, cut_short),
            State::Encouraging(exchange)
            | State::Continuing(exchange)
            | State::Receiving(exchange)
            | State::Ready(exchange)
            | State::Opening(exchange)
            | State::Asking(exchange)
            | State::Sending(exchange)
            | State::Piece(exchange, _) => State::Closed(why, Some(exchange)),
            State::Listening | State::Answered(_) | State::Parting | State::Lingering => {
                State::Closed(why, None)
            }
        }
    }
}

/// A request and the answer to it.
#[derive(Debug)]
pub(super) struct Exchange<A> {
    pub(super) request: Request,
    pub(super) plan: Plan,
    pub(super) body: Receiver,
    /// What came of the last step.
    pub(super) outcome: Outcome<A>,
    /// The status of the answer; 0 before there is one.
    pub(super) status: u16,
    /// Bytes of the answer's body that were sent.
    pub(super) body_bytes: u64,
    /// Bytes of the body that are on their way in one buffer with the head.
    pub(super) joined_bytes: u64,
    /// What of a part of a file is to be sent after the current piece.
    rest: Range<u64>,
    /// The parts after that.
    parts: VecDeque<Part>,
    /// Bytes of it that the kernel may hold for the client.
    pub(super) queued_bytes: u64,
    /// The connection can't go on: something of this request stays unread.
    pub(super) unread: bool,
    /// What becomes of the connection, as the answer says.
    pub(super) persistence: Persistence,
    pub(super) started_ms: u64,
}

impl<A> Exchange<A> {
    pub(super) fn new(request: Request, plan: Plan, now: Moment) -> Box<Exchange<A>> {
        Box::new(Exchange {
            request,
            plan,
            body: Receiver::none(),
            outcome: Outcome::None,
            status: 0,
            body_bytes: 0,
            joined_bytes: 0,
            rest: 0..0,
            parts: VecDeque::new(),
            queued_bytes: 0,
            unread: false,
            persistence: Persistence::Ends,
            started_ms: now.ms,
        })
    }

    /// An exchange that begins and ends with a refusal: the head could not be read.
    pub(super) fn refused(request: Request, refusal: Refusal, now: Moment) -> Box<Exchange<A>> {
        Exchange::new(request, Plan::Refuse(refusal), now).leave_unread()
    }

    /// The request is not served after all.
    pub(super) fn refuse(mut self: Box<Self>, refusal: Refusal) -> Box<Exchange<A>> {
        self.plan = Plan::Refuse(refusal);
        self.leave_unread()
    }

    /// What follows the head can't be told from another request.
    pub(super) fn leave_unread(mut self: Box<Self>) -> Box<Exchange<A>> {
        self.unread = true;
        self
    }

    /// What goes out first of an answer: `head`, and what of its content goes along.
    pub(super) fn first(
        &mut self,
        mut head: Vec<u8>,
        content: Content<A>,
        app: &App,
    ) -> Transmit<A> {
        let head_bytes = head.len();
        match content {
            Content::Nothing => {}
            Content::Page(page) => head.extend_from_slice(&page),
            Content::Visit(page) => page.write(&app.templates, &mut head),
            Content::File(asset, range) => {
                self.rest = range;
                return self.next(head, asset);
            }
            Content::Parts(asset, parts) => {
                self.parts = parts.into();
                return self.next(head, asset);
            }
        }
        self.joined_bytes = (head.len() - head_bytes) as u64;
        Transmit { head, body: Body::None, rest: 0 }
    }

    /// The next piece of a file, after `head`; what it leaves is for later.
    pub(super) fn next(&mut self, mut head: Vec<u8>, asset: A) -> Transmit<A> {
        if self.rest.is_empty()
            && let Some(part) = self.parts.pop_front()
        {
            self.joined_bytes = part.lead.len() as u64;
            head.extend_from_slice(&part.lead);
            self.rest = part.range;
        }
        let from = self.rest.start;
        let to = self.rest.end.min(from + limits::PIECE_BYTES);
        self.rest.start = to;
        let body = if from == to { Body::None } else { Body::File { asset, from, to } };
        Transmit { head, body, rest: self.rest_bytes() }
    }

    /// What is to be sent after the current piece.
    pub(super) fn rest_bytes(&self) -> u64 {
        let part = |part: &Part| part.lead.len() as u64 + part.range.end - part.range.start;
        self.rest.end - self.rest.start + self.parts.iter().map(part).sum::<u64>()
    }
}
