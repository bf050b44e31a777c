//! The transitions of a poll: those that need no report from the driver.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::exchange::Exchange;
use super::state::State;
use super::{Connection, Leaving};
use crate::http::application::{Application, Resume, Step};
use crate::http::body::BodyDecoder;
use crate::http::close_reason::CloseReason;
use crate::http::deadline::{Deadline, Timeout};
use crate::http::error_response::ErrorResponse;
use crate::http::fields::{Expectation, Framing};
use crate::http::head::{self, RequestHead};
use crate::http::method::Method;
use crate::http::request::Request;
use crate::http::response::{Response, ResponseBody};
use crate::http::response_head::{CONTINUE, Persistence};
use crate::http::status::Status;
use crate::http::transmit::{Body, Transmit};
use crate::http::want::{Ticket, Want};
use crate::limits::{self, Limits};
use crate::now::Now;

/// The next state, and its want if the connection needs a report to go on.
type Transition<P, F> = (State<P, F>, Option<Want<F, <P as Application<F>>::Operation>>);

const UNKNOWN_EXPECTATION: ErrorResponse = ErrorResponse::closing(
    Status::EXPECTATION_FAILED,
    "The only expectation that this server meets is 100-continue.",
);
const HEAD_CUT: ErrorResponse = ErrorResponse::malformed("The connection ended within a request.");
const BODY_CUT: ErrorResponse =
    ErrorResponse::malformed("The connection ended within the body of a request.");

impl<P: Application<F>, F> Connection<P, F> {
    pub(super) fn advance(&mut self, state: State<P, F>, app: &P, now: Now) -> Transition<P, F> {
        match state {
            State::AwaitingHead => self.await_request(app, now),
            State::Send100(exchange) => {
                let transmit = Transmit { head: CONTINUE.to_vec(), body: Body::None, rest: 0 };
                self.set_delivery_deadline(&transmit, app, now);
                (State::Sending100(exchange), Some(Want::Send(transmit)))
            }
            State::AwaitingBody(exchange) => self.receive(exchange, app),
            State::Ready(exchange) => self.step(exchange, app, now),
            State::FilePiece(mut exchange, asset) => {
                let transmit = exchange.next_file_piece(Vec::new(), asset);
                self.send(exchange, transmit, app, now)
            }
            State::RenderPiece(mut exchange) => {
                let transmit = exchange.next_rendered_piece(app);
                self.send(exchange, transmit, app, now)
            }
            State::Answered(exchange) => (self.finish(&exchange), None),
            State::HalfClosing => {
                self.set_deadline(Timeout::Linger, app.limits().linger_timeout_ms, now);
                (State::Lingering, Some(Want::Shutdown))
            }
            State::Lingering => (State::Lingering, Some(Want::Read)),
            State::Closed(why, exchange) => {
                self.deadline = None;
                let cut_short = self.cut_short(exchange);
                (State::Closed(why, None), Some(Want::Close(why, cut_short)))
            }
            State::Peeking => (State::Peeking, Some(Want::Peek)),
            unreported @ (State::Sending100(_)
            | State::AwaitingCompletion(_)
            | State::Sending(_)) => (unreported, Some(Want::Wait)),
        }
    }

    // Not inlined: inlining makes every request one percent slower.
    #[inline(never)]
    fn await_request(&mut self, app: &P, now: Now) -> Transition<P, F> {
        if self.is_quiet() {
            if self.input_ended {
                return (State::Closed(CloseReason::Left, None), None);
            }
            if self.leaving == Leaving::WhenIdle {
                return (State::Closed(CloseReason::ClosedWhenIdle, None), None);
            }
        }
        let error = match self.next_request(app) {
            Ok(Some(head)) => return (self.begin(head, app, now), None),
            Ok(None) if !self.input_ended => {
                self.await_head(app, now);
                return (State::AwaitingHead, Some(Want::Read));
            }
            Ok(None) => HEAD_CUT,
            Err(error) => error,
        };
        (self.refuse_head(error, app.limits(), now), None)
    }

    /// The state after a head that is malformed or late: the error response is ready.
    #[cold]
    pub(super) fn refuse_head(
        &self,
        error: ErrorResponse,
        limits: &Limits,
        now: Now,
    ) -> State<P, F> {
        let head = RequestHead::unreadable(self.pending(), limits);
        State::Ready(Exchange::new(head, Err(error), now).leave_unread())
    }

    /// Parses the next request head. An incomplete head is parsed again only when a line has ended,
    /// or when no more input can come.
    fn next_request(&mut self, app: &P) -> Result<Option<RequestHead>, ErrorResponse> {
        let input = &self.input[self.start..];
        let no_line_ended =
            self.seen > 0 && memchr::memchr(b'\n', &input[self.seen as usize..]).is_none();
        let more_may_come =
            no_line_ended && !self.input_ended && head::is_within_bounds(input, app.limits());
        if input.is_empty() || more_may_come {
            self.seen = input.len() as u32;
            return Ok(None);
        }
        let parsed = head::parse(input, app.limits());
        self.seen = if let Ok(None) = parsed { input.len() as u32 } else { 0 };
        parsed
    }

    /// Sets the deadline of a head. The time for the first head counts from the accept, that for a
    /// later head from its first byte.
    fn await_head(&mut self, app: &P, now: Now) {
        let limits = app.limits();
        let silence_ms = || limits.first_byte_timeout_ms.min(limits.header_timeout_ms);
        let is_quiet = self.is_quiet();
        match self.deadline {
            None if is_quiet && self.requests > 0 => {
                if self.pending().is_empty() {
                    // A connection that waits for a request owns no buffer.
                    self.input = Vec::new();
                    self.start = 0;
                }
                self.set_deadline(Timeout::KeepAlive, limits.keep_alive_timeout_ms, now);
            }
            None if is_quiet => self.set_deadline(Timeout::FirstByte, silence_ms(), now),
            None => self.set_deadline(Timeout::Head, limits.header_timeout_ms, now),
            Some(Deadline { on: Timeout::KeepAlive, .. }) if !is_quiet => {
                self.set_deadline(Timeout::Head, limits.header_timeout_ms, now);
            }
            Some(Deadline { on: Timeout::FirstByte, at_ms }) if !is_quiet => {
                let at_ms = at_ms - silence_ms() + limits.header_timeout_ms;
                self.deadline = Some(Deadline { at_ms, on: Timeout::Head });
            }
            Some(_) => {}
        }
    }

    /// Decides what a request with a whole head means, and whether its body is to come first.
    fn begin(&mut self, head: RequestHead, app: &P, now: Now) -> State<P, F> {
        self.requests = self.requests.wrapping_add(1);
        self.deadline = None;
        let (framing, expectation) = (head.framing, head.expectation);
        // A client that has sent part of its body needs no 100.
        let holds_back = expectation == Expectation::Continue && self.pending().len() == head.len;
        let plan = app.plan(Request::new(&head, self.pending()));
        let wants_body = plan.as_ref().is_ok_and(|plan| app.wants_body(plan));
        let mut exchange = Exchange::new(head, plan, now);
        if expectation == Expectation::Unknown {
            return State::Ready(exchange.refuse(UNKNOWN_EXPECTATION));
        }
        exchange.body = match BodyDecoder::expect(framing, wants_body, app.limits()) {
            Ok(decoder) => decoder,
            Err(error) => return State::Ready(exchange.refuse(error)),
        };
        match framing {
            Framing::None => State::Ready(exchange),
            // The response is known, so the body need not be sent (RFC 9110 §10.1.1).
            _ if holds_back && !wants_body => State::Ready(exchange.leave_unread()),
            _ if holds_back => State::Send100(exchange),
            _ => State::AwaitingBody(exchange),
        }
    }

    fn receive(&mut self, mut exchange: Box<Exchange<P, F>>, app: &P) -> Transition<P, F> {
        let at = self.start + exchange.head.len;
        match exchange.body.take(&self.input[at..], app.limits()) {
            Err(error) => return (State::Ready(exchange.refuse(error)), None),
            Ok(taken) => drop(self.input.drain(at..at + taken)),
        }
        if exchange.body.is_whole() {
            return (State::Ready(exchange), None);
        }
        if self.input_ended {
            return (State::Ready(exchange.refuse(BODY_CUT)), None);
        }
        let received = exchange.body.received() as u64;
        let earned_ms = received * 1000 / app.limits().body_bytes_per_second;
        let at_ms = exchange.started.ms + app.limits().body_timeout_ms + earned_ms;
        self.deadline = Some(Deadline { at_ms, on: Timeout::Body });
        (State::AwaitingBody(exchange), Some(Want::Read))
    }

    fn step(&mut self, mut exchange: Box<Exchange<P, F>>, app: &P, now: Now) -> Transition<P, F> {
        self.deadline = None;
        let resume = mem::replace(&mut exchange.resume, Resume::Start);
        let Exchange { plan, head, body, .. } = &mut *exchange;
        let request = Request::new(head, self.pending());
        let step = match plan {
            Ok(plan) => app.step(plan, request, body.bytes(), resume, now),
            Err(error) => Err(*error),
        };
        let response = match step {
            Ok(Step::Perform { operation, on, within_ms }) => {
                self.set_deadline(on, within_ms, now);
                self.operations = self.operations.wrapping_add(1);
                let want = Want::Perform(Ticket(self.operations), operation);
                return (State::AwaitingCompletion(exchange), Some(want));
            }
            Ok(Step::Respond(response)) => response,
            Err(error) => {
                exchange.leaves_unread |= error.closes;
                app.error_page(error, now)
            }
        };
        self.respond(exchange, response, app, now)
    }

    fn respond(
        &mut self,
        mut exchange: Box<Exchange<P, F>>,
        response: Response<F, P::Rendering>,
        app: &P,
        now: Now,
    ) -> Transition<P, F> {
        exchange.status = response.status.code();
        exchange.persistence = self.persistence(&exchange, app);
        let head = response.head.finish(exchange.persistence);
        let body = match response.body {
            _ if exchange.head.method == Method::Head => ResponseBody::Empty,
            body => body,
        };
        let transmit = exchange.first_transmit(head, body, app);
        self.send(exchange, transmit, app, now)
    }

    fn send(
        &mut self,
        exchange: Box<Exchange<P, F>>,
        transmit: Transmit<F>,
        app: &P,
        now: Now,
    ) -> Transition<P, F> {
        self.set_delivery_deadline(&transmit, app, now);
        (State::Sending(exchange), Some(Want::Send(transmit)))
    }

    /// Sets the deadline of a transmit. A longer transmit has more time.
    fn set_delivery_deadline(&mut self, transmit: &Transmit<F>, app: &P, now: Now) {
        let bytes = transmit.head.len() as u64 + transmit.body.len();
        self.set_deadline(Timeout::Delivery, app.limits().delivery_timeout_ms(bytes), now);
    }

    fn persistence(&self, exchange: &Exchange<P, F>, app: &P) -> Persistence {
        let head = &exchange.head;
        let nothing_follows = self.input_ended && self.pending().len() <= head.len;
        let stays_open = head.wants_keep_alive
            && !exchange.leaves_unread
            && self.leaving == Leaving::No
            && !nothing_follows
            && app.limits().keep_alive_timeout_ms > 0
            && self.requests < app.limits().requests_per_connection;
        match (stays_open, head.is_1_1) {
            (false, _) => Persistence::Ends,
            (true, true) => Persistence::Implied,
            (true, false) => Persistence::Explicit,
        }
    }

    /// Ends a request: the connection then awaits the next one, or begins to close.
    fn finish(&mut self, exchange: &Exchange<P, F>) -> State<P, F> {
        self.deadline = None;
        self.start += exchange.head.len;
        if exchange.persistence != Persistence::Ends {
            return State::AwaitingHead;
        }
        self.leaves_unread = exchange.leaves_unread || !self.pending().is_empty();
        if self.input_ended {
            return State::Closed(CloseReason::Done, None);
        }
        // Closing a socket that still has input resets the connection, and the reset can overtake
        // the response (RFC 9112 §9.6). A client that said "close" sends nothing more while it
        // waits for a short response, so a look at the socket is enough.
        let is_short = exchange.body_bytes <= limits::SHORT_ANSWER_BYTES;
        match !exchange.head.wants_keep_alive && is_short && !self.leaves_unread {
            true => State::Peeking,
            false => State::HalfClosing,
        }
    }
}
