//! The head of a response: the status line and the fields (RFC 9112 §4).

use alloc::vec::Vec;

use super::date;
use super::status::Status;
use crate::now::Now;
use crate::text;

/// The interim response that lets a client send its body (RFC 9110 §15.2.1).
pub(crate) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What happens to the connection after a response, as its `Connection` field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// It stays open, by the default of HTTP/1.1.
    Implied,
    /// It stays open, and the field says `keep-alive`, since HTTP/1.0 closes by default.
    Explicit,
    /// It is closed.
    Ends,
}

/// The head of a response that is being written.
#[derive(Debug)]
pub(crate) struct Head {
    bytes: Vec<u8>,
}

impl Head {
    /// The head of a response with this status, dated `now`.
    pub(crate) fn new(status: Status, now: Now) -> Head {
        Head::for_body(0, status, now)
    }

    /// The head of a response with a body of `body_bytes`. There is room for a small body after the
    /// head, so that a driver can send one buffer instead of two.
    pub(crate) fn for_body(body_bytes: u64, status: Status, now: Now) -> Head {
        let room = if body_bytes <= SMALL_BODY_BYTES { body_bytes as usize } else { 0 };
        Head::with_room(room, status, now)
    }

    /// The head of a response, with room for `room` bytes after it.
    pub(crate) fn with_room(room: usize, status: Status, now: Now) -> Head {
        let mut bytes = Vec::with_capacity(HEAD_CAPACITY + room);
        bytes.extend_from_slice(b"HTTP/1.1 ");
        text::decimal(&mut bytes, u64::from(status.code()));
        bytes.push(b' ');
        bytes.extend_from_slice(status.reason().as_bytes());
        bytes.extend_from_slice(b"\r\nServer: zerohttpd\r\nDate: ");
        date::append(&mut bytes, now.unix_s);
        bytes.extend_from_slice(b"\r\n");
        Head { bytes }
    }

    /// Adds a field. The value has no control bytes: it is our own text, or was escaped.
    pub(crate) fn field(&mut self, name: &str, value: &[u8]) {
        debug_assert!(!value.iter().any(u8::is_ascii_control));
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Adds a field whose value is a number.
    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        text::decimal(&mut self.bytes, value);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Adds whole fields, each with its line end.
    pub(crate) fn lines(&mut self, lines: &[u8]) {
        self.bytes.extend_from_slice(lines);
    }

    /// The whole head.
    pub(crate) fn finish(mut self, persistence: Persistence) -> Vec<u8> {
        self.bytes.extend_from_slice(match persistence {
            Persistence::Implied => b"\r\n",
            Persistence::Explicit => b"Connection: keep-alive\r\n\r\n",
            Persistence::Ends => b"Connection: close\r\n\r\n",
        });
        self.bytes
    }
}

/// The room for a head: a file's head takes about 290 bytes, a page's about 330.
const HEAD_CAPACITY: usize = 448;

/// Up to this size, copying a body costs less than passing the kernel a second buffer.
const SMALL_BODY_BYTES: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head() {
        let mut head = Head::new(Status::OK, Now { ms: 0, us: 0, unix_s: 784_111_777 });
        head.field("Content-Type", b"text/plain");
        head.number("Content-Length", 12);
        let expected = b"HTTP/1.1 200 OK\r\nServer: zerohttpd\r\nDate: Sun, 06 Nov 1994 08:49:37 \
            GMT\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nConnection: close\r\n\r\n";
        assert_eq!(head.finish(Persistence::Ends), expected);
    }
}
