//! A connection, as a driver meets it: polled for what it wants, and told what became of that.
//!
//! The states are drawn in `state.rs`, and what each makes of itself stands in `turn.rs`;
//! here is what a driver reports. A request stays where it was received, at the
//! front of `input`, until its answer is given: the program refers to its text by spans.

mod state;
mod turn;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use crate::app::{App, Asset, Listing, NoAsset, Outcome};
use crate::http::refusal::Refusal;
use crate::http::response::Status;
use crate::limits::{self, Limits};
use crate::moment::Moment;
use crate::store::{Reply, StoreDown};
use crate::want::{Body, Closing, Deadline, Patience, Sent, Served, Ticket, Transmit, Want};
use state::{Exchange, State};

/// An HTTP/1.1 server connection.
///
/// [`poll`](Connection::poll) names what it wants next; the driver pays that, reports it, and polls
/// again. When [`deadline`](Connection::deadline) passes, the driver polls although it is still
/// paying: the new want replaces the old one, and a late payment is ignored.
#[derive(Debug)]
pub struct Connection<A> {
    state: State<A>,
    deadline: Option<Deadline>,
    /// What was received and belongs to no finished request.
    input: Vec<u8>,
    /// Where the request that is being served begins; what follows it was pipelined.
    start: usize,
    /// Bytes after `start` that were looked at and found to be an incomplete head.
    seen: usize,
    /// Requests so far; also the ticket of the question that the current one asks.
    requests: u32,
    /// The client has stopped sending.
    ended: bool,
    /// Whether the driver wants it to end, and how soon.
    leaving: Leaving,
    /// Whether something that the client has sent is left unread at the end.
    unread: Unread,
}

/// Whether something that a client has sent is left unread at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    No,
    /// The client had said that it would send no more, and was not waited for.
    Perhaps,
    Yes,
}

/// Whether a driver wants a connection to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// With the next answer, whenever that is asked for.
    AfterAnswer,
    /// With this answer; at once if none is owed.
    AtOnce,
}

impl<A: Asset> Default for Connection<A> {
    fn default() -> Connection<A> {
        Connection::new()
    }
}

impl<A: Asset> Connection<A> {
    /// A connection that was just accepted.
    pub fn new() -> Connection<A> {
        Connection {
            state: State::Listening,
            deadline: None,
            input: Vec::new(),
            start: 0,
            seen: 0,
            requests: 0,
            ended: false,
            leaving: Leaving::No,
            unread: Unread::No,
        }
    }

    /// What it wants next.
    pub fn poll(&mut self, app: &App, now: Moment) -> Want<A> {
        if self.deadline.is_some_and(|deadline| deadline.at_ms <= now.ms) {
            self.expire(app, now);
        }
        loop {
            // Should anything panic, the connection is found closed.
            let state = mem::replace(&mut self.state, State::Closed(Closing::Bug, None));
            let (state, want) = self.turn(state, app, now);
            self.state = state;
            if let Some(want) = want {
                return want;
            }
        }
    }

    /// Bytes came from the client; none say that it has stopped sending, and is still to be
    /// answered. Legal at any time: up to [`limits::INPUT_BYTES`] are kept while an answer is owed.
    pub fn received(&mut self, bytes: &[u8]) {
        match self.state {
            State::Closed(..) => {}
            State::Lingering if bytes.is_empty() => self.close(Closing::Done),
            State::Lingering | State::Parting => {}
            _ if bytes.is_empty() => self.ended = true,
            _ if self.pending().len() + bytes.len() > limits::INPUT_BYTES => {
                self.close(Closing::Flood);
            }
            _ => {
                self.input.drain(..mem::take(&mut self.start));
                self.input.extend_from_slice(bytes);
            }
        }
    }

    /// The file that was asked for with [`Want::Open`], or why not.
    pub fn opened(&mut self, found: Result<A, NoAsset>) {
        self.resume(|state| match state {
            State::Opening(mut exchange) => {
                exchange.outcome = Outcome::Opened(found);
                State::Ready(exchange)
            }
            late => late,
        });
    }

    /// The page that was asked for with [`Want::List`], or why not.
    pub fn listed(&mut self, found: Result<Arc<Listing>, NoAsset>) {
        self.resume(|state| match state {
            State::Opening(mut exchange) => {
                exchange.outcome = Outcome::Listed(found);
                State::Ready(exchange)
            }
            late => late,
        });
    }

    /// The answer to [`Want::Ask`], or why there is none.
    pub fn answered(&mut self, ticket: Ticket, reply: Result<Reply, StoreDown>) {
        let expected = self.ticket() == ticket;
        self.resume(|state| match state {
            State::Asking(mut exchange) if expected => {
                exchange.outcome = Outcome::Told(reply);
                State::Ready(exchange)
            }
            late => late,
        });
    }

    /// What became of [`Want::Send`]. Returns what to log and count when that completes an answer.
    pub fn sent(&mut self, transmit: Transmit<A>, outcome: Sent) -> Option<Served<'_>> {
        let body_bytes = transmit.body.len();
        self.resume(|state| match (state, outcome) {
            (State::Continuing(exchange), Sent::Whole) => State::Receiving(exchange),
            (State::Sending(mut exchange), Sent::Whole) => {
                exchange.body_bytes += body_bytes + mem::take(&mut exchange.joined_bytes);
                match transmit.body {
                    Body::File { asset, .. } if exchange.rest_bytes() > 0 => {
                        State::Piece(exchange, asset)
                    }
                    _ => State::Answered(exchange),
                }
            }
            (underway @ (State::Continuing(_) | State::Sending(_)), Sent::Short) => {
                underway.closed(Closing::Truncated)
            }
            (underway @ (State::Continuing(_) | State::Sending(_)), Sent::Failed) => {
                underway.closed(Closing::HungUp)
            }
            (late, _) => late,
        });
        match &self.state {
            State::Answered(exchange) => Some(self.served(exchange)),
            _ => None,
        }
    }

    /// The kernel holds up to so many bytes more of this answer than the client was given time for:
    /// it may take the time for these as well.
    pub fn queues(&mut self, bytes: u64, limits: &Limits) {
        let State::Sending(exchange) = &mut self.state else { return };
        let more = bytes.saturating_sub(exchange.queued_bytes);
        exchange.queued_bytes += more;
        if let Some(deadline) = &mut self.deadline {
            deadline.at_ms += more * 1000 / limits.send_bytes_per_second;
        }
    }

    /// The client reset the connection.
    pub fn hung_up(&mut self) {
        self.close(Closing::HungUp);
    }

    /// The driver wants the connection to end: at once if it is idle, else after this answer.
    pub fn retire(&mut self) {
        self.leaving = Leaving::AtOnce;
    }

    /// The driver wants the connection to end with its next answer. A client that is idle is waited
    /// for as ever: what it has sent just now is not lost, as it is when an idle connection closes.
    pub fn wind_down(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::AfterAnswer;
        }
    }

    /// When to poll even if nothing was paid.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// After [`Want::Close`]: whether the client may have sent more although it had said that it
    /// would not. Where the driver finds so, it says that with [`linger`](Connection::linger),
    /// since closing a socket that has unread input resets the connection.
    pub fn may_have_unread(&self) -> bool {
        self.unread == Unread::Perhaps && matches!(self.state, State::Closed(Closing::Done, None))
    }

    /// More was found after all: the connection goes on, to its end.
    pub fn linger(&mut self) {
        if self.may_have_unread() {
            self.unread = Unread::Yes;
            self.state = State::Parting;
        }
    }

    /// Whether it waits for a request of which nothing has come.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Listening) && self.is_quiet()
    }

    /// Whether a request was served on it, so that it was kept alive if it is idle.
    pub fn has_served(&self) -> bool {
        self.requests > 0
    }

    /// Whether, after its last answer, there may be more to come of what the client sent. To close
    /// without draining that would reset the connection.
    pub fn has_unread(&self) -> bool {
        self.unread == Unread::Yes
    }

    /// The answer that the end of the connection cut short, to be logged and counted too.
    pub fn unfinished(&self) -> Option<Served<'_>> {
        match &self.state {
            State::Closed(_, Some(exchange)) if exchange.status != 0 => Some(self.served(exchange)),
            _ => None,
        }
    }

    fn served(&self, exchange: &Exchange<A>) -> Served<'_> {
        Served {
            request_line: exchange.request.line.of(self.pending()),
            status: exchange.status,
            body_bytes: exchange.body_bytes,
            started_ms: exchange.started_ms,
        }
    }

    /// The request that is being served, and what came after it.
    fn pending(&self) -> &[u8] {
        &self.input[self.start..]
    }

    /// Whether nothing has come but the empty lines that are ignored before a request, the last of
    /// which may be incomplete.
    fn is_quiet(&self) -> bool {
        let lines = self.pending().chunks(2);
        lines.len() <= limits::EMPTY_LINES + 1
            && lines.clone().take(limits::EMPTY_LINES).all(|line| b"\r\n".starts_with(line))
            && lines.skip(limits::EMPTY_LINES).all(|line| line == b"\r")
    }

    fn ticket(&self) -> Ticket {
        Ticket(self.requests)
    }

    fn resume(&mut self, change: impl FnOnce(State<A>) -> State<A>) {
        self.state = change(mem::replace(&mut self.state, State::Closed(Closing::Bug, None)));
    }

    fn close(&mut self, why: Closing) {
        self.deadline = None;
        self.resume(|state| state.closed(why));
    }

    fn expect(&mut self, on: Patience, within_ms: u64, now: Moment) {
        self.deadline = Some(Deadline { at_ms: now.ms + within_ms, on });
    }

    /// The deadline has passed.
    fn expire(&mut self, app: &App, now: Moment) {
        let Some(deadline) = self.deadline.take() else { return };
        let late = Refusal::closing(
            Status::REQUEST_TIMEOUT,
            "The request did not arrive in time; the server stopped waiting for it.",
        );
        match deadline.on {
            Patience::NextRequest => self.close(Closing::Idle),
            Patience::Delivery => self.close(Closing::TooSlow),
            Patience::Goodbye => self.close(Closing::Done),
            Patience::FirstByte | Patience::Head => self.state = self.refuse_head(late, app, now),
            Patience::Body => self.resume(|state| match state {
                State::Receiving(exchange) => State::Ready(exchange.refuse(late)),
                other => other,
            }),
            Patience::Store => self.answered(self.ticket(), Err(StoreDown::TimedOut)),
        }
    }
}
