//! What the application answers with: a head, a body, and what becomes of the connection.

use alloc::vec::Vec;
use core::ops::Range;

use super::{App, Asset, Facts, guestbook};
use crate::http::accept::Form;
use crate::http::refusal::Refusal;
use crate::http::response::{Head, Status};
use crate::limits;
use crate::moment::Moment;
use crate::text;

/// An answer, but for its `Connection` field.
#[derive(Debug)]
pub(crate) struct Answer<A> {
    pub(crate) status: Status,
    pub(crate) head: Head,
    pub(crate) body: Content<A>,
    /// The connection can't go on after it.
    pub(crate) close: bool,
}

/// What an answer has beside its head.
#[derive(Debug)]
pub(crate) enum Content<A> {
    Nothing,
    /// A page that was made for this answer.
    Page(Vec<u8>),
    /// A page of the guestbook, to be made where it is sent from: behind the head.
    Visit(guestbook::Page),
    /// A part of a file, or all of it.
    File(A, Range<u64>),
    /// Several parts of a file.
    Parts(A, Vec<Part>),
}

/// A part of a file in a multipart answer. The last has no bytes of the file.
#[derive(Debug)]
pub(crate) struct Part {
    /// What goes before its bytes.
    pub(crate) lead: Vec<u8>,
    pub(crate) range: Range<u64>,
}

const HTML: &[u8] = b"text/html; charset=utf-8";

/// Pages are made anew each time, run no script, load nothing from elsewhere, and are shown in
/// nobody's frame.
const FIELDS: &[u8] = b"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; \
    img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n\
    X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n";

impl<A> Answer<A> {
    /// A page that was made for this answer.
    pub(crate) fn page(status: Status, html: Vec<u8>, now: Moment) -> Answer<A> {
        Answer::made(status, HTML, html, now)
    }

    /// A page of the guestbook.
    pub(crate) fn visit(page: guestbook::Page, app: &App, now: Moment) -> Answer<A> {
        let head = page_head(Status::OK, HTML, page.len(&app.templates), now);
        Answer { status: Status::OK, head, body: Content::Visit(page), close: false }
    }

    /// A folder shown, in the form that the client prefers.
    pub(crate) fn listing(form: Form, text: Vec<u8>, now: Moment) -> Answer<A> {
        let content_type: &[u8] = match form {
            Form::Html => HTML,
            Form::Json => b"application/json",
        };
        let mut answer = Answer::made(Status::OK, content_type, text, now);
        answer.head.field("Vary", b"Accept");
        answer
    }

    fn made(status: Status, content_type: &[u8], bytes: Vec<u8>, now: Moment) -> Answer<A> {
        let head = page_head(status, content_type, bytes.len(), now);
        Answer { status, head, body: Content::Page(bytes), close: false }
    }

    /// A file, whole.
    pub(crate) fn file(asset: A, now: Moment) -> Answer<A>
    where
        A: Asset,
    {
        let facts = asset.facts();
        let len = facts.len();
        let mut head = Head::before(len, Status::OK, now);
        head.lines(facts.fields(now));
        head.field("Content-Type", facts.content_type());
        head.number("Content-Length", len);
        Answer { status: Status::OK, head, body: Content::File(asset, 0..len), close: false }
    }

    /// A report, which nobody is to keep.
    pub(crate) fn report(status: Status, asset: A, now: Moment) -> Answer<A>
    where
        A: Asset,
    {
        let len = asset.facts().len();
        let mut head = Head::new(status, now);
        head.field("Content-Type", asset.facts().content_type());
        head.number("Content-Length", len);
        head.field("Cache-Control", b"no-store");
        head.field("X-Content-Type-Options", b"nosniff");
        if status == Status::SERVICE_UNAVAILABLE {
            head.number("Retry-After", limits::RETRY_AFTER_S);
        }
        Answer { status, head, body: Content::File(asset, 0..len), close: false }
    }

    /// The site's own page for what is not there. It is no representation of what was asked for.
    pub(crate) fn missing(asset: A, now: Moment) -> Answer<A>
    where
        A: Asset,
    {
        let len = asset.facts().len();
        let mut head = Head::new(Status::NOT_FOUND, now);
        head.field("Content-Type", asset.facts().content_type());
        head.number("Content-Length", len);
        Answer { status: Status::NOT_FOUND, head, body: Content::File(asset, 0..len), close: false }
    }

    /// A part of a file (RFC 9110 §15.3.7.1).
    pub(crate) fn part(asset: A, range: Range<u64>, now: Moment) -> Answer<A>
    where
        A: Asset,
    {
        let facts = asset.facts();
        let mut head = Head::new(Status::PARTIAL_CONTENT, now);
        head.lines(facts.fields(now));
        head.field("Content-Type", facts.content_type());
        head.field("Content-Range", &content_range(&range, facts.len()));
        head.number("Content-Length", range.end - range.start);
        let body = Content::File(asset, range);
        Answer { status: Status::PARTIAL_CONTENT, head, body, close: false }
    }

    /// Several parts of a file (RFC 9110 §15.3.7.2 and §14.6).
    pub(crate) fn parts(asset: A, ranges: Vec<Range<u64>>, now: Moment) -> Answer<A>
    where
        A: Asset,
    {
        let facts = asset.facts();
        // The validator names this version of this file; no file has the one that it will get.
        let tag = &facts.tag()[1..facts.tag().len() - 1];
        let boundary = [b"zerohttpd-part-", tag].concat();
        let mut parts: Vec<Part> = ranges
            .into_iter()
            .map(|range| Part { lead: part_lead(facts, &boundary, &range), range })
            .collect();
        let end = [b"\r\n--", &boundary[..], b"--\r\n"].concat();
        parts.push(Part { lead: end, range: 0..0 });
        let len = |part: &Part| part.lead.len() as u64 + (part.range.end - part.range.start);
        let mut head = Head::new(Status::PARTIAL_CONTENT, now);
        head.lines(facts.fields(now));
        head.field("Content-Type", &[b"multipart/byteranges; boundary=", &boundary[..]].concat());
        head.number("Content-Length", parts.iter().map(len).sum());
        let body = Content::Parts(asset, parts);
        Answer { status: Status::PARTIAL_CONTENT, head, body, close: false }
    }

    /// The client has the file already (RFC 9110 §15.4.5).
    pub(crate) fn not_modified(asset: &A, now: Moment) -> Answer<A>
    where
        A: Asset,
    {
        let mut head = Head::new(Status::NOT_MODIFIED, now);
        asset.facts().write_not_modified(&mut head);
        Answer { status: Status::NOT_MODIFIED, head, body: Content::Nothing, close: false }
    }

    /// No part that was asked for is there (RFC 9110 §15.5.17).
    pub(crate) fn unsatisfiable(asset: &A, app: &App, now: Moment) -> Answer<A>
    where
        A: Asset,
    {
        const BEYOND: Refusal = Refusal::new(
            Status::RANGE_NOT_SATISFIABLE,
            "The file has nothing of the part that was asked for.",
        );
        let mut answer = Answer::refusal(BEYOND, app, now);
        let mut range = b"bytes */".to_vec();
        text::decimal(&mut range, asset.facts().len());
        answer.head.field("Content-Range", &range);
        answer
    }

    /// What methods there are (RFC 9110 §9.3.7).
    pub(crate) fn options(allow: &str, now: Moment) -> Answer<A> {
        let mut head = Head::new(Status::NO_CONTENT, now);
        head.field("Allow", allow.as_bytes());
        Answer { status: Status::NO_CONTENT, head, body: Content::Nothing, close: false }
    }

    /// The way to another address of this server.
    pub(crate) fn redirect(status: Status, location: &[u8], now: Moment) -> Answer<A> {
        let mut head = Head::new(status, now);
        head.field("Location", location);
        head.number("Content-Length", 0);
        Answer { status, head, body: Content::Nothing, close: false }
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
        if let Some((name, value)) = refusal.field {
            answer.head.field(name, value.as_bytes());
        }
        if status == Status::SERVICE_UNAVAILABLE {
            answer.head.number("Retry-After", limits::RETRY_AFTER_S);
        }
        answer.close = refusal.close;
        answer
    }
}

/// The head of a page of so many bytes, with room for it behind.
fn page_head(status: Status, content_type: &[u8], len: usize, now: Moment) -> Head {
    let mut head = Head::with_room(len, status, now);
    head.field("Content-Type", content_type);
    head.number("Content-Length", len as u64);
    head.lines(FIELDS);
    head
}

/// `bytes 0-499/1000` (RFC 9110 §14.4).
fn content_range(range: &Range<u64>, len: u64) -> Vec<u8> {
    let mut value = b"bytes ".to_vec();
    text::decimal(&mut value, range.start);
    value.push(b'-');
    text::decimal(&mut value, range.end - 1);
    value.push(b'/');
    text::decimal(&mut value, len);
    value
}

fn part_lead(facts: &Facts, boundary: &[u8], range: &Range<u64>) -> Vec<u8> {
    [
        b"\r\n--",
        boundary,
        b"\r\nContent-Type: ",
        facts.content_type(),
        b"\r\nContent-Range: ",
        &content_range(range, facts.len()),
        b"\r\n\r\n",
    ]
    .concat()
}
