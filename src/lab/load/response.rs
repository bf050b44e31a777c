//! Reading an answer: its head, for what has to be known of it, and its body, which is counted.

use std::mem::MaybeUninit;

use super::chunks::Chunks;

/// A head is not taken to be longer than this.
const MOST_HEAD: usize = 64 * 1024;

/// Nor to have more fields than this.
const MOST_FIELDS: usize = 128;

/// An answer that came whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Another request may follow on its connection.
    pub keeps: bool,
}

/// What came is no answer of HTTP/1.1 to what was asked: in which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// What the end of a connection means to who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The answer was to end with it.
    Whole(Answer),
    /// Nothing had come.
    Silent,
    /// A part was missing.
    Short,
}

/// An answer on its way.
#[derive(Debug, Default)]
pub struct Reader {
    state: State,
    /// The part of a head that has come, where it came in parts. Kept for the next one.
    head: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Head,
    Counted(Answer, u64),
    Chunked(Answer, Chunks),
    UntilEnd(Answer),
}

/// What a head says.
#[derive(Clone, Copy, Debug)]
struct Head {
    len: usize,
    answer: Answer,
    framing: Framing,
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    /// Another head follows: this one was of an interim answer (RFC 9110 §15.2).
    Interim,
    Length(u64),
    Chunked,
    UntilEnd,
}

impl Reader {
    /// Gets ready for the next answer.
    pub fn restart(&mut self) {
        self.state = State::Head;
        self.head.clear();
    }

    /// Whether nothing of an answer has come.
    pub fn is_untouched(&self) -> bool {
        matches!(self.state, State::Head) && self.head.is_empty()
    }

    /// Takes what has come; the answer, if that is the end of it.
    ///
    /// # Errors
    ///
    /// It is malformed, or more than was asked for.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Option<Answer>, Malformed> {
        let mut rest = bytes;
        while let State::Head = self.state {
            let Some(head) = self.receive_head(&mut rest)? else { return Ok(None) };
            self.state = match head.framing {
                Framing::Interim => State::Head,
                Framing::Length(length) => State::Counted(head.answer, length),
                Framing::Chunked => State::Chunked(head.answer, Chunks::START),
                Framing::UntilEnd => State::UntilEnd(head.answer),
            };
        }
        self.receive_body(rest)
    }

    fn receive_head(&mut self, rest: &mut &[u8]) -> Result<Option<Head>, Malformed> {
        let before = self.head.len();
        if before > 0 {
            self.head.extend_from_slice(rest);
        }
        let known = if before > 0 { &self.head[..] } else { *rest };
        match Head::parse(known)? {
            Some(head) => {
                *rest = &rest[head.len - before..];
                self.head.clear();
                Ok(Some(head))
            }
            None if known.len() > MOST_HEAD => Err(Malformed("a head has no end")),
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
            State::Head => (0, None),
            State::Counted(answer, left) => {
                let used = (*left).min(rest.len() as u64);
                *left -= used;
                (used as usize, (*left == 0).then_some(*answer))
            }
            State::Chunked(answer, chunks) => {
                let (used, is_end) = chunks.receive(rest)?;
                (used, is_end.then_some(*answer))
            }
            State::UntilEnd(_) => (rest.len(), None),
        };
        match used == rest.len() {
            true => Ok(ended),
            false => Err(Malformed("more came than was asked for")),
        }
    }

    /// The connection has ended.
    pub fn end(&self) -> Ending {
        match self.state {
            State::UntilEnd(answer) => Ending::Whole(answer),
            State::Head if self.head.is_empty() => Ending::Silent,
            _ => Ending::Short,
        }
    }
}

impl Head {
    /// The head that this begins with, if it is whole.
    fn parse(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
        // There is no time to fill in what is then written over.
        let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let parser = httparse::ParserConfig::default();
        let parsed = parser.parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
        let len = match parsed {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Malformed("what came is no head of HTTP/1.1")),
        };
        let status = response.code.unwrap_or_default();
        let mut keeps = response.version == Some(1);
        let (mut length, mut is_chunked, mut is_coded) = (None, false, false);
        for field in &*response.headers {
            if field.name.eq_ignore_ascii_case("content-length") {
                let said = number(field.value).ok_or(Malformed("a Content-Length is no number"))?;
                if length.replace(said).is_some_and(|other| other != said) {
                    return Err(Malformed("two Content-Lengths differ"));
                }
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                is_coded = true;
                is_chunked = ends_in_chunked(field.value);
            } else if field.name.eq_ignore_ascii_case("connection") {
                keeps = (keeps || has_word(field.value, b"keep-alive"))
                    && !has_word(field.value, b"close");
            }
        }
        // RFC 9112 §6.3, in its order.
        let framing = match status {
            101 => return Err(Malformed("the protocol was switched, and nobody had asked for it")),
            100..200 => Framing::Interim,
            204 | 304 => Framing::Length(0),
            _ if is_coded && length.is_some() => {
                return Err(Malformed("both Content-Length and Transfer-Encoding"));
            }
            _ if is_chunked => Framing::Chunked,
            _ if is_coded => Framing::UntilEnd,
            _ => length.map_or(Framing::UntilEnd, Framing::Length),
        };
        Ok(Some(Head { len, answer: Answer { status, keeps }, framing }))
    }
}

fn number(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn words(list: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn has_word(list: &[u8], word: &[u8]) -> bool {
    words(list).any(|other| other.eq_ignore_ascii_case(word))
}

fn ends_in_chunked(list: &[u8]) -> bool {
    words(list).next_back().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer, cut everywhere and byte by byte, always means this.
    fn means(whole: &[u8], status: u16, keeps: bool) {
        for cut in 0..=whole.len() {
            let mut reader = Reader::default();
            let (first, second) = whole.split_at(cut);
            let (first, second) = (reader.receive(first), reader.receive(second));
            // Of an empty piece nothing is expected; the reader is not asked after the end.
            let ended = if cut == whole.len() { first } else { second };
            assert_eq!(ended, Ok(Some(Answer { status, keeps })), "cut at {cut}");
        }
        let mut reader = Reader::default();
        let (last, others) = whole.split_last().unwrap();
        for byte in others {
            assert_eq!(reader.receive(&[*byte]), Ok(None));
        }
        assert_eq!(reader.receive(&[*last]), Ok(Some(Answer { status, keeps })));
    }

    #[test]
    fn lengths_and_chunks_end_an_answer() {
        means(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, true);
        means(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, true);
        means(b"HTTP/1.1 404\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 404, true);
        let chunked = b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        means(chunked, 500, true);
        means(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, true);
        means(b"HTTP/1.1 204 No Content\r\n\r\n", 204, true);
    }

    #[test]
    fn interim_answers_are_passed_over() {
        means(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n\
            HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            200,
            true,
        );
    }

    #[test]
    fn who_closes_says_so_and_who_keeps_may_have_to() {
        means(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, false);
        means(b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\nx", 200, false);
        means(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, false);
        means(
            b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx",
            200,
            true,
        );
    }

    /// What the end of the connection means after so much.
    fn ending(bytes: &[u8]) -> Ending {
        let mut reader = Reader::default();
        assert_eq!(reader.receive(bytes), Ok(None), "{}", bytes.escape_ascii());
        reader.end()
    }

    #[test]
    fn the_end_of_a_connection_ends_what_has_no_length_and_cuts_what_has_one() {
        let whole = Ending::Whole(Answer { status: 200, keeps: true });
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
    fn what_is_no_answer_is_told() {
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
            let mut reader = Reader::default();
            assert!(reader.receive(bad).is_err(), "{}", bad.escape_ascii());
        }
        let endless = [&b"HTTP/1.1 200 OK\r\nA: "[..], &[b'a'; MOST_HEAD]].concat();
        assert_eq!(Reader::default().receive(&endless), Err(Malformed("a head has no end")));
    }

    #[test]
    fn a_reader_can_be_used_again_after_anything() {
        let mut reader = Reader::default();
        assert!(reader.is_untouched());
        assert_eq!(reader.receive(b"HTTP/1.1 20"), Ok(None));
        assert!(!reader.is_untouched());
        reader.restart();
        assert!(reader.is_untouched());
        let answer = reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(answer, Ok(Some(Answer { status: 200, keeps: true })));
    }
}
