//! RESP2, the protocol of Redis: the encoding of queries and replies.
//!
//! Two programs use this file: the server, whose [pipeline](super::Pipeline) sends queries, and the
//! embedded store, which replies instead of a Redis. Source: the "Redis serialization protocol
//! specification" of redis.io.

use alloc::vec::Vec;
use core::fmt;

use crate::limits;

/// One value of RESP2. It borrows the bytes from which it was [decoded](decode).
#[derive(Debug, PartialEq, Eq)]
pub enum RespValue<'a> {
    /// `+OK`
    Simple(&'a [u8]),
    /// `-ERR what went wrong`
    Error(&'a [u8]),
    /// `:42`
    Integer(i64),
    /// `$5` and five bytes; none for the null bulk `$-1`.
    Bulk(Option<&'a [u8]>),
    /// `*2` and two values; none for the null array `*-1`.
    Array(Option<Vec<RespValue<'a>>>),
}

/// The error for input that is not RESP2, or exceeds a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbage;

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the input is not RESP2")
    }
}

/// Reads the first value of `input`: the value and how many bytes it took, or none while it is
/// incomplete.
///
/// # Errors
///
/// [`Garbage`] for anything that is not RESP2, for nesting deeper than an array of arrays of
/// plain values, and for a value of more than [`limits::STORE_VALUE_BYTES`].
pub fn decode(input: &[u8]) -> Result<Option<(RespValue<'_>, usize)>, Garbage> {
    Ok(decode_or_min_len(input)?.ok())
}

/// Like [`decode`], but returns the least length that an incomplete value can have. A caller that
/// waits for this many bytes decodes a value that arrives in many pieces only a few times.
///
/// # Errors
///
/// Those of [`decode`].
pub fn decode_or_min_len(input: &[u8]) -> Result<Result<(RespValue<'_>, usize), usize>, Garbage> {
    let mut reader = ValueReader { input, at: 0, later: 0 };
    match reader.value(DEPTH) {
        Ok(value) => Ok(Ok((value, reader.at))),
        Err(ReadError::Garbage) => Err(Garbage),
        Err(ReadError::Incomplete { .. }) if input.len() > limits::STORE_VALUE_BYTES => {
            Err(Garbage)
        }
        Err(ReadError::Incomplete { here }) => {
            let min_len = (reader.at + here + reader.later).max(input.len() + 1);
            Ok(Err(min_len.min(limits::STORE_VALUE_BYTES + 1)))
        }
    }
}

/// Appends a command. `words` are its name and its arguments, each of any bytes.
pub fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    array(out, words.len());
    for word in words {
        bulk(out, word);
    }
}

/// Appends the start of an array. The caller appends its `len` values.
pub fn array(out: &mut Vec<u8>, len: usize) {
    line(out, b'*', len as i64);
}

/// Appends a bulk string.
pub fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    line(out, b'$', bytes.len() as i64);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends the null bulk string, which stands for a missing value.
pub fn null(out: &mut Vec<u8>) {
    line(out, b'$', -1);
}

/// Appends an integer.
pub fn integer(out: &mut Vec<u8>, value: i64) {
    line(out, b':', value);
}

/// Appends a simple string, which must not contain a line end.
pub fn simple(out: &mut Vec<u8>, text: &str) {
    text_line(out, b'+', text);
}

/// Appends an error: by convention a word in capitals, then the sentence; no line end.
pub fn error(out: &mut Vec<u8>, text: &str) {
    text_line(out, b'-', text);
}

fn text_line(out: &mut Vec<u8>, kind: u8, text: &str) {
    debug_assert!(!text.contains(['\r', '\n']));
    out.push(kind);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, kind: u8, number: i64) {
    out.push(kind);
    if number < 0 {
        out.push(b'-');
    }
    crate::text::decimal(out, number.unsigned_abs());
    out.extend_from_slice(b"\r\n");
}

/// How deep arrays can be nested: no reply is more than an array of arrays.
const DEPTH: usize = 2;

/// The shortest value, such as `+\r\n`, in bytes.
const LEAST_BYTES: usize = 3;

/// The longest line: an error of the store. A length or an integer has at most twenty characters.
const LINE_BYTES: usize = 1024;

enum ReadError {
    /// The value has at least `here` bytes from the reader's position on.
    Incomplete {
        here: usize,
    },
    Garbage,
}

struct ValueReader<'a> {
    input: &'a [u8],
    at: usize,
    /// The least number of bytes that follow the current value.
    later: usize,
}

impl<'a> ValueReader<'a> {
    fn value(&mut self, depth: usize) -> Result<RespValue<'a>, ReadError> {
        let line = self.line()?;
        let (&kind, rest) = line.split_first().ok_or(ReadError::Garbage)?;
        Ok(match kind {
            b'+' => RespValue::Simple(rest),
            b'-' => RespValue::Error(rest),
            b':' => RespValue::Integer(number(rest)?),
            b'$' => RespValue::Bulk(self.bulk(number(rest)?)?),
            b'*' => RespValue::Array(self.array(number(rest)?, depth)?),
            _ => return Err(ReadError::Garbage),
        })
    }

    fn line(&mut self) -> Result<&'a [u8], ReadError> {
        let rest = &self.input[self.at..];
        let window = &rest[..rest.len().min(LINE_BYTES)];
        match memchr::memchr(b'\n', window) {
            Some(end) if end > 0 && rest[end - 1] == b'\r' => {
                self.at += end + 1;
                Ok(&rest[..end - 1])
            }
            None if rest.len() < LINE_BYTES => Err(ReadError::Incomplete { here: LEAST_BYTES }),
            _ => Err(ReadError::Garbage),
        }
    }

    fn bulk(&mut self, len: i64) -> Result<Option<&'a [u8]>, ReadError> {
        if len == -1 {
            return Ok(None);
        }
        let len = bounded(len)?;
        let rest = &self.input[self.at..];
        if rest.len() < len + 2 {
            return Err(ReadError::Incomplete { here: len + 2 });
        }
        if &rest[len..len + 2] != b"\r\n" {
            return Err(ReadError::Garbage);
        }
        self.at += len + 2;
        Ok(Some(&rest[..len]))
    }

    fn array(&mut self, len: i64, depth: usize) -> Result<Option<Vec<RespValue<'a>>>, ReadError> {
        if len == -1 {
            return Ok(None);
        }
        let len = bounded(len)?;
        let depth = depth.checked_sub(1).ok_or(ReadError::Garbage)?;
        // Memory is allocated only for values that can have arrived.
        let arrived = (self.input.len() - self.at) / LEAST_BYTES;
        let mut values = Vec::with_capacity(len.min(arrived));
        self.later += len * LEAST_BYTES;
        for _ in 0..len {
            self.later -= LEAST_BYTES;
            values.push(self.value(depth)?);
        }
        Ok(Some(values))
    }
}

fn bounded(len: i64) -> Result<usize, ReadError> {
    usize::try_from(len)
        .ok()
        .filter(|&len| len <= limits::STORE_VALUE_BYTES)
        .ok_or(ReadError::Garbage)
}

fn number(digits: &[u8]) -> Result<i64, ReadError> {
    core::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(ReadError::Garbage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_command_is_decoded_once_its_last_byte_has_come() {
        let mut wire = Vec::new();
        command(&mut wire, &[b"RPUSH", b"key", b"\r\n\0"]);
        assert_eq!(wire, b"*3\r\n$5\r\nRPUSH\r\n$3\r\nkey\r\n$3\r\n\r\n\0\r\n");
        for cut in 0..wire.len() {
            assert_eq!(decode(&wire[..cut]), Ok(None), "{cut}");
        }
        let words = [&b"RPUSH"[..], b"key", b"\r\n\0"].map(|word| RespValue::Bulk(Some(word)));
        let expected = RespValue::Array(Some(Vec::from(words)));
        assert_eq!(decode(&wire), Ok(Some((expected, wire.len()))));
    }

    #[test]
    fn the_least_length_is_never_too_large_and_needs_few_attempts() {
        let mut wire = Vec::new();
        array(&mut wire, 1000);
        for _ in 0..500 {
            integer(&mut wire, 7);
            bulk(&mut wire, b"twenty bytes of value");
        }
        let (mut len, mut attempts) = (0, 0);
        while let Err(min_len) = decode_or_min_len(&wire[..len]).unwrap() {
            assert!(len < min_len && min_len <= wire.len(), "{len} {min_len}");
            (len, attempts) = (min_len, attempts + 1);
        }
        assert_eq!(len, wire.len());
        assert!(attempts < 100, "{attempts}");
        assert_eq!(decode_or_min_len(b"*4000000\r\n*4000000\r\n"), Ok(Err(4 * 1024 * 1024 + 1)));
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let one = |wire: &'static [u8]| decode(wire).unwrap().unwrap().0;
        assert_eq!(one(b"+OK\r\n"), RespValue::Simple(b"OK"));
        assert_eq!(one(b"-ERR no\r\n"), RespValue::Error(b"ERR no"));
        assert_eq!(one(b":-42\r\n"), RespValue::Integer(-42));
        assert_eq!(one(b"$-1\r\n"), RespValue::Bulk(None));
        assert_eq!(one(b"*-1\r\n"), RespValue::Array(None));
        assert_eq!(
            one(b"*1\r\n*0\r\n"),
            RespValue::Array(Some(vec![RespValue::Array(Some(vec![]))]))
        );
    }

    #[test]
    fn garbage_is_refused_and_takes_no_memory() {
        for wire in [
            &b"HTTP/1.1 200 OK\r\n"[..],
            b"$5\r\nabcdefg\r\n",
            b"$-2\r\n",
            b":12a\r\n",
            b":1\n",
            b"\r\n",
            b"*1\r\n*1\r\n*1\r\n:1\r\n",
            b"*99999999999\r\n",
            b"$99999999999\r\n",
            &[b'+'; 2000],
        ] {
            assert_eq!(decode(wire), Err(Garbage), "{}", wire.escape_ascii());
        }
    }

    #[test]
    fn encoders_write_what_the_specification_shows() {
        let mut out = Vec::new();
        integer(&mut out, i64::MIN);
        null(&mut out);
        simple(&mut out, "PONG");
        error(&mut out, "ERR unknown command");
        assert_eq!(out, b":-9223372036854775808\r\n$-1\r\n+PONG\r\n-ERR unknown command\r\n");
    }
}
