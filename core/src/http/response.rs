//! Answers on the wire: the status line and the fields (RFC 9112 §4, RFC 9110 §15).

use alloc::vec::Vec;

use super::date;
use crate::moment::Moment;
use crate::text;

/// A status code that this server gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) u16);

impl Status {
    pub(crate) const OK: Status = Status(200);
    pub(crate) const NO_CONTENT: Status = Status(204);
    pub(crate) const PARTIAL_CONTENT: Status = Status(206);
    pub(crate) const MOVED_PERMANENTLY: Status = Status(301);
    pub(crate) const SEE_OTHER: Status = Status(303);
    pub(crate) const NOT_MODIFIED: Status = Status(304);
    pub(crate) const BAD_REQUEST: Status = Status(400);
    pub(crate) const FORBIDDEN: Status = Status(403);
    pub(crate) const NOT_FOUND: Status = Status(404);
    pub(crate) const METHOD_NOT_ALLOWED: Status = Status(405);
    pub(crate) const REQUEST_TIMEOUT: Status = Status(408);
    pub(crate) const PRECONDITION_FAILED: Status = Status(412);
    pub(crate) const CONTENT_TOO_LARGE: Status = Status(413);
    pub(crate) const URI_TOO_LONG: Status = Status(414);
    pub(crate) const UNSUPPORTED_MEDIA_TYPE: Status = Status(415);
    pub(crate) const RANGE_NOT_SATISFIABLE: Status = Status(416);
    pub(crate) const EXPECTATION_FAILED: Status = Status(417);
    pub(crate) const REQUEST_HEADER_FIELDS_TOO_LARGE: Status = Status(431);
    pub(crate) const INTERNAL_SERVER_ERROR: Status = Status(500);
    pub(crate) const NOT_IMPLEMENTED: Status = Status(501);
    pub(crate) const SERVICE_UNAVAILABLE: Status = Status(503);
    pub(crate) const HTTP_VERSION_NOT_SUPPORTED: Status = Status(505);

    /// The reason phrase, as RFC 9110 §15 and RFC 6585 name it.
    pub(crate) fn reason(self) -> &'static str {
        match self.0 {
            200 => "OK",
            204 => "No Content",
            206 => "Partial Content",
            301 => "Moved Permanently",
            303 => "See Other",
            304 => "Not Modified",
            400 => "Bad Request",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            412 => "Precondition Failed",
            413 => "Content Too Large",
            414 => "URI Too Long",
            415 => "Unsupported Media Type",
            416 => "Range Not Satisfiable",
            417 => "Expectation Failed",
            431 => "Request Header Fields Too Large",
            501 => "Not Implemented",
            503 => "Service Unavailable",
            505 => "HTTP Version Not Supported",
            _ => "Internal Server Error",
        }
    }
}

/// All of them, in their order: what the answers can be counted by.
pub const STATUSES: [u16; 22] = [
    200, 204, 206, 301, 303, 304, 400, 403, 404, 405, 408, 412, 413, 414, 415, 416, 417, 431, 500,
    501, 503, 505,
];

/// The interim answer that lets a client send its body (RFC 9110 §15.2.1).
pub(crate) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What the connection does after an answer, as its `Connection` field says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// HTTP/1.1 goes on unless it is told otherwise.
    Implied,
    /// HTTP/1.0 ends unless it is told otherwise.
    Said,
    /// It ends.
    Ends,
}

/// The head of an answer, while it is written.
#[derive(Debug)]
pub(crate) struct Head {
    bytes: Vec<u8>,
}

impl Head {
    /// An answer of that status, dated.
    pub(crate) fn new(status: Status, now: Moment) -> Head {
        Head::before(0, status, now)
    }

    /// The same before a body of `body_bytes`. If that is small, a driver finds room for it behind
    /// the head, so that it can send one buffer instead of two.
    pub(crate) fn before(body_bytes: u64, status: Status, now: Moment) -> Head {
        let room = if body_bytes <= SMALL_BODY_BYTES { body_bytes as usize } else { 0 };
        Head::with_room(room, status, now)
    }

    /// The same, with room for so many bytes that will stand behind it.
    pub(crate) fn with_room(room: usize, status: Status, now: Moment) -> Head {
        let mut bytes = Vec::with_capacity(HEAD_CAPACITY + room);
        bytes.extend_from_slice(b"HTTP/1.1 ");
        text::decimal(&mut bytes, u64::from(status.0));
        bytes.push(b' ');
        bytes.extend_from_slice(status.reason().as_bytes());
        bytes.extend_from_slice(b"\r\nServer: zerohttpd\r\nDate: ");
        date::append(&mut bytes, now.unix_s);
        bytes.extend_from_slice(b"\r\n");
        Head { bytes }
    }

    /// One more field. The value has no control bytes: it is ours, or was escaped.
    pub(crate) fn field(&mut self, name: &str, value: &[u8]) {
        debug_assert!(!value.iter().any(u8::is_ascii_control));
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// One more field, a number.
    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        text::decimal(&mut self.bytes, value);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Fields that were written before, each with its line end.
    pub(crate) fn lines(&mut self, lines: &[u8]) {
        self.bytes.extend_from_slice(lines);
    }

    /// The whole head.
    pub(crate) fn finish(mut self, persistence: Persistence) -> Vec<u8> {
        self.bytes.extend_from_slice(match persistence {
            Persistence::Implied => b"\r\n",
            Persistence::Said => b"Connection: keep-alive\r\n\r\n",
            Persistence::Ends => b"Connection: close\r\n\r\n",
        });
        self.bytes
    }
}

/// A file's head takes about 290 bytes, a page's about 330.
const HEAD_CAPACITY: usize = 448;

/// Up to here it is cheaper to copy a body than to have the kernel look at another buffer.
const SMALL_BODY_BYTES: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_that_has_a_name_is_listed() {
        let other = Status(599).reason();
        let named = |code: &u16| *code == 500 || Status(*code).reason() != other;
        assert!((100..600).filter(named).eq(STATUSES));
    }

    #[test]
    fn a_head() {
        let mut head = Head::new(Status::OK, Moment { ms: 0, unix_s: 784_111_777 });
        head.field("Content-Type", b"text/plain");
        head.number("Content-Length", 12);
        let expected = b"HTTP/1.1 200 OK\r\nServer: zerohttpd\r\nDate: Sun, 06 Nov 1994 08:49:37 \
            GMT\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nConnection: close\r\n\r\n";
        assert_eq!(head.finish(Persistence::Ends), expected);
    }
}
