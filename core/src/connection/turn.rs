//! What each state makes of itself: the transitions that need nobody's report.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::state::{Exchange, State};
use super::{Connection, Leaving, Unread};
use crate::app::{self, Answer, App, Asset, Content, Outcome, Step};
use crate::http::body::Receiver;
use crate::http::fields::{Expectation, Framing};
use crate::http::head::{self, Method, Request};
use crate::http::refusal::Refusal;
use crate::http::response::{CONTINUE, Persistence, Status};
use crate::limits;
use crate::moment::Moment;
use crate::want::{Body, Closing, Deadline, Patience, Transmit, Want};

/// The next state, and what it wants if it can't go on by itself.
type Turn<A> = (State<A>, Option<Want<A>>);

const UNKNOWN_EXPECTATION: Refusal = Refusal::closing(
    Status::EXPECTATION_FAILED,
    "The only expectation that this server meets is 100-continue.",
);
const HEAD_CUT: Refusal = Refusal::malformed("The connection ended within a request.");
const BODY_CUT: Refusal = Refusal::malformed("The connection ended within the body of a request.");

impl<A: Asset> Connection<A> {
    pub(super) fn turn(&mut self, state: State<A>, app: &App, now: Moment) -> Turn<A> {
        match state {
            State::Listening => self.listen(app, now),
            State::Encouraging(exchange) => {
                let transmit = Transmit { head: CONTINUE.to_vec(), body: Body::None, rest: 0 };
                self.expect_delivery(&transmit, 0, app, now);
                (State::Continuing(exchange), Some(Want::Send(transmit)))
            }
            State::Receiving(exchange) => self.receive(exchange, app),
            State::Ready(exchange) => self.step(exchange, app, now),
            State::Piece(mut exchange, asset) => {
                let transmit = exchange.next(Vec::new(), asset);
                self.send(exchange, transmit, app, now)
            }
            State::Answered(exchange) => (self.finish(&exchange), None),
            State::Parting => {
                self.expect(Patience::Goodbye, app.limits.linger_timeout_ms, now);
                (State::Lingering, Some(Want::Shutdown))
            }
            State::Lingering => (State::Lingering, Some(Want::Read)),
            State::Closed(why, cut_short) => {
                self.deadline = None;
                (State::Closed(why, cut_short), Some(Want::Close(why)))
            }
            owed @ (State::Continuing(_)
            | State::Opening(_)
            | State::Asking(_)
            | State::Sending(_)) => (owed, Some(Want::Wait)),
        }
    }

    // Apart from the others: inlined, it makes every turn dearer, by a hundredth of a request.
    #[inline(never)]
    fn listen(&mut self, app: &App, now: Moment) -> Turn<A> {
        if self.is_quiet() {
            if self.ended {
                return (State::Closed(Closing::Left, None), None);
            }
            if self.leaving == Leaving::AtOnce {
                return (State::Closed(Closing::Retired, None), None);
            }
        }
        let refusal = match self.next_request(app) {
            Ok(Some(request)) => return (self.begin(request, app, now), None),
            Ok(None) if !self.ended => {
                self.await_head(app, now);
                return (State::Listening, Some(Want::Read));
            }
            Ok(None) => HEAD_CUT,
            Err(refusal) => refusal,
        };
        (self.refuse_head(refusal, app, now), None)
    }

    /// The head of the request can't be read, or is late.
    #[cold]
    pub(super) fn refuse_head(&self, refusal: Refusal, app: &App, now: Moment) -> State<A> {
        let request = Request::unreadable(self.pending(), &app.limits);
        State::Ready(Exchange::refused(request, refusal, now))
    }

    /// The request that the input begins with. A head is read again only when a line has ended, or
    /// nothing more can come.
    fn next_request(&mut self, app: &App) -> Result<Option<Request>, Refusal> {
        let input = &self.input[self.start..];
        let no_line_ended = self.seen > 0 && memchr::memchr(b'\n', &input[self.seen..]).is_none();
        let more_may_come = no_line_ended && !self.ended && head::within_bounds(input, &app.limits);
        if input.is_empty() || more_may_come {
            self.seen = input.len();
            return Ok(None);
        }
        let parsed = head::parse(input, &app.limits);
        self.seen = if let Ok(None) = parsed { input.len() } else { 0 };
        parsed
    }

    /// The first head is due soon after the accept, another soon after its first byte.
    fn await_head(&mut self, app: &App, now: Moment) {
        let limits = &app.limits;
        let silence_ms = || limits.first_byte_timeout_ms.min(limits.header_timeout_ms);
        let nothing = self.is_quiet();
        match self.deadline {
            None if nothing && self.requests > 0 => {
                if self.pending().is_empty() {
                    // A client that waits owns no buffer.
                    self.input = Vec::new();
                    self.start = 0;
                }
                self.expect(Patience::NextRequest, limits.keep_alive_timeout_ms, now);
            }
            None if nothing => self.expect(Patience::FirstByte, silence_ms(), now),
            None => self.expect(Patience::Head, limits.header_timeout_ms, now),
            Some(Deadline { on: Patience::NextRequest, .. }) if !nothing => {
                self.expect(Patience::Head, limits.header_timeout_ms, now);
            }
            Some(Deadline { on: Patience::FirstByte, at_ms }) if !nothing => {
                let at_ms = at_ms - silence_ms() + limits.header_timeout_ms;
                self.deadline = Some(Deadline { at_ms, on: Patience::Head });
            }
            Some(_) => {}
        }
    }

    /// A head is whole: decide what it means, and whether its body is to come first.
    fn begin(&mut self, request: Request, app: &App, now: Moment) -> State<A> {
        self.requests = self.requests.wrapping_add(1);
        self.deadline = None;
        let (framing, expectation) = (request.framing, request.expectation);
        // One that sent its body along needs no encouragement.
        let holds_back =
            expectation == Expectation::Continue && self.pending().len() == request.len;
        let plan = app::plan(app, &request, &self.pending()[..request.len]);
        let wanted = plan.wants_body();
        let mut exchange = Exchange::new(request, plan, now);
        if expectation == Expectation::Unknown {
            return State::Ready(exchange.refuse(UNKNOWN_EXPECTATION));
        }
        exchange.body = match Receiver::expect(framing, wanted, &app.limits) {
            Ok(receiver) => receiver,
            Err(refusal) => return State::Ready(exchange.refuse(refusal)),
        };
        match framing {
            Framing::None => State::Ready(exchange),
            // The answer is known, and the body need not be sent (RFC 9110 §10.1.1).
            _ if holds_back && !wanted => State::Ready(exchange.leave_unread()),
            _ if holds_back => State::Encouraging(exchange),
            _ => State::Receiving(exchange),
        }
    }

    fn receive(&mut self, mut exchange: Box<Exchange<A>>, app: &App) -> Turn<A> {
        let at = self.start + exchange.request.len;
        match exchange.body.take(&self.input[at..], &app.limits) {
            Err(refusal) => return (State::Ready(exchange.refuse(refusal)), None),
            Ok(taken) => drop(self.input.drain(at..at + taken)),
        }
        if exchange.body.is_whole() {
            return (State::Ready(exchange), None);
        }
        if self.ended {
            return (State::Ready(exchange.refuse(BODY_CUT)), None);
        }
        let received = exchange.body.received() as u64;
        let earned_ms = received * 1000 / app.limits.body_bytes_per_second;
        let at_ms = exchange.started_ms + app.limits.body_timeout_ms + earned_ms;
        self.deadline = Some(Deadline { at_ms, on: Patience::Body });
        (State::Receiving(exchange), Some(Want::Read))
    }

    fn step(&mut self, mut exchange: Box<Exchange<A>>, app: &App, now: Moment) -> Turn<A> {
        self.deadline = None;
        let outcome = mem::replace(&mut exchange.outcome, Outcome::None);
        let Exchange { plan, request, body, .. } = &mut *exchange;
        let head = &self.pending()[..request.len];
        match plan.step(app, (request, head, body.bytes()), outcome, now) {
            Step::Open(path, encodings) => {
                (State::Opening(exchange), Some(Want::Open(path, encodings)))
            }
            Step::List(path, page) => (State::Opening(exchange), Some(Want::List(path, page))),
            Step::Ask(query) => {
                self.expect(Patience::Store, app.limits.store_timeout_ms, now);
                (State::Asking(exchange), Some(Want::Ask(self.ticket(), query)))
            }
            Step::Answer(answer) => self.answer(exchange, answer, app, now),
        }
    }

    fn answer(
        &mut self,
        mut exchange: Box<Exchange<A>>,
        answer: Answer<A>,
        app: &App,
        now: Moment,
    ) -> Turn<A> {
        exchange.status = answer.status.0;
        exchange.unread |= answer.close;
        exchange.persistence = self.persistence(&exchange, app);
        let head = answer.head.finish(exchange.persistence);
        let content = match answer.body {
            _ if exchange.request.method == Method::Head => Content::Nothing,
            content => content,
        };
        let transmit = exchange.first(head, content, app);
        self.send(exchange, transmit, app, now)
    }

    fn send(
        &mut self,
        exchange: Box<Exchange<A>>,
        transmit: Transmit<A>,
        app: &App,
        now: Moment,
    ) -> Turn<A> {
        self.expect_delivery(&transmit, exchange.queued_bytes, app, now);
        (State::Sending(exchange), Some(Want::Send(transmit)))
    }

    /// The client has a while to take this after what is queued, and more for much of it.
    fn expect_delivery(&mut self, transmit: &Transmit<A>, queued: u64, app: &App, now: Moment) {
        let bytes = queued + transmit.head.len() as u64 + transmit.body.len();
        self.expect(Patience::Delivery, app.limits.delivery_timeout_ms(bytes), now);
    }

    fn persistence(&self, exchange: &Exchange<A>, app: &App) -> Persistence {
        let request = &exchange.request;
        let nothing_follows = self.ended && self.pending().len() <= request.len;
        let goes_on = request.keep_alive
            && !exchange.unread
            && self.leaving == Leaving::No
            && !nothing_follows
            && app.limits.keep_alive_timeout_ms > 0
            && self.requests < app.limits.requests_per_connection;
        match (goes_on, request.is_1_1) {
            (false, _) => Persistence::Ends,
            (true, true) => Persistence::Implied,
            (true, false) => Persistence::Said,
        }
    }

    /// An answer was given: on to the next request, or to the end.
    fn finish(&mut self, exchange: &Exchange<A>) -> State<A> {
        self.deadline = None;
        self.start += exchange.request.len;
        if exchange.persistence != Persistence::Ends {
            return State::Listening;
        }
        let unread = exchange.unread || !self.pending().is_empty();
        // Closing a socket that still has input resets the connection, and the reset can overtake
        // the answer (RFC 9112 §9.6). A client that said "close" sends nothing more, or not before
        // it has a short answer.
        let is_short = exchange.body_bytes <= limits::SHORT_ANSWER_BYTES;
        let is_trusted = !exchange.request.keep_alive && is_short && !self.ended;
        self.unread = match (unread, is_trusted) {
            (true, _) => Unread::Yes,
            (false, true) => Unread::Perhaps,
            (false, false) => Unread::No,
        };
        match self.ended || self.unread == Unread::Perhaps {
            true => State::Closed(Closing::Done, None),
            false => State::Parting,
        }
    }
}
