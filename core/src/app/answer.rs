//! What the application answers with: a head, a body, and what becomes of the connection.

use alloc::vec::Vec;

use super::{App, Asset};
use crate::http::refusal::Refusal;
use crate::http::response::{Head, Status};
use crate::limits;
use crate::moment::Moment;
use crate::text;
use crate::want::Body;

/// An answer, but for its `Connection` field.
#[derive(Debug)]
pub(crate) struct Answer<A> {
    pub(crate) status: Status,
    pub(crate) head: Head,
    pub(crate) body: Body<A>,
    /// The connection can't go on after it.
    pub(crate) close: bool,
}

/// Pages run no script, load nothing from elsewhere, and are shown in nobody's frame.
const CONTENT_SECURITY_POLICY: &[u8] = b"default-src 'none'; style-src 'unsafe-inline'; \
    img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

impl<A> Answer<A> {
    /// A page that was made for this answer.
    pub(crate) fn page(status: Status, html: Vec<u8>, now: Moment) -> Answer<A> {
        let mut head = Head::new(status, now);
        head.field("Content-Type", b"text/html; charset=utf-8");
        head.number("Content-Length", html.len() as u64);
        head.field("Cache-Control", b"no-store");
        head.field("Content-Security-Policy", CONTENT_SECURITY_POLICY);
        head.field("X-Content-Type-Options", b"nosniff");
        Answer { status, head, body: Body::Bytes(html), close: false }
    }

    /// A file, whole.
    pub(crate) fn file(asset: A, now: Moment) -> Answer<A>
    where
        A: Asset,
    {
        let facts = asset.facts();
        let to = facts.len();
        let mut head = Head::new(Status::OK, now);
        head.lines(facts.fields());
        head.number("Content-Length", to);
        Answer { status: Status::OK, head, body: Body::File { asset, from: 0, to }, close: false }
    }

    /// What methods there are (RFC 9110 §9.3.7).
    pub(crate) fn options(allow: &str, now: Moment) -> Answer<A> {
        let mut head = Head::new(Status::NO_CONTENT, now);
        head.field("Allow", allow.as_bytes());
        Answer { status: Status::NO_CONTENT, head, body: Body::None, close: false }
    }

    /// The way to another address of this server.
    pub(crate) fn redirect(status: Status, location: &[u8], now: Moment) -> Answer<A> {
        let mut head = Head::new(status, now);
        head.field("Location", location);
        head.number("Content-Length", 0);
        Answer { status, head, body: Body::None, close: false }
    }

    /// The error page.
    pub(crate) fn refusal(refusal: Refusal, app: &App, now: Moment) -> Answer<A> {
        let status = refusal.status;
        let html = app.templates.error.fill(&[
            &|out| text::decimal(out, u64::from(status.0)),
            &|out| out.extend_from_slice(status.reason().as_bytes()),
            &|out| text::escape(out, refusal.why.as_bytes()),
        ]);
        let mut answer = Answer::page(status, html, now);
        if let Some(allow) = refusal.allow {
            answer.head.field("Allow", allow.as_bytes());
        }
        if status == Status::SERVICE_UNAVAILABLE {
            answer.head.number("Retry-After", limits::RETRY_AFTER_S);
        }
        answer.close = refusal.close;
        answer
    }
}
