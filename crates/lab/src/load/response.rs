//! Reads an answer: from the head, its status and framing; of the body, only where it ends.

use std::mem::MaybeUninit;

use super::chunks::Chunks;
use super::malformed::Malformed;

/// The longest head that is read. No server sends a longer one, and memory needs a bound.
const MAX_HEAD: usize = 64 * 1024;

/// The most fields that are read.
const MAX_FIELDS: usize = 1000;

/// Up to this many fields are parsed on the stack; more need an allocation.
const USUAL_FIELDS: usize = 128;

/// A complete answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Whether another request can follow on its connection.
    pub keep_alive: bool,
}

/// What the end of a connection means for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The end completes the answer.
    Whole(Answer),
    /// Nothing of the answer had come.
    Silent,
    /// The end cuts the answer short.
    Short,
}

/// The reader of an answer.
#[derive(Debug, Default)]
pub struct AnswerReader {
    state: ReaderState,
    /// The received part of a head that is not complete. Its memory is kept for the next head.
    head: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum ReaderState {
    #[default]
    Head,
    Length(Answer, u64),
    Chunked(Answer, Chunks),
    UntilEnd(Answer),
}

/// What the load generator needs to know of a head.
#[derive(Clone, Copy, Debug)]
struct ParsedHead {
    len: usize,
    answer: Answer,
    framing: AnswerFraming,
}

#[derive(Clone, Copy, Debug)]
enum AnswerFraming {
    /// Another head follows: this one was of an interim response (RFC 9110 §15.2).
    Interim,
    Length(u64),
    Chunked,
    UntilEnd,
}

impl AnswerReader {
    /// Prepares for the next answer.
    pub fn restart(&mut self) {
        self.state = ReaderState::Head;
        self.head.clear();
    }

    /// Whether nothing of an answer has come.
    pub fn is_untouched(&self) -> bool {
        matches!(self.state, ReaderState::Head) && self.head.is_empty()
    }

    /// Reads the next bytes. Returns the answer if they complete it.
    ///
    /// # Errors
    ///
    /// The answer is malformed, or bytes follow it.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Option<Answer>, Malformed> {
        let mut rest = bytes;
        while let ReaderState::Head = self.state {
            let Some(head) = self.receive_head(&mut rest)? else { return Ok(None) };
            self.state = match head.framing {
                AnswerFraming::Interim => ReaderState::Head,
                AnswerFraming::Length(length) => ReaderState::Length(head.answer, length),
                AnswerFraming::Chunked => ReaderState::Chunked(head.answer, Chunks::START),
                AnswerFraming::UntilEnd => ReaderState::UntilEnd(head.answer),
            };
        }
        self.receive_body(rest)
    }

    fn receive_head(&mut self, rest: &mut &[u8]) -> Result<Option<ParsedHead>, Malformed> {
        let before = self.head.len();
        if before > 0 {
            self.head.extend_from_slice(rest);
        }
        let received = if before > 0 { &self.head[..] } else { *rest };
        match ParsedHead::parse(received)? {
            Some(head) => {
                *rest = &rest[head.len - before..];
                self.head.clear();
                Ok(Some(head))
            }
            None if received.len() > MAX_HEAD => Err(Malformed("a head is longer than 64 KiB")),
            None => {
                if before == 0 {
                    self.head.extend_from_slice(rest);
                }
                Ok(None)
            }
        }
    }

    fn receive_body(&mut self, rest: &[u8]) -> Result<Option<Answer>, Malformed> {
        let (used, ended) = match &mut self.state {
            ReaderState::Head => (0, None),
            ReaderState::Length(answer, left) => {
                let used = (*left).min(rest.len() as u64);
                *left -= used;
                (used as usize, (*left == 0).then_some(*answer))
            }
            ReaderState::Chunked(answer, chunks) => {
                let (used, is_end) = chunks.receive(rest)?;
                (used, is_end.then_some(*answer))
            }
            ReaderState::UntilEnd(_) => (rest.len(), None),
        };
        match used == rest.len() {
            true => Ok(ended),
            false => Err(Malformed("more came than was asked for")),
        }
    }

    /// Handles the end of the connection.
    pub fn end(&self) -> Ending {
        match self.state {
            ReaderState::UntilEnd(answer) => Ending::Whole(answer),
            ReaderState::Head if self.head.is_empty() => Ending::Silent,
            _ => Ending::Short,
        }
    }
}

const TOO_MANY_FIELDS: Malformed = Malformed("a head has more than 1000 fields");

impl ParsedHead {
    /// The head at the start of these bytes, if it is complete.
    fn parse(bytes: &[u8]) -> Result<Option<ParsedHead>, Malformed> {
        // The array is not initialised: the parser writes over it.
        let mut fields = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
        match ParsedHead::parse_with(bytes, &mut fields) {
            Err(TOO_MANY_FIELDS) => {
                let mut fields = vec![MaybeUninit::uninit(); MAX_FIELDS];
                ParsedHead::parse_with(bytes, &mut fields)
            }
            parsed => parsed,
        }
    }

    fn parse_with<'b>(
        bytes: &'b [u8],
        fields: &mut [MaybeUninit<httparse::Header<'b>>],
    ) -> Result<Option<ParsedHead>, Malformed> {
        let mut response = httparse::Response::new(&mut []);
        let mut parser = httparse::ParserConfig::default();
        // The value of a field can go on in the next line (RFC 9112 §5.2).
        parser.allow_obsolete_multiline_headers_in_responses(true);
        let parsed = parser.parse_response_with_uninit_headers(&mut response, bytes, fields);
        let len = match parsed {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(TOO_MANY_FIELDS),
            Err(_) => return Err(Malformed("the answer does not begin with a head of HTTP/1.1")),
        };
        let status = response.code.unwrap_or_default();
        let mut keep_alive = response.version == Some(1);
        let (mut length, mut is_chunked, mut is_coded) = (None, false, false);
        for field in &*response.headers {
            if field.name.eq_ignore_ascii_case("content-length") {
                // A field can repeat the same number (RFC 9110 §8.6).
                for item in list_items(field.value) {
                    let item = number(item).ok_or(Malformed("a Content-Length is no number"))?;
                    if length.replace(item).is_some_and(|other| other != item) {
                        return Err(Malformed("two Content-Lengths differ"));
                    }
                }
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                is_coded = true;
                is_chunked = ends_in_chunked(field.value);
            } else if field.name.eq_ignore_ascii_case("connection") {
                keep_alive = (keep_alive || has_item(field.value, b"keep-alive"))
                    && !has_item(field.value, b"close");
            }
        }
        // The rules of RFC 9112 §6.3, in their order.
        let framing = match status {
            101 => return Err(Malformed("the protocol was switched without a request to do so")),
            100..200 => AnswerFraming::Interim,
            204 | 304 => AnswerFraming::Length(0),
            _ if is_coded && length.is_some() => {
                return Err(Malformed("both Content-Length and Transfer-Encoding"));
            }
            _ if is_chunked => AnswerFraming::Chunked,
            _ if is_coded => AnswerFraming::UntilEnd,
            _ => length.map_or(AnswerFraming::UntilEnd, AnswerFraming::Length),
        };
        Ok(Some(ParsedHead { len, answer: Answer { status, keep_alive }, framing }))
    }
}

fn number(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn list_items(list: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn has_item(list: &[u8], item: &[u8]) -> bool {
    list_items(list).any(|other| other.eq_ignore_ascii_case(item))
}

fn ends_in_chunked(list: &[u8]) -> bool {
    list_items(list).next_back().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asserts that this answer is read the same wherever it is cut, and byte by byte.
    fn assert_answer(whole: &[u8], status: u16, keep_alive: bool) {
        for cut in 0..=whole.len() {
            let mut reader = AnswerReader::default();
            let (first, second) = whole.split_at(cut);
            let (first, second) = (reader.receive(first), reader.receive(second));
            // An empty second piece completes nothing, so the first one has to be the answer.
            let ended = if cut == whole.len() { first } else { second };
            assert_eq!(ended, Ok(Some(Answer { status, keep_alive })), "cut at {cut}");
        }
        let mut reader = AnswerReader::default();
        let (last, others) = whole.split_last().unwrap();
        for byte in others {
            assert_eq!(reader.receive(&[*byte]), Ok(None));
        }
        assert_eq!(reader.receive(&[*last]), Ok(Some(Answer { status, keep_alive })));
    }

    #[test]
    fn lengths_and_chunks_end_an_answer() {
        assert_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, true);
        assert_answer(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, true);
        assert_answer(
            b"HTTP/1.1 404\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            404,
            true,
        );
        let chunked = b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        assert_answer(chunked, 500, true);
        assert_answer(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, true);
        assert_answer(b"HTTP/1.1 204 No Content\r\n\r\n", 204, true);
    }

    #[test]
    fn interim_answers_are_skipped() {
        assert_answer(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n\
            HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            200,
            true,
        );
    }

    #[test]
    fn keep_alive_depends_on_the_version_and_the_connection_field() {
        assert_answer(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
            200,
            false,
        );
        assert_answer(
            b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\nx",
            200,
            false,
        );
        assert_answer(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, false);
        assert_answer(
            b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx",
            200,
            true,
        );
    }

    /// What the end of the connection means after these bytes.
    fn ending(bytes: &[u8]) -> Ending {
        let mut reader = AnswerReader::default();
        assert_eq!(reader.receive(bytes), Ok(None), "{}", bytes.escape_ascii());
        reader.end()
    }

    #[test]
    fn the_end_of_a_connection_completes_only_an_answer_without_a_length() {
        let whole = Ending::Whole(Answer { status: 200, keep_alive: true });
        assert_eq!(ending(b"HTTP/1.1 200 OK\r\n\r\n"), whole);
        assert_eq!(ending(b"HTTP/1.1 200 OK\r\n\r\nsome of it"), whole);
        assert_eq!(ending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nsome"), whole);
        assert_eq!(ending(b""), Ending::Silent);
        assert_eq!(ending(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"), Ending::Short);
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n";
        assert_eq!(ending(chunked), Ending::Short);
        assert_eq!(ending(b"HTTP/1.1 2"), Ending::Short);
    }

    #[test]
    fn a_malformed_answer_is_an_error() {
        for bad in [
            &b"SSH-2.0-OpenSSH\r\n"[..],
            b"HTTP/2 200\r\n\r\n",
            b"HTTP/1.1 101 Switching\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
            b"HTTP/1.1 204 No Content\r\n\r\nx",
        ] {
            let mut reader = AnswerReader::default();
            assert!(reader.receive(bad).is_err(), "{}", bad.escape_ascii());
        }
        let endless = [&b"HTTP/1.1 200 OK\r\nA: "[..], &[b'a'; MAX_HEAD]].concat();
        let too_long = Malformed("a head is longer than 64 KiB");
        assert_eq!(AnswerReader::default().receive(&endless), Err(too_long));
    }

    #[test]
    fn a_field_can_continue_in_the_next_line() {
        assert_answer(
            b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length:\r\n\t5\r\n\r\nhello",
            200,
            true,
        );
        let closes =
            b"HTTP/1.1 200 OK\r\nConnection: x,\r\n  close\r\nContent-Length: 1, 1\r\n\r\nx";
        assert_answer(closes, 200, false);
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
        assert_answer(chunked, 200, true);
    }

    #[test]
    fn a_head_can_have_a_thousand_fields() {
        let head = |fields: usize| {
            format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "A: b\r\n".repeat(fields - 1))
        };
        for fields in [USUAL_FIELDS, USUAL_FIELDS + 1, MAX_FIELDS] {
            let answer = AnswerReader::default().receive(head(fields).as_bytes());
            assert_eq!(answer, Ok(Some(Answer { status: 200, keep_alive: true })), "{fields}");
        }
        let answer = AnswerReader::default().receive(head(MAX_FIELDS + 1).as_bytes());
        assert_eq!(answer, Err(TOO_MANY_FIELDS));
    }

    #[test]
    fn a_reader_can_be_used_again_after_anything() {
        let mut reader = AnswerReader::default();
        assert!(reader.is_untouched());
        assert_eq!(reader.receive(b"HTTP/1.1 20"), Ok(None));
        assert!(!reader.is_untouched());
        reader.restart();
        assert!(reader.is_untouched());
        let answer = reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(answer, Ok(Some(Answer { status: 200, keep_alive: true })));
    }
}
