//! Checks the bytes that a connection sends: each answer has a head, and a body of the length that
//! the head gives.

use zerohttpd_core::{AccessRecord, Body, Representation, Transmit, limits};

use crate::STALE_PAGE;
use crate::script::read_answer;
use crate::world::Handle;

/// The longest head: with a `Location` in which every byte of the request line is escaped. The
/// fields before a part in multipart/byteranges are shorter.
const HEAD_BYTES: usize = 4 * limits::REQUEST_LINE_BYTES;

/// The longest page: that of a refused form, which shows the form's text again. Each byte of the
/// text takes up to six bytes of HTML.
const PAGE_BYTES: usize = 8 * 1024 + 6 * limits::BODY_BYTES;

#[derive(Default)]
pub(crate) struct Wire {
    /// The answer that is being sent.
    answer: Option<Answer>,
    /// Whether an answer said `Connection: close`.
    is_closing: bool,
    /// Whether a send failed.
    has_failed: bool,
}

struct Answer {
    status: u16,
    body_bytes: u64,
    /// Bytes of body that are not sent yet.
    left: u64,
    /// Whether this is the answer to a HEAD, which gives a length and has no body.
    to_head: bool,
}

impl Wire {
    /// Whether no answer is being sent, except perhaps an interim one.
    pub(crate) fn is_between_answers(&self) -> bool {
        self.has_failed || self.answer.as_ref().is_none_or(|answer| answer.status == 100)
    }

    /// Checks a transmit as the next part of the answer.
    pub(crate) fn send(&mut self, transmit: &Transmit<Handle>) {
        if let Body::File { asset, from, to } = &transmit.body {
            assert!(from < to && *to <= asset.metadata().len(), "a piece {from}..{to}");
            assert!(to - from <= limits::PIECE_BYTES, "a piece {from}..{to}");
        }
        let head_bytes = if self.answer.is_none() { self.begin(&transmit.head) } else { 0 };
        let page = &transmit.head[head_bytes..];
        assert!(head_bytes <= HEAD_BYTES, "a head of {head_bytes} bytes");
        assert!(page.len() <= PAGE_BYTES, "a page of {} bytes", page.len());
        assert!(!page.starts_with(STALE_PAGE), "a late reply of the store was shown");
        let page_bytes = page.len() as u64;
        let answer = self.answer.as_mut().expect("an answer");
        let bytes = page_bytes + transmit.body.len();
        assert!(bytes <= answer.left, "{bytes} bytes where {} are left", answer.left);
        answer.left -= bytes;
        // The answer to a HEAD names a length, and has no body.
        if bytes == 0 && answer.left > 0 && answer.left == answer.body_bytes {
            *answer = Answer { body_bytes: 0, left: 0, to_head: true, ..*answer };
        }
        assert_eq!(transmit.rest, answer.left);
    }

    /// Begins an answer with its head. Returns the length of the head.
    fn begin(&mut self, bytes: &[u8]) -> usize {
        assert!(!self.is_closing && !self.has_failed, "an answer after the last one");
        let read = read_answer(bytes, true).expect("an answer");
        let (head, used) = read.expect("a whole head");
        let length = head.field("Content-Length").expect("one length");
        let has_no_body = matches!(head.status, 100 | 204 | 304);
        assert_eq!(length.is_none(), has_no_body, "a length: {}", bytes.escape_ascii());
        let text = length.map(|digits| std::str::from_utf8(digits).expect("digits"));
        let left = text.map_or(0, |digits| digits.parse().expect("a number"));
        self.is_closing = head.field("Connection").expect("one field") == Some(b"close");
        self.answer = Some(Answer { status: head.status, body_bytes: left, left, to_head: false });
        used
    }

    /// Checks the access record, if any, after the driver has reported a transmit.
    pub(crate) fn check_report(
        &mut self,
        is_whole: bool,
        len: u64,
        has_more: bool,
        served: Option<&AccessRecord<'_>>,
    ) {
        let answer = self.answer.as_ref().expect("an answer");
        if !is_whole || self.has_failed {
            assert!(served.is_none(), "logged although it failed");
            self.has_failed = true;
            return;
        }
        match served {
            None => assert!(has_more || answer.status == 100, "not logged: {}", answer.status),
            Some(served) => {
                assert!(!has_more && len <= served.body_bytes, "logged before its end");
                assert_eq!((served.status, served.body_bytes), (answer.status, answer.body_bytes));
                assert!(served.request_line.len() <= limits::REQUEST_LINE_BYTES);
                let to_head = served.request_line.starts_with(b"HEAD ");
                assert!(to_head || !answer.to_head, "an answer without its body");
            }
        }
        if !has_more {
            self.answer = None;
        }
    }
}
