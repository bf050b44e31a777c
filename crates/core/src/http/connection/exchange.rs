//! A request and its response.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

use crate::http::application::{Application, Resume};
use crate::http::body::BodyDecoder;
use crate::http::error_response::ErrorResponse;
use crate::http::head::RequestHead;
use crate::http::response::{Part, ResponseBody};
use crate::http::response_head::Persistence;
use crate::http::transmit::{Body, Transmit};
use crate::limits;
use crate::now::Now;

/// A request whose head is whole, and its response as far as it was sent.
pub(super) struct Exchange<P: Application<F>, F> {
    pub(super) head: RequestHead,
    /// The application's plan for the request, or its error response.
    pub(super) plan: Result<P::Plan, ErrorResponse>,
    pub(super) body: BodyDecoder,
    /// Why the plan takes its next step.
    pub(super) resume: Resume<P::Completion>,
    /// The status of the response; 0 before there is one.
    pub(super) status: u16,
    /// Bytes of the response's body that were sent.
    pub(super) body_bytes: u64,
    /// How many bytes of the body are at the end of the [`Transmit::head`] that is being sent.
    joined_bytes: u64,
    /// The rest of the current part of a file, after the piece that is being sent.
    range_left: Range<u64>,
    /// The parts after the current one.
    parts: VecDeque<Part>,
    /// A rendering that has more pieces.
    rendering: Option<P::Rendering>,
    /// How many bytes of the rendering are to come.
    pub(super) rendering_bytes_left: u64,
    /// Whether the connection must end, because a part of this request stays unread.
    pub(super) leaves_unread: bool,
    /// What the response says about the connection.
    pub(super) persistence: Persistence,
    pub(super) started: Now,
}

impl<P: Application<F>, F> Exchange<P, F> {
    pub(super) fn new(
        head: RequestHead,
        plan: Result<P::Plan, ErrorResponse>,
        now: Now,
    ) -> Box<Exchange<P, F>> {
        Box::new(Exchange {
            head,
            plan,
            body: BodyDecoder::none(),
            resume: Resume::Start,
            status: 0,
            body_bytes: 0,
            joined_bytes: 0,
            range_left: 0..0,
            parts: VecDeque::new(),
            rendering: None,
            rendering_bytes_left: 0,
            leaves_unread: false,
            persistence: Persistence::Ends,
            started: now,
        })
    }

    /// Replaces the plan with an error response.
    pub(super) fn refuse(mut self: Box<Self>, error: ErrorResponse) -> Box<Self> {
        self.plan = Err(error);
        self.leave_unread()
    }

    /// Ends the connection after the response: the unread rest of this request could be taken for
    /// another request.
    pub(super) fn leave_unread(mut self: Box<Self>) -> Box<Self> {
        self.leaves_unread = true;
        self
    }

    /// The first transmit of a response: its head, and the first piece of its body.
    pub(super) fn first_transmit(
        &mut self,
        mut head: Vec<u8>,
        body: ResponseBody<F, P::Rendering>,
        app: &P,
    ) -> Transmit<F> {
        let head_bytes = head.len();
        match body {
            ResponseBody::Empty => {}
            ResponseBody::Bytes(bytes) => head.extend_from_slice(&bytes),
            ResponseBody::Rendering(mut rendering) => {
                self.rendering_bytes_left = app.render(&mut rendering, &mut head);
                if self.rendering_bytes_left > 0 {
                    self.rendering = Some(rendering);
                }
            }
            ResponseBody::File(asset, range) => {
                self.range_left = range;
                return self.next_file_piece(head, asset);
            }
            ResponseBody::Parts(asset, parts) => {
                self.parts = parts.into();
                return self.next_file_piece(head, asset);
            }
        }
        self.joined_bytes = (head.len() - head_bytes) as u64;
        Transmit { head, body: Body::None, rest: self.rendering_bytes_left }
    }

    /// The next piece of a rendering.
    pub(super) fn next_rendered_piece(&mut self, app: &P) -> Transmit<F> {
        let mut bytes = Vec::new();
        if let Some(rendering) = &mut self.rendering {
            self.rendering_bytes_left = app.render(rendering, &mut bytes);
        }
        self.joined_bytes = bytes.len() as u64;
        Transmit { head: bytes, body: Body::None, rest: self.rendering_bytes_left }
    }

    /// The next piece of a file, sent after `head`.
    pub(super) fn next_file_piece(&mut self, mut head: Vec<u8>, asset: F) -> Transmit<F> {
        if self.range_left.is_empty()
            && let Some(part) = self.parts.pop_front()
        {
            self.joined_bytes = part.lead.len() as u64;
            head.extend_from_slice(&part.lead);
            self.range_left = part.range;
        }
        let from = self.range_left.start;
        let to = self.range_left.end.min(from + limits::PIECE_BYTES);
        self.range_left.start = to;
        let body = if from == to { Body::None } else { Body::File { asset, from, to } };
        Transmit { head, body, rest: self.file_bytes_left() }
    }

    /// Counts the bytes of the body among the first `sent` bytes of a transmit. `head_bytes` is the
    /// length of [`Transmit::head`], which can end with bytes of the body.
    pub(super) fn count_sent(&mut self, head_bytes: u64, sent: u64) {
        let bytes_before_body = head_bytes - mem::take(&mut self.joined_bytes);
        self.body_bytes += sent.saturating_sub(bytes_before_body);
    }

    /// How many bytes of a file are still to be sent after the current piece.
    pub(super) fn file_bytes_left(&self) -> u64 {
        self.range_left.end - self.range_left.start + self.parts.iter().map(Part::len).sum::<u64>()
    }
}
