//! What goes out on a connection: heads that say how long their bodies are, and bodies that are.

use zero_core::{Asset, Body, Served, Transmit, limits};

use crate::STALE;
use crate::script::read_answer;
use crate::world::Handle;

/// The longest head: a `Location` with every byte of a request line encoded, or the start of a
/// part.
const HEAD_BYTES: usize = 4 * limits::REQUEST_LINE_BYTES;

/// The longest page: a refused form with what was typed, a byte of which takes up to six of HTML.
const PAGE_BYTES: usize = 8 * 1024 + 6 * limits::BODY_BYTES;

#[derive(Default)]
pub(crate) struct Wire {
    /// The answer that is under way.
    answer: Option<Answer>,
    /// An answer said that it is the last.
    closing: bool,
    failed: bool,
}

struct Answer {
    status: u16,
    body_bytes: u64,
    /// Bytes of body that are not sent yet.
    left: u64,
    /// It has a length, and no body.
    to_head: bool,
}

impl Wire {
    /// Whether no answer is under way, but an interim one perhaps.
    pub(crate) fn is_between(&self) -> bool {
        self.failed || self.answer.as_ref().is_none_or(|answer| answer.status == 100)
    }

    /// Checks a transmit, and what it adds to the answer.
    pub(crate) fn send(&mut self, transmit: &Transmit<Handle>) {
        if let Body::File { asset, from, to } = &transmit.body {
            assert!(from < to && *to <= asset.facts().len(), "a piece {from}..{to}");
            assert!(to - from <= limits::PIECE_BYTES, "a piece {from}..{to}");
        }
        let head_bytes = if self.answer.is_none() { self.begin(&transmit.head) } else { 0 };
        let page = &transmit.head[head_bytes..];
        assert!(head_bytes <= HEAD_BYTES, "a head of {head_bytes} bytes");
        assert!(page.len() <= PAGE_BYTES, "a page of {} bytes", page.len());
        assert!(!page.starts_with(STALE), "a late answer of the store was believed");
        let of_body = page.len() as u64;
        let answer = self.answer.as_mut().expect("an answer");
        let bytes = of_body + transmit.body.len();
        assert!(bytes <= answer.left, "{bytes} bytes where {} are left", answer.left);
        answer.left -= bytes;
        // The answer to a HEAD names a length, and has no body.
        if bytes == 0 && answer.left > 0 && answer.left == answer.body_bytes {
            *answer = Answer { body_bytes: 0, left: 0, to_head: true, ..*answer };
        }
        assert_eq!(transmit.rest, answer.left);
    }

    /// A head that begins an answer; says how long it is.
    fn begin(&mut self, bytes: &[u8]) -> usize {
        assert!(!self.closing && !self.failed, "something after the last answer");
        let read = read_answer(bytes, true).expect("an answer");
        let (head, used) = read.expect("a whole head");
        let length = head.field("Content-Length").expect("one length");
        let bodiless = matches!(head.status, 100 | 204 | 304);
        assert_eq!(length.is_none(), bodiless, "a length: {}", bytes.escape_ascii());
        let text = length.map(|digits| std::str::from_utf8(digits).expect("digits"));
        let left = text.map_or(0, |digits| digits.parse().expect("a number"));
        self.closing = head.field("Connection").expect("one field") == Some(b"close");
        self.answer = Some(Answer { status: head.status, body_bytes: left, left, to_head: false });
        used
    }

    /// Checks what is to be logged of a transmit that was reported.
    pub(crate) fn reported(
        &mut self,
        whole: bool,
        len: u64,
        more: bool,
        served: Option<&Served<'_>>,
    ) {
        let answer = self.answer.as_ref().expect("an answer");
        if !whole || self.failed {
            assert!(served.is_none(), "logged although it failed");
            self.failed = true;
            return;
        }
        match served {
            None => assert!(more || answer.status == 100, "not logged: {}", answer.status),
            Some(served) => {
                assert!(!more && len <= served.body_bytes, "logged before its end");
                assert_eq!((served.status, served.body_bytes), (answer.status, answer.body_bytes));
                assert!(served.request_line.len() <= limits::REQUEST_LINE_BYTES);
                let to_head = served.request_line.starts_with(b"HEAD ");
                assert!(to_head || !answer.to_head, "an answer without its body");
            }
        }
        if !more {
            self.answer = None;
        }
    }
}
