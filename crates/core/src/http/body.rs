//! Request bodies (RFC 9112 §6 and §7): where they end, and what they contain.

use alloc::vec::Vec;

use super::error_response::ErrorResponse;
use super::fields::Framing;
use super::status::Status;
use crate::limits::{self, Limits};

/// Decodes a body as it arrives, in pieces of any size.
#[derive(Debug)]
pub(crate) struct BodyDecoder {
    stage: Stage,
    /// Whether the application needs the body.
    is_wanted: bool,
    /// The body received so far, if it is needed.
    kept: Vec<u8>,
    /// Bytes of the body received so far.
    received: usize,
    /// Bytes of chunk lines and trailers received so far.
    overhead: usize,
}

#[derive(Debug)]
enum Stage {
    /// In a body of known length, with this many bytes to come.
    Plain(usize),
    /// At the line with the size of a chunk.
    Size,
    /// In a chunk, with this many bytes to come.
    Chunk(usize),
    /// At the line end after a chunk.
    ChunkEnd,
    /// At trailer lines, up to an empty one.
    Trailers,
    Whole,
}

const TOO_LARGE: ErrorResponse =
    ErrorResponse::closing(Status::CONTENT_TOO_LARGE, "The body of the request is too large.");
const BAD_CHUNK: ErrorResponse = ErrorResponse::malformed("The body has a malformed chunk.");
const BAD_TRAILER: ErrorResponse = ErrorResponse::malformed("The body has a malformed trailer.");

impl BodyDecoder {
    /// Expects no body.
    pub(crate) const fn none() -> BodyDecoder {
        BodyDecoder {
            stage: Stage::Whole,
            is_wanted: false,
            kept: Vec::new(),
            received: 0,
            overhead: 0,
        }
    }

    /// Expects a body, and keeps the body if it is wanted.
    pub(crate) fn expect(
        framing: Framing,
        is_wanted: bool,
        limits: &Limits,
    ) -> Result<BodyDecoder, ErrorResponse> {
        let stage = match framing {
            Framing::None => Stage::Whole,
            Framing::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= limits.body_bytes => Stage::Plain(length),
                _ => return Err(TOO_LARGE),
            },
            Framing::Chunked => Stage::Size,
        };
        Ok(BodyDecoder { stage, is_wanted, ..BodyDecoder::none() })
    }

    /// Decodes input up to the end of the body. Returns how many bytes belong to the body.
    pub(crate) fn take(&mut self, input: &[u8], limits: &Limits) -> Result<usize, ErrorResponse> {
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

    /// Bytes of the body received so far.
    pub(crate) fn received(&self) -> usize {
        self.received
    }

    /// The body, if it was needed.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.kept
    }

    fn step(&mut self, input: &[u8], limits: &Limits) -> Result<usize, ErrorResponse> {
        match self.stage {
            Stage::Plain(left) => {
                let taken = self.take_data(input, left);
                self.stage = if taken == left { Stage::Whole } else { Stage::Plain(left - taken) };
                Ok(taken)
            }
            Stage::Chunk(left) => {
                let taken = self.take_data(input, left);
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
                self.count_overhead(line, limits)?;
                self.stage = match chunk_size(line)? {
                    0 => Stage::Trailers,
                    size if size > limits.body_bytes - self.received => return Err(TOO_LARGE),
                    size => Stage::Chunk(size),
                };
                Ok(line.len() + 2)
            }
            Stage::Trailers => {
                let max_bytes = limits.header_section_bytes.min(limits::CHUNK_OVERHEAD_BYTES);
                let line = line(input, max_bytes, BAD_TRAILER)?;
                let Some(line) = line else { return Ok(0) };
                self.count_overhead(line, limits)?;
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

    /// Takes bytes of the body, at most `left`.
    fn take_data(&mut self, input: &[u8], left: usize) -> usize {
        let taken = input.len().min(left);
        self.received += taken;
        if self.is_wanted {
            self.kept.extend_from_slice(&input[..taken]);
        }
        taken
    }

    /// Counts a line of the framing against its limit.
    fn count_overhead(&mut self, line: &[u8], limits: &Limits) -> Result<(), ErrorResponse> {
        self.overhead += line.len() + 2;
        let max_bytes = limits.body_bytes.max(limits::CHUNK_OVERHEAD_BYTES);
        if self.overhead > max_bytes { Err(TOO_LARGE) } else { Ok(()) }
    }
}

/// The line that `input` begins with, without its CRLF; none while it is incomplete.
fn line(
    input: &[u8],
    max_bytes: usize,
    bad: ErrorResponse,
) -> Result<Option<&[u8]>, ErrorResponse> {
    let Some(end) = memchr::memchr(b'\n', &input[..input.len().min(max_bytes)]) else {
        // No later byte can make a control byte valid, so such a line is refused at once.
        let has_control = input.iter().enumerate().any(|(at, &byte)| {
            byte.is_ascii_control() && byte != b'\t' && !(byte == b'\r' && at + 1 == input.len())
        });
        return if input.len() < max_bytes && !has_control { Ok(None) } else { Err(bad) };
    };
    match input[..end].strip_suffix(b"\r") {
        Some(line) => Ok(Some(line)),
        None => Err(bad),
    }
}

/// The size of a chunk. Extensions, which can follow the hex digits, are checked and dropped.
fn chunk_size(line: &[u8]) -> Result<usize, ErrorResponse> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let text = core::str::from_utf8(&line[..digits]).map_err(|_| BAD_CHUNK)?;
    // A size that does not fit 64 bits counts as malformed: it was made to overflow an integer.
    let size = u64::from_str_radix(text, 16).map_err(|_| BAD_CHUNK)?;
    if digits > 16 || !are_extensions(&line[digits..]) {
        return Err(BAD_CHUNK);
    }
    Ok(usize::try_from(size).unwrap_or(usize::MAX))
}

/// Whether the rest is `*( ";" name [ "=" ( token / quoted-string ) ] )`, without the white space
/// that RFC 9112 §7.1.1 calls bad.
fn are_extensions(mut rest: &[u8]) -> bool {
    while let Some(extension) = rest.strip_prefix(b";") {
        let Some(after_name) = after_token(extension) else { return false };
        rest = match after_name.strip_prefix(b"=") {
            None => after_name,
            Some(value) => match after_token(value).or_else(|| after_quoted(value)) {
                None => return false,
                Some(after_value) => after_value,
            },
        };
    }
    rest.is_empty()
}

/// The rest of `text` after a token (RFC 9110 §5.6.2).
fn after_token(text: &[u8]) -> Option<&[u8]> {
    let is_token = |byte: &&u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let len = text.iter().take_while(is_token).count();
    (len > 0).then(|| &text[len..])
}

/// The rest of `text` after a quoted string (RFC 9110 §5.6.4).
fn after_quoted(text: &[u8]) -> Option<&[u8]> {
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

/// Fields that a trailer must not have (RFC 9110 §6.5.1): a program that merges trailers into the
/// head would see a different request.
const FORBIDDEN_TRAILERS: [&[u8]; 12] = [
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

fn check_trailer(line: &[u8]) -> Result<(), ErrorResponse> {
    let value = after_token(line).and_then(|rest| rest.strip_prefix(b":"));
    let Some(value) = value.filter(|value| value.iter().all(|&byte| is_text(byte))) else {
        return Err(BAD_TRAILER);
    };
    let name = &line[..line.len() - value.len() - 1];
    if FORBIDDEN_TRAILERS.iter().any(|banned| name.eq_ignore_ascii_case(banned)) {
        return Err(ErrorResponse::malformed("The body has a trailer that only a head can have."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::ToString};

    fn expect(framing: Framing, is_wanted: bool) -> Result<BodyDecoder, ErrorResponse> {
        BodyDecoder::expect(framing, is_wanted, &Limits::default())
    }

    fn take(decoder: &mut BodyDecoder, input: &[u8]) -> Result<usize, ErrorResponse> {
        decoder.take(input, &Limits::default())
    }

    fn receive(body: &[u8], piece: usize) -> Result<(Vec<u8>, usize), ErrorResponse> {
        let mut decoder = expect(Framing::Chunked, true)?;
        let (mut start, mut end) = (0, 0);
        while !decoder.is_whole() && end < body.len() {
            end = (end + piece).min(body.len());
            start += take(&mut decoder, &body[start..end])?;
        }
        assert!(decoder.is_whole(), "incomplete: {}", body.escape_ascii());
        Ok((decoder.bytes().to_vec(), start))
    }

    #[test]
    fn chunks_can_come_in_pieces_of_any_length() {
        let body =
            b"5\r\nhello\r\n1;a=b;c=\"d\\\"e\"\r\n \r\n00A\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET";
        for piece in 1..body.len() {
            let (bytes, taken) = receive(body, piece).unwrap();
            assert_eq!(bytes, b"hello 0123456789");
            assert_eq!(taken, body.len() - 3, "bytes after the body are not taken");
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
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
            let mut decoder = expect(Framing::Chunked, true).unwrap();
            let refusal = take(&mut decoder, body).expect_err(&body.escape_ascii().to_string());
            assert_eq!((refusal.status, refusal.closes), (Status::BAD_REQUEST, true));
        }
    }

    #[test]
    fn a_body_is_limited_in_every_framing() {
        let too_long = limits::BODY_BYTES as u64 + 1;
        assert_eq!(expect(Framing::Length(too_long), true).unwrap_err(), TOO_LARGE);
        assert_eq!(expect(Framing::Length(u64::MAX), false).unwrap_err(), TOO_LARGE);
        let mut decoder = expect(Framing::Chunked, true).unwrap();
        let size = format!("{too_long:x}\r\n");
        assert_eq!(take(&mut decoder, size.as_bytes()), Err(TOO_LARGE));
        let mut decoder = expect(Framing::Chunked, true).unwrap();
        assert_eq!(take(&mut decoder, b"ffffffffffffffff\r\n"), Err(TOO_LARGE));
        let mut decoder = expect(Framing::Chunked, true).unwrap();
        let tiny_chunks = b"1;extension=long\r\nx\r\n".repeat(limits::BODY_BYTES / 8);
        assert_eq!(take(&mut decoder, &tiny_chunks), Err(TOO_LARGE));
    }

    #[test]
    fn a_larger_limit_of_the_body_allows_more_chunk_lines() {
        let limits = Limits { body_bytes: 4 * limits::CHUNK_OVERHEAD_BYTES, ..Limits::default() };
        // The size line before each byte counts, with three bytes; the line end after it does not.
        let tiny_chunks = |bytes: usize| b"1\r\nx\r\n".repeat(bytes);
        let mut decoder = BodyDecoder::expect(Framing::Chunked, true, &limits).unwrap();
        let chunks = limits.body_bytes / 3;
        assert_eq!(decoder.take(&tiny_chunks(chunks), &limits), Ok(6 * chunks));
        assert_eq!(decoder.take(&tiny_chunks(1), &limits), Err(TOO_LARGE));
        let small = Limits { body_bytes: 1, ..Limits::default() };
        let mut decoder = BodyDecoder::expect(Framing::Chunked, true, &small).unwrap();
        let body = format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(200));
        assert_eq!(decoder.take(body.as_bytes(), &small), Ok(body.len()));
    }

    #[test]
    fn an_unwanted_body_is_not_kept() {
        let mut decoder = expect(Framing::Length(5), false).unwrap();
        assert_eq!(take(&mut decoder, b"helloGET"), Ok(5));
        assert!(decoder.is_whole());
        assert_eq!(decoder.received(), 5);
        assert_eq!(decoder.bytes(), b"");
    }
}
