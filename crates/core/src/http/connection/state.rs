//! The states of a connection.
//!
//! ```text
//!             ┌────────────────────────── kept alive ───────────────────────────┐
//!             ▼                                                                 │
//!  new ─► AwaitingHead ─head─► AwaitingBody ─body─► Ready ─► AwaitingCompletion │
//!         Read  │  │           Read ▲               │ ▲ ▲    Perform │           │
//!               │  └─Expect─► Sending100            │ │ └─completed─┘           │
//!               │             Send                  │ │                         │
//!               └──────────── refused ──────────────┼─┘                         │
//!                                                   └─response─► Sending ─► Answered
//!                                                               Send ▲ │      │
//!                                                                    │ ▼      │
//!                                                      FilePiece, RenderPiece │
//!                                                                             │
//!     Closed ◄─ its end, or 2 s ─ Lingering ◄─ HalfClosing ◄─── to be closed ─┤
//!     Close ▲                     Read         Shutdown  ▲       and the client said
//!           │                                            │       "close"      │
//!           └───────────── nothing unread ───────────── Peeking ◄─────────────┘
//!                                                       Peek
//! ```
//!
//! The want of a state is below its name. A reset leads from every state to Closed;
//! `close_when_idle` leads there from AwaitingHead if the connection is idle. A deadline leads to
//! Closed, or to Ready if an error response can still be sent.

use alloc::boxed::Box;

use super::exchange::Exchange;
use crate::http::application::Application;
use crate::http::close_reason::CloseReason;

pub(super) enum State<P: Application<F>, F> {
    AwaitingHead,
    /// `100 Continue` is to be sent.
    Send100(Box<Exchange<P, F>>),
    /// `100 Continue` is being sent.
    Sending100(Box<Exchange<P, F>>),
    AwaitingBody(Box<Exchange<P, F>>),
    /// The application's next step can be taken.
    Ready(Box<Exchange<P, F>>),
    /// The driver performs an operation.
    AwaitingCompletion(Box<Exchange<P, F>>),
    /// A response, or a piece of it, is being sent.
    Sending(Box<Exchange<P, F>>),
    /// The next piece of a file can be sent.
    FilePiece(Box<Exchange<P, F>>, F),
    /// The next piece of a body can be rendered and sent.
    RenderPiece(Box<Exchange<P, F>>),
    /// The response was sent.
    Answered(Box<Exchange<P, F>>),
    /// The driver is to look for unread input.
    Peeking,
    /// The sending side is to be shut.
    HalfClosing,
    /// The client's last input is read and discarded.
    Lingering,
    /// The connection is over; the exchange, if any, was cut short.
    Closed(CloseReason, Option<Box<Exchange<P, F>>>),
}

impl<P: Application<F>, F> State<P, F> {
    /// The transition to the end, from any state. The first reason stays.
    pub(super) fn closed(self, why: CloseReason) -> State<P, F> {
        match self {
            State::Closed(first, cut_short) => State::Closed(first, cut_short),
            State::Send100(exchange)
            | State::Sending100(exchange)
            | State::AwaitingBody(exchange)
            | State::Ready(exchange)
            | State::AwaitingCompletion(exchange)
            | State::Sending(exchange)
            | State::RenderPiece(exchange)
            | State::FilePiece(exchange, _) => State::Closed(why, Some(exchange)),
            State::AwaitingHead
            | State::Answered(_)
            | State::Peeking
            | State::HalfClosing
            | State::Lingering => State::Closed(why, None),
        }
    }
}
