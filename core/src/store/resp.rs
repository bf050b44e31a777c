//! RESP2, the protocol of Redis: what a question and its reply look like on the wire.
//!
//! Both ends of the store speak through this file: the [dialogue](super::Dialogue) with Redis and
//! the embedded store that answers in its place. Source: the "Redis serialization protocol
//! specification" of redis.io.

use alloc::vec::Vec;
use core::fmt;

use crate::limits;

/// One value of RESP2. It borrows from the bytes that it was [decoded](decode) from.
#[derive(Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `+OK`
    Simple(&'a [u8]),
    /// `-ERR what went wrong`
    Error(&'a [u8]),
    /// `:42`
    Integer(i64),
    /// `$5` and five bytes; none for the null bulk `$-1`.
    Bulk(Option<&'a [u8]>),
    /// `*2` and two values; none for the null array `*-1`.
    Array(Option<Vec<Value<'a>>>),
}

/// The other end does not speak RESP2, or says more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbage;

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what came is not RESP2")
    }
}

/// Reads the first value of `input`: the value and how many bytes it took, or none while it is
/// incomplete.
///
/// # Errors
///
/// [`Garbage`] for anything that is not RESP2, for nesting deeper than an array of arrays of
/// plain values, and for a value of more than [`limits::STORE_VALUE_BYTES`].
pub fn decode(input: &[u8]) -> Result<Option<(Value<'_>, usize)>, Garbage> {
    Ok(decode_or_needs(input)?.ok())
}

/// Does the same, and says of an incomplete value how many bytes it has at least. Who looks again
/// no sooner spends no more on a value that trickles in than on one that comes at once, by a small
/// factor.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_or_needs(input: &[u8]) -> Result<Result<(Value<'_>, usize), usize>, Garbage> {
    let mut reader = Reader { input, at: 0, later: 0 };
    match reader.value(DEPTH) {
        Ok(value) => Ok(Ok((value, reader.at))),
        Err(Stop::Garbage) => Err(Garbage),
        Err(Stop::Incomplete { .. }) if input.len() > limits::STORE_VALUE_BYTES => Err(Garbage),
        Err(Stop::Incomplete { here }) => {
            let needs = (reader.at + here + reader.later).max(input.len() + 1);
            Ok(Err(needs.min(limits::STORE_VALUE_BYTES + 1)))
        }
    }
}

/// Appends a command: its name and arguments, each of any bytes.
pub fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    array(out, words.len());
    for word in words {
        bulk(out, word);
    }
}

/// Appends the head of an array; its `len` values are to follow.
pub fn array(out: &mut Vec<u8>, len: usize) {
    line(out, b'*', len as i64);
}

/// Appends a bulk string.
pub fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    line(out, b'$', bytes.len() as i64);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends the null bulk string, which says that there is no such value.
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

/// Appends an error: by custom a word in capitals, then the sentence; no line end in it.
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

/// An array of arrays is as deep as any reply of ours goes.
const DEPTH: usize = 2;

/// The shortest values, `+\r\n` and its like.
const LEAST_BYTES: usize = 3;

/// A length or an integer has at most twenty characters, `-9223372036854775808`.
const LINE_BYTES: usize = 1024;

enum Stop {
    /// There will be at least so many bytes where the reader is.
    Incomplete {
        here: usize,
    },
    Garbage,
}

struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    /// So many bytes will follow at least behind the value that is being read.
    later: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, Stop> {
        let line = self.line()?;
        let (&kind, rest) = line.split_first().ok_or(Stop::Garbage)?;
        Ok(match kind {
            b'+' => Value::Simple(rest),
            b'-' => Value::Error(rest),
            b':' => Value::Integer(number(rest)?),
            b'$' => Value::Bulk(self.bulk(number(rest)?)?),
            b'*' => Value::Array(self.array(number(rest)?, depth)?),
            _ => return Err(Stop::Garbage),
        })
    }

    fn line(&mut self) -> Result<&'a [u8], Stop> {
        let rest = &self.input[self.at..];
        let window = &rest[..rest.len().min(LINE_BYTES)];
        match memchr::memchr(b'\n', window) {
            Some(end) if end > 0 && rest[end - 1] == b'\r' => {
                self.at += end + 1;
                Ok(&rest[..end - 1])
            }
            None if rest.len() < LINE_BYTES => Err(Stop::Incomplete { here: LEAST_BYTES }),
            _ => Err(Stop::Garbage),
        }
    }

    fn bulk(&mut self, len: i64) -> Result<Option<&'a [u8]>, Stop> {
        if len == -1 {
            return Ok(None);
        }
        let len = bounded(len)?;
        let rest = &self.input[self.at..];
        if rest.len() < len + 2 {
            return Err(Stop::Incomplete { here: len + 2 });
        }
        if &rest[len..len + 2] != b"\r\n" {
            return Err(Stop::Garbage);
        }
        self.at += len + 2;
        Ok(Some(&rest[..len]))
    }

    fn array(&mut self, len: i64, depth: usize) -> Result<Option<Vec<Value<'a>>>, Stop> {
        if len == -1 {
            return Ok(None);
        }
        let len = bounded(len)?;
        let depth = depth.checked_sub(1).ok_or(Stop::Garbage)?;
        // What is announced but has not come takes no memory.
        let come = (self.input.len() - self.at) / LEAST_BYTES;
        let mut values = Vec::with_capacity(len.min(come));
        self.later += len * LEAST_BYTES;
        for _ in 0..len {
            self.later -= LEAST_BYTES;
            values.push(self.value(depth)?);
        }
        Ok(Some(values))
    }
}

fn bounded(len: i64) -> Result<usize, Stop> {
    usize::try_from(len).ok().filter(|&len| len <= limits::STORE_VALUE_BYTES).ok_or(Stop::Garbage)
}

fn number(digits: &[u8]) -> Result<i64, Stop> {
    core::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(Stop::Garbage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_command_is_decoded_as_it_was_encoded_and_not_a_byte_sooner() {
        let mut wire = Vec::new();
        command(&mut wire, &[b"RPUSH", b"key", b"\r\n\0"]);
        assert_eq!(wire, b"*3\r\n$5\r\nRPUSH\r\n$3\r\nkey\r\n$3\r\n\r\n\0\r\n");
        for cut in 0..wire.len() {
            assert_eq!(decode(&wire[..cut]), Ok(None), "{cut}");
        }
        let words = [&b"RPUSH"[..], b"key", b"\r\n\0"].map(|word| Value::Bulk(Some(word)));
        let expected = Value::Array(Some(Vec::from(words)));
        assert_eq!(decode(&wire), Ok(Some((expected, wire.len()))));
    }

    #[test]
    fn what_is_needed_at_least_is_never_too_much_and_soon_enough() {
        let mut wire = Vec::new();
        array(&mut wire, 1000);
        for _ in 0..500 {
            integer(&mut wire, 7);
            bulk(&mut wire, b"twenty bytes of value");
        }
        let (mut len, mut looks) = (0, 0);
        while let Err(needs) = decode_or_needs(&wire[..len]).unwrap() {
            assert!(len < needs && needs <= wire.len(), "{len} {needs}");
            (len, looks) = (needs, looks + 1);
        }
        assert_eq!(len, wire.len());
        assert!(looks < 100, "{looks}");
        assert_eq!(decode_or_needs(b"*4000000\r\n*4000000\r\n"), Ok(Err(4 * 1024 * 1024 + 1)));
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let one = |wire: &'static [u8]| decode(wire).unwrap().unwrap().0;
        assert_eq!(one(b"+OK\r\n"), Value::Simple(b"OK"));
        assert_eq!(one(b"-ERR no\r\n"), Value::Error(b"ERR no"));
        assert_eq!(one(b":-42\r\n"), Value::Integer(-42));
        assert_eq!(one(b"$-1\r\n"), Value::Bulk(None));
        assert_eq!(one(b"*-1\r\n"), Value::Array(None));
        assert_eq!(one(b"*1\r\n*0\r\n"), Value::Array(Some(vec![Value::Array(Some(vec![]))])));
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
