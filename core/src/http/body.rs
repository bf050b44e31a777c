//! Request bodies (RFC 9112 §6 and §7): where they end, and what they hold.

use alloc::vec::Vec;

use super::fields::Framing;
use super::refusal::Refusal;
use super::response::Status;
use crate::limits::{self, Limits};

/// Takes a body as it comes in, in any pieces.
#[derive(Debug)]
pub(crate) struct Receiver {
    stage: Stage,
    /// Somebody will look at it.
    wanted: bool,
    /// What has come, if it is wanted.
    kept: Vec<u8>,
    /// Bytes of body so far.
    received: usize,
    /// Bytes of chunk lines and trailers so far.
    overhead: usize,
}

#[derive(Debug)]
enum Stage {
    /// So many bytes are to come, and then the end.
    Plain(usize),
    /// A line with the size of a chunk.
    Size,
    /// So many bytes of a chunk are to come.
    Chunk(usize),
    /// The line end after a chunk.
    ChunkEnd,
    /// Trailer lines, up to an empty one.
    Trailers,
    Whole,
}

const TOO_LARGE: Refusal =
    Refusal::closing(Status::CONTENT_TOO_LARGE, "The body of the request is too large.");
const BAD_CHUNK: Refusal = Refusal::malformed("The body has a malformed chunk.");
const BAD_TRAILER: Refusal = Refusal::malformed("The body has a malformed trailer.");

impl Receiver {
    /// Expects no body.
    pub(crate) const fn none() -> Receiver {
        Receiver { stage: Stage::Whole, wanted: false, kept: Vec::new(), received: 0, overhead: 0 }
    }

    /// Expects a body, and keeps it if anybody wants it.
    pub(crate) fn expect(
        framing: Framing,
        wanted: bool,
        limits: &Limits,
    ) -> Result<Receiver, Refusal> {
        let stage = match framing {
            Framing::None => Stage::Whole,
            Framing::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= limits.body_bytes => Stage::Plain(length),
                _ => return Err(TOO_LARGE),
            },
            Framing::Chunked => Stage::Size,
        };
        Ok(Receiver { stage, wanted, ..Receiver::none() })
    }

    /// Takes what it can of `input` and says how many bytes that was.
    pub(crate) fn take(&mut self, input: &[u8], limits: &Limits) -> Result<usize, Refusal> {
        let mut taken = 0;
        while !self.is_whole() {
            let step = self.step(&input[taken..], limits)?;
            if step == 0 {
                break;
            }
            taken += step;
        }
        Ok(taken)
    }

    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.stage, Stage::Whole)
    }

    /// Bytes of body that have come so far.
    pub(crate) fn received(&self) -> usize {
        self.received
    }

    /// The body, where it was wanted.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.kept
    }

    fn step(&mut self, input: &[u8], limits: &Limits) -> Result<usize, Refusal> {
        match self.stage {
            Stage::Plain(left) => {
                let taken = self.data(input, left);
                self.stage = if taken == left { Stage::Whole } else { Stage::Plain(left - taken) };
                Ok(taken)
            }
            Stage::Chunk(left) => {
                let taken = self.data(input, left);
                self.stage =
                    if taken == left { Stage::ChunkEnd } else { Stage::Chunk(left - taken) };
                Ok(taken)
            }
            Stage::ChunkEnd => match input {
                [b'\r', b'\n', ..] => {
                    self.stage = Stage::Size;
                    Ok(2)
                }
                [] | [b'\r'] => Ok(0),
                _ => Err(BAD_CHUNK),
            },
            Stage::Size => {
                let line = line(input, limits::CHUNK_LINE_BYTES, BAD_CHUNK)?;
                let Some(line) = line else { return Ok(0) };
                self.count(line, limits)?;
                self.stage = match chunk_size(line)? {
                    0 => Stage::Trailers,
                    size if size > limits.body_bytes - self.received => return Err(TOO_LARGE),
                    size => Stage::Chunk(size),
                };
                Ok(line.len() + 2)
            }
            Stage::Trailers => {
                let most = limits.header_section_bytes.min(limits::CHUNK_OVERHEAD_BYTES);
                let line = line(input, most, BAD_TRAILER)?;
                let Some(line) = line else { return Ok(0) };
                self.count(line, limits)?;
                if line.is_empty() {
                    self.stage = Stage::Whole;
                } else {
                    check_trailer(line)?;
                }
                Ok(line.len() + 2)
            }
            Stage::Whole => Ok(0),
        }
    }

    fn data(&mut self, input: &[u8], left: usize) -> usize {
        let taken = input.len().min(left);
        self.received += taken;
        if self.wanted {
            self.kept.extend_from_slice(&input[..taken]);
        }
        taken
    }

    /// Counts a line that is none of the body's own.
    fn count(&mut self, line: &[u8], limits: &Limits) -> Result<(), Refusal> {
        self.overhead += line.len() + 2;
        let most = limits.body_bytes.max(limits::CHUNK_OVERHEAD_BYTES);
        if self.overhead > most { Err(TOO_LARGE) } else { Ok(()) }
    }
}

/// The line that `input` begins with, without its CRLF; none while it is incomplete.
fn line(input: &[u8], most: usize, bad: Refusal) -> Result<Option<&[u8]>, Refusal> {
    let Some(end) = memchr::memchr(b'\n', &input[..input.len().min(most)]) else {
        // A control byte can't be mended by what follows it, so it is refused at once.
        let controls = input.iter().enumerate().any(|(at, &byte)| {
            byte.is_ascii_control() && byte != b'\t' && !(byte == b'\r' && at + 1 == input.len())
        });
        return if input.len() < most && !controls { Ok(None) } else { Err(bad) };
    };
    match input[..end].strip_suffix(b"\r") {
        Some(line) => Ok(Some(line)),
        None => Err(bad),
    }
}

/// The size of a chunk: hex digits, then perhaps extensions, which are checked and dropped.
fn chunk_size(line: &[u8]) -> Result<usize, Refusal> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let text = core::str::from_utf8(&line[..digits]).map_err(|_| BAD_CHUNK)?;
    // A size that does not fit a number is a malformed one: it was made to overflow.
    let size = u64::from_str_radix(text, 16).map_err(|_| BAD_CHUNK)?;
    if digits > 16 || !extensions(&line[digits..]) {
        return Err(BAD_CHUNK);
    }
    Ok(usize::try_from(size).unwrap_or(usize::MAX))
}

/// `*( ";" name [ "=" ( token / quoted-string ) ] )`, without the white space that RFC 9112 §7.1.1
/// calls bad.
fn extensions(mut rest: &[u8]) -> bool {
    while let Some(extension) = rest.strip_prefix(b";") {
        let Some(after_name) = token(extension) else { return false };
        rest = match after_name.strip_prefix(b"=") {
            None => after_name,
            Some(value) => match token(value).or_else(|| quoted(value)) {
                None => return false,
                Some(after_value) => after_value,
            },
        };
    }
    rest.is_empty()
}

/// What follows the token that `text` begins with (RFC 9110 §5.6.2).
fn token(text: &[u8]) -> Option<&[u8]> {
    let is_token = |byte: &&u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let len = text.iter().take_while(is_token).count();
    (len > 0).then(|| &text[len..])
}

/// What follows the quoted string that `text` begins with (RFC 9110 §5.6.4).
fn quoted(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', escaped, after @ ..] if is_text(*escaped) => after,
            [byte, after @ ..] if is_text(*byte) && *byte != b'\\' => after,
            _ => return None,
        };
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// What a trailer must not have (RFC 9110 §6.5.1), since whoever merges it into the head would read
/// another request.
const NO_TRAILERS: [&[u8]; 12] = [
    b"Authorization",
    b"Connection",
    b"Content-Encoding",
    b"Content-Length",
    b"Content-Range",
    b"Content-Type",
    b"Cookie",
    b"Expect",
    b"Host",
    b"TE",
    b"Trailer",
    b"Transfer-Encoding",
];

fn check_trailer(line: &[u8]) -> Result<(), Refusal> {
    let value = token(line).and_then(|rest| rest.strip_prefix(b":"));
    let Some(value) = value.filter(|value| value.iter().all(|&byte| is_text(byte))) else {
        return Err(BAD_TRAILER);
    };
    let name = &line[..line.len() - value.len() - 1];
    if NO_TRAILERS.iter().any(|banned| name.eq_ignore_ascii_case(banned)) {
        return Err(Refusal::malformed("The body has a trailer that belongs into the head."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::ToString};

    fn expect(framing: Framing, wanted: bool) -> Result<Receiver, Refusal> {
        Receiver::expect(framing, wanted, &Limits::default())
    }

    fn take(receiver: &mut Receiver, input: &[u8]) -> Result<usize, Refusal> {
        receiver.take(input, &Limits::default())
    }

    fn receive(body: &[u8], piece: usize) -> Result<(Vec<u8>, usize), Refusal> {
        let mut receiver = expect(Framing::Chunked, true)?;
        let (mut start, mut end) = (0, 0);
        while !receiver.is_whole() && end < body.len() {
            end = (end + piece).min(body.len());
            start += take(&mut receiver, &body[start..end])?;
        }
        assert!(receiver.is_whole(), "incomplete: {}", body.escape_ascii());
        Ok((receiver.bytes().to_vec(), start))
    }

    #[test]
    fn chunks_in_any_pieces() {
        let body =
            b"5\r\nhello\r\n1;a=b;c=\"d\\\"e\"\r\n \r\n00A\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET";
        for piece in 1..body.len() {
            let (bytes, taken) = receive(body, piece).unwrap();
            assert_eq!(bytes, b"hello 0123456789");
            assert_eq!(taken, body.len() - 3, "what follows the body is left alone");
        }
    }

    #[test]
    fn what_is_not_a_chunk() {
        for body in [
            &b"\r\n"[..],
            b"g\r\n",
            b"5\nhello",
            b" 5\r\n",
            b"5 \r\n",
            b"+5\r\n",
            b"-1\r\n",
            b"0x5\r\n",
            b"5;\r\n",
            b"5;a=\r\n",
            b"5;a=\"b\r\n",
            b"5; a\r\n",
            b"5;a\nb\r\n",
            b"5;a\rb\r\n",
            b"5\r\nhelloX",
            b"5\r\nhello\n",
            b"5\r\nhello\rX",
            b"10000000000000000\r\n",
            b"00000000000000001\r\n",
            b"ffffffffffffffffff\r\n",
            b"5\0",
            b"5\rX",
            b"0\r\nX y\r\n\r\n",
            b"0\r\n: y\r\n\r\n",
            b"0\r\nX : y\r\n\r\n",
            b"0\r\n X: y\r\n\r\n",
            b"0\r\nX: a\nY: b\r\n\r\n",
            b"0\r\n\n",
            b"0\r\nX: \0\r\n\r\n",
            b"0\r\nX: y\r\ncontent-length: 5\r\n\r\n",
            b"0\r\nHost:\r\n\r\n",
            &[b'1'; 300],
        ] {
            let mut receiver = expect(Framing::Chunked, true).unwrap();
            let refusal = take(&mut receiver, body).expect_err(&body.escape_ascii().to_string());
            assert_eq!((refusal.status, refusal.close), (Status::BAD_REQUEST, true));
        }
    }

    #[test]
    fn a_body_is_bounded_however_it_is_framed() {
        let too_long = limits::BODY_BYTES as u64 + 1;
        assert_eq!(expect(Framing::Length(too_long), true).unwrap_err(), TOO_LARGE);
        assert_eq!(expect(Framing::Length(u64::MAX), false).unwrap_err(), TOO_LARGE);
        let mut receiver = expect(Framing::Chunked, true).unwrap();
        let size = format!("{too_long:x}\r\n");
        assert_eq!(take(&mut receiver, size.as_bytes()), Err(TOO_LARGE));
        let mut receiver = expect(Framing::Chunked, true).unwrap();
        assert_eq!(take(&mut receiver, b"ffffffffffffffff\r\n"), Err(TOO_LARGE));
        let mut receiver = expect(Framing::Chunked, true).unwrap();
        let dust = b"1;extension=long\r\nx\r\n".repeat(limits::BODY_BYTES / 8);
        assert_eq!(take(&mut receiver, &dust), Err(TOO_LARGE));
    }

    #[test]
    fn where_a_larger_body_may_come_so_may_more_chunks() {
        let limits = Limits { body_bytes: 4 * limits::CHUNK_OVERHEAD_BYTES, ..Limits::default() };
        // The line before a byte, and its end, which is of no line.
        let dust = |bytes: usize| b"1\r\nx\r\n".repeat(bytes);
        let mut receiver = Receiver::expect(Framing::Chunked, true, &limits).unwrap();
        let most = limits.body_bytes / 3;
        assert_eq!(receiver.take(&dust(most), &limits), Ok(6 * most));
        assert_eq!(receiver.take(&dust(1), &limits), Err(TOO_LARGE));
        let small = Limits { body_bytes: 1, ..Limits::default() };
        let mut receiver = Receiver::expect(Framing::Chunked, true, &small).unwrap();
        let body = format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(200));
        assert_eq!(receiver.take(body.as_bytes(), &small), Ok(body.len()));
    }

    #[test]
    fn a_body_that_nobody_wants_is_not_kept() {
        let mut receiver = expect(Framing::Length(5), false).unwrap();
        assert_eq!(take(&mut receiver, b"helloGET"), Ok(5));
        assert!(receiver.is_whole());
        assert_eq!(receiver.received(), 5);
        assert_eq!(receiver.bytes(), b"");
    }
}
