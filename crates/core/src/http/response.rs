//! Responses: a head, a body, and the parts of a file.

use alloc::vec::Vec;
use core::ops::Range;

use super::representation::{Metadata, Representation};
use super::response_head::Head;
use super::status::Status;
use crate::now::Now;
use crate::text;

/// A response, without its `Connection` field. `F` is a driver's handle to an open file, and `R` a
/// body that the application [renders](super::Application::render) as it is sent.
#[derive(Debug)]
pub struct Response<F, R> {
    pub(crate) status: Status,
    pub(crate) head: Head,
    pub(crate) body: ResponseBody<F, R>,
}

/// The body of a response.
#[derive(Debug)]
pub(crate) enum ResponseBody<F, R> {
    Empty,
    /// Bytes that were generated for this response.
    Bytes(Vec<u8>),
    /// Rendered as it is sent, after the head.
    Rendering(R),
    /// A range of a file, or all of it.
    File(F, Range<u64>),
    /// Several ranges of a file.
    Parts(F, Vec<Part>),
}

/// A part of a multipart response. The last part has only a boundary.
#[derive(Debug)]
pub(crate) struct Part {
    /// The boundary, and the fields before the part's bytes.
    pub(crate) lead: Vec<u8>,
    pub(crate) range: Range<u64>,
}

impl Part {
    pub(crate) fn len(&self) -> u64 {
        self.lead.len() as u64 + (self.range.end - self.range.start)
    }
}

impl<F, R> Response<F, R> {
    /// A response with a generated body.
    pub fn bytes(status: Status, content_type: &str, bytes: Vec<u8>, now: Now) -> Response<F, R> {
        let mut head = Head::for_body(bytes.len() as u64, status, now);
        head.field("Content-Type", content_type.as_bytes());
        head.number("Content-Length", bytes.len() as u64);
        Response { status, head, body: ResponseBody::Bytes(bytes) }
    }

    /// A response with a body of `len` bytes that the application renders as it is sent.
    pub fn rendered(
        status: Status,
        content_type: &str,
        len: u64,
        rendering: R,
        now: Now,
    ) -> Response<F, R> {
        let mut head = Head::for_body(len, status, now);
        head.field("Content-Type", content_type.as_bytes());
        head.number("Content-Length", len);
        Response { status, head, body: ResponseBody::Rendering(rendering) }
    }

    /// The response to OPTIONS (RFC 9110 §9.3.7).
    pub fn options(allow: &str, now: Now) -> Response<F, R> {
        let mut head = Head::new(Status::NO_CONTENT, now);
        head.field("Allow", allow.as_bytes());
        Response { status: Status::NO_CONTENT, head, body: ResponseBody::Empty }
    }

    /// A redirect to another address of this server. `location` must not have control bytes.
    pub fn redirect(status: Status, location: &[u8], now: Now) -> Response<F, R> {
        let mut head = Head::new(status, now);
        head.field("Location", location);
        head.number("Content-Length", 0);
        Response { status, head, body: ResponseBody::Empty }
    }

    /// Adds a field. The value must not have control bytes.
    #[must_use]
    pub fn with(mut self, name: &str, value: &[u8]) -> Response<F, R> {
        self.head.field(name, value);
        self
    }
}

impl<F: Representation, R> Response<F, R> {
    /// A whole file.
    pub fn file(asset: F, now: Now) -> Response<F, R> {
        let metadata = asset.metadata();
        let len = metadata.len();
        let mut head = Head::for_body(len, Status::OK, now);
        head.lines(metadata.fields(now));
        head.field("Content-Type", metadata.content_type());
        head.number("Content-Length", len);
        Response { status: Status::OK, head, body: ResponseBody::File(asset, 0..len) }
    }

    /// One range of a file (RFC 9110 §15.3.7.1).
    pub(crate) fn part(asset: F, range: Range<u64>, now: Now) -> Response<F, R> {
        let metadata = asset.metadata();
        let mut head = Head::new(Status::PARTIAL_CONTENT, now);
        head.lines(metadata.fields(now));
        head.field("Content-Type", metadata.content_type());
        head.field("Content-Range", &content_range(&range, metadata.len()));
        head.number("Content-Length", range.end - range.start);
        let body = ResponseBody::File(asset, range);
        Response { status: Status::PARTIAL_CONTENT, head, body }
    }

    /// Several ranges of a file (RFC 9110 §15.3.7.2 and §14.6).
    pub(crate) fn parts(asset: F, ranges: Vec<Range<u64>>, now: Now) -> Response<F, R> {
        let metadata = asset.metadata();
        // The boundary contains the file's ETag. The file can't contain that: writing the ETag into
        // the file would change the ETag.
        let tag = &metadata.tag()[1..metadata.tag().len() - 1];
        let boundary = [b"zerohttpd-part-", tag].concat();
        let mut parts: Vec<Part> = ranges
            .into_iter()
            .map(|range| Part { lead: part_lead(metadata, &boundary, &range), range })
            .collect();
        let end = [b"\r\n--", &boundary[..], b"--\r\n"].concat();
        parts.push(Part { lead: end, range: 0..0 });
        let mut head = Head::new(Status::PARTIAL_CONTENT, now);
        head.lines(metadata.fields(now));
        head.field("Content-Type", &[b"multipart/byteranges; boundary=", &boundary[..]].concat());
        head.number("Content-Length", parts.iter().map(Part::len).sum());
        let body = ResponseBody::Parts(asset, parts);
        Response { status: Status::PARTIAL_CONTENT, head, body }
    }

    /// 304: the client's copy is current (RFC 9110 §15.4.5).
    pub(crate) fn not_modified(asset: &F, now: Now) -> Response<F, R> {
        let mut head = Head::new(Status::NOT_MODIFIED, now);
        asset.metadata().write_not_modified(&mut head);
        Response { status: Status::NOT_MODIFIED, head, body: ResponseBody::Empty }
    }
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

fn part_lead(metadata: &Metadata, boundary: &[u8], range: &Range<u64>) -> Vec<u8> {
    [
        b"\r\n--",
        boundary,
        b"\r\nContent-Type: ",
        metadata.content_type(),
        b"\r\nContent-Range: ",
        &content_range(range, metadata.len()),
        b"\r\n\r\n",
    ]
    .concat()
}
