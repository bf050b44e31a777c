//! A connection as a driver sees it: the driver polls for the next want, and reports the result.
//!
//! `state.rs` draws the states, `transitions.rs` has the transitions of a poll, and this file has
//! the transitions of a report. A request stays in `input` until its response is sent, since spans
//! refer to its text there.

mod exchange;
mod state;
mod transitions;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::access_record::{AccessRecord, CutShort};
use super::application::{Application, Resume};
use super::close_reason::CloseReason;
use super::deadline::{Deadline, Timeout};
use super::error_response::ErrorResponse;
use super::status::Status;
use super::transmit::{Body, Sent, Transmit};
use super::want::{Ticket, Want};
use crate::limits;
use crate::now::Now;
use exchange::Exchange;
use state::State;

/// An HTTP/1.1 server connection that serves the application `P`. `F` is the driver's handle to an
/// open file.
///
/// A driver calls these methods:
///
/// | method | when |
/// |---|---|
/// | [`new`](Connection::new) | a client was accepted |
/// | [`poll`](Connection::poll) | after each report, and when the deadline has passed |
/// | [`received`](Connection::received) | bytes came, or the client stopped sending |
/// | [`completed`](Connection::completed) | an operation is complete |
/// | [`sent`](Connection::sent) | a transmit is with the kernel, or failed |
/// | [`peeked`](Connection::peeked) | the driver looked for unread input |
/// | [`reset`](Connection::reset) | the client reset the connection |
/// | [`close_when_idle`](Connection::close_when_idle) | to end the connection, at once if idle |
/// | [`drain`](Connection::drain) | to end the connection with its next response |
/// | [`deadline`](Connection::deadline) | when to poll at the latest |
/// | [`is_idle`](Connection::is_idle) | whether no request has started |
/// | [`has_unread`](Connection::has_unread) | whether closing would reset the connection |
///
/// [`poll`](Connection::poll) returns what the connection wants next; the driver performs it,
/// reports the result, and polls again. When [`deadline`](Connection::deadline) passes, the driver
/// polls even if it has nothing to report: the new want replaces the old one, and a late report is
/// ignored.
pub struct Connection<P: Application<F>, F> {
    state: State<P, F>,
    deadline: Option<Deadline>,
    /// Received bytes that belong to no finished request.
    input: Vec<u8>,
    /// Where the current request begins in `input`; pipelined requests can follow it.
    start: usize,
    /// How many bytes after `start` were parsed already and are an incomplete head.
    seen: u32,
    /// The number of requests so far.
    requests: u32,
    /// The number of operations so far, which is the ticket of the last operation.
    operations: u32,
    /// Whether the client has stopped sending.
    input_ended: bool,
    /// Whether the driver ends the connection, and how soon.
    leaving: Leaving,
    /// Whether some input stays unread at the end.
    leaves_unread: bool,
}

/// How soon a driver ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// After the next response, even if its request has not come yet.
    AfterResponse,
    /// After the current response, or at once if there is none.
    WhenIdle,
}

impl<P: Application<F>, F> Default for Connection<P, F> {
    fn default() -> Connection<P, F> {
        Connection::new()
    }
}

impl<P: Application<F>, F> Connection<P, F> {
    /// A connection that was just accepted.
    pub fn new() -> Connection<P, F> {
        Connection {
            state: State::AwaitingHead,
            deadline: None,
            input: Vec::new(),
            start: 0,
            seen: 0,
            requests: 0,
            operations: 0,
            input_ended: false,
            leaving: Leaving::No,
            leaves_unread: false,
        }
    }

    /// What the connection wants next.
    pub fn poll(&mut self, app: &P, now: Now) -> Want<F, P::Operation> {
        if self.deadline.is_some_and(|deadline| deadline.at_ms <= now.ms) {
            self.expire(app, now);
        }
        loop {
            // If the application panics, the connection stays closed.
            let state = mem::replace(&mut self.state, State::Closed(CloseReason::Bug, None));
            let (state, want) = self.advance(state, app, now);
            self.state = state;
            if let Some(want) = want {
                return want;
            }
        }
    }

    /// Bytes came from the client. An empty slice says that the client has stopped sending; the
    /// client still gets its responses.
    ///
    /// Returns how many bytes were taken: after [`Want::Read`] all of them, up to
    /// [`limits::READ_BYTES`]; at any other time, those that fit in [`limits::INPUT_BYTES`]. The
    /// driver keeps the rest, reports it again at the next [`Want::Read`], and reads nothing more
    /// from the client until then.
    pub fn received(&mut self, bytes: &[u8]) -> usize {
        match self.state {
            State::Closed(..) => {}
            State::Lingering if bytes.is_empty() => self.close(CloseReason::Done),
            State::Lingering | State::HalfClosing => {}
            _ if bytes.is_empty() => self.input_ended = true,
            _ => {
                let room = limits::INPUT_BYTES.saturating_sub(self.pending().len());
                let taken = bytes.len().min(room);
                self.input.drain(..mem::take(&mut self.start));
                self.input.extend_from_slice(&bytes[..taken]);
                return taken;
            }
        }
        bytes.len()
    }

    /// The result of [`Want::Perform`]. A late report has no effect.
    pub fn completed(&mut self, ticket: Ticket, completion: P::Completion) {
        if ticket == Ticket(self.operations) {
            self.resume(Resume::Completed(completion));
        }
    }

    /// The result of [`Want::Peek`].
    pub fn peeked(&mut self, has_unread: bool) {
        self.leaves_unread |= has_unread && matches!(self.state, State::Peeking);
        self.change(|state| match state {
            State::Peeking if has_unread => State::HalfClosing,
            State::Peeking => State::Closed(CloseReason::Done, None),
            late => late,
        });
    }

    /// The result of [`Want::Send`]. Returns what to log and count if a response is now complete.
    pub fn sent(&mut self, transmit: Transmit<F>, outcome: Sent) -> Option<AccessRecord<'_>> {
        let (head_bytes, body_bytes) = (transmit.head.len() as u64, transmit.body.len());
        self.change(|state| match (state, outcome) {
            (State::Sending100(exchange), Sent::Whole) => State::AwaitingBody(exchange),
            (State::Sending(mut exchange), Sent::Whole) => {
                exchange.count_sent(head_bytes, head_bytes + body_bytes);
                match transmit.body {
                    Body::File { asset, .. } if exchange.file_bytes_left() > 0 => {
                        State::FilePiece(exchange, asset)
                    }
                    _ if exchange.rendering_bytes_left > 0 => State::RenderPiece(exchange),
                    _ => State::Answered(exchange),
                }
            }
            (State::Sending100(exchange), cut) => State::Sending100(exchange).closed(cut.reason()),
            (State::Sending(mut exchange), cut) => {
                exchange.count_sent(head_bytes, cut.bytes());
                State::Sending(exchange).closed(cut.reason())
            }
            (late, _) => late,
        });
        match &self.state {
            State::Answered(exchange) => Some(self.access_record(exchange)),
            // A transmit that was cut short needs no deadline any more.
            State::Closed(..) => {
                self.deadline = None;
                None
            }
            _ => None,
        }
    }

    /// The client reset the connection.
    pub fn reset(&mut self) {
        self.close(CloseReason::HungUp);
    }

    /// Ends the connection: at once if it is idle, else after the current response.
    pub fn close_when_idle(&mut self) {
        self.leaving = Leaving::WhenIdle;
    }

    /// Ends the connection with its next response. An idle client keeps its deadline: closing an
    /// idle connection would lose a request that is on its way.
    pub fn drain(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::AfterResponse;
        }
    }

    /// When to poll even if there is nothing to report.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Whether the connection waits for a request and has received none of it.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::AwaitingHead) && self.is_quiet()
    }

    /// Whether the client may have sent input that was not read. Closing the socket would then
    /// reset the connection.
    pub fn has_unread(&self) -> bool {
        self.leaves_unread
    }

    /// The response that the end of the connection cuts short, if one was started.
    fn cut_short(&self, exchange: Option<Box<Exchange<P, F>>>) -> Option<Box<CutShort>> {
        let started = exchange.filter(|exchange| exchange.status != 0)?;
        Some(CutShort::new(self.access_record(&started)))
    }

    fn access_record(&self, exchange: &Exchange<P, F>) -> AccessRecord<'_> {
        AccessRecord {
            request_line: exchange.head.line.of(self.pending()),
            status: exchange.status,
            body_bytes: exchange.body_bytes,
            started: exchange.started,
        }
    }

    /// The current request, and the input after it.
    fn pending(&self) -> &[u8] {
        &self.input[self.start..]
    }

    /// Whether no request has begun. Empty lines before a request do not count, and the last of
    /// them can be incomplete.
    fn is_quiet(&self) -> bool {
        let lines = self.pending().chunks(2);
        lines.len() <= limits::EMPTY_LINES + 1
            && lines.clone().take(limits::EMPTY_LINES).all(|line| b"\r\n".starts_with(line))
            && lines.skip(limits::EMPTY_LINES).all(|line| line == b"\r")
    }

    fn change(&mut self, change: impl FnOnce(State<P, F>) -> State<P, F>) {
        self.state = change(mem::replace(&mut self.state, State::Closed(CloseReason::Bug, None)));
    }

    /// Continues the plan that waits for an operation.
    fn resume(&mut self, resume: Resume<P::Completion>) {
        self.change(|state| match state {
            State::AwaitingCompletion(mut exchange) => {
                exchange.resume = resume;
                State::Ready(exchange)
            }
            late => late,
        });
    }

    fn close(&mut self, why: CloseReason) {
        self.deadline = None;
        self.change(|state| state.closed(why));
    }

    fn set_deadline(&mut self, on: Timeout, within_ms: u64, now: Now) {
        self.deadline = Some(Deadline { at_ms: now.ms + within_ms, on });
    }

    /// Handles a deadline that has passed.
    fn expire(&mut self, app: &P, now: Now) {
        let Some(deadline) = self.deadline.take() else { return };
        let late = ErrorResponse::closing(
            Status::REQUEST_TIMEOUT,
            "The request did not arrive in time; the server stopped waiting for it.",
        );
        match deadline.on {
            Timeout::KeepAlive => self.close(CloseReason::Idle),
            Timeout::Delivery => self.close(CloseReason::TooSlow),
            Timeout::Linger => self.close(CloseReason::Done),
            Timeout::FirstByte | Timeout::Head => {
                self.state = self.refuse_head(late, app.limits(), now);
            }
            Timeout::Body => self.change(|state| match state {
                State::AwaitingBody(exchange) => State::Ready(exchange.refuse(late)),
                other => other,
            }),
            Timeout::File | Timeout::Store => self.resume(Resume::TimedOut),
        }
    }
}
