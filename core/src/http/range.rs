//! Range requests (RFC 9110 §14): which bytes of a file a client wants.

use alloc::vec::Vec;
use core::ops::Range;

use crate::limits;

/// What a `Range` field comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The whole file: nothing was said, or nothing that has to be followed.
    Whole,
    /// One part.
    Part(Range<u64>),
    /// Several parts, in the order that was asked for.
    Parts(Vec<Range<u64>>),
    /// Nothing of what the file has.
    Unsatisfiable,
}

/// Reads the value of a `Range` field, for a file of `len` bytes.
///
/// What is malformed or asks for too much is ignored, as RFC 9110 §14.2 allows: more than
/// [`limits::RANGES`] parts, or parts that together are longer than the file.
pub(crate) fn parse(value: &[u8], len: u64) -> Wanted {
    match satisfiable(value, len) {
        None => Wanted::Whole,
        Some(parts) if parts.is_empty() => Wanted::Unsatisfiable,
        Some(parts) if parts.len() == 1 => Wanted::Part(parts[0].clone()),
        Some(parts) => {
            let total: u64 = parts.iter().map(|part| part.end - part.start).sum();
            if total > len { Wanted::Whole } else { Wanted::Parts(parts) }
        }
    }
}

/// The parts that the file has; none if the field is to be ignored.
fn satisfiable(value: &[u8], len: u64) -> Option<Vec<Range<u64>>> {
    let text = core::str::from_utf8(value).ok()?;
    let (unit, set) = text.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") || set.split(',').count() > limits::RANGES {
        return None;
    }
    let mut parts = Vec::new();
    // A list may have empty elements (RFC 9110 §5.6.1.2).
    for spec in set.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|s| !s.is_empty())
    {
        let (first, last) = spec.split_once('-')?;
        let part = match (first, last) {
            ("", suffix) => {
                let suffix = number(suffix)?;
                // There is no way to say which bytes of an empty file these are.
                if len == 0 && suffix > 0 {
                    return None;
                }
                len - suffix.min(len)..len
            }
            (first, "") => number(first)?..len,
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last {
                    return None;
                }
                first..last.saturating_add(1).min(len)
            }
        };
        parts.extend(Some(part).filter(|part| part.start < part.end));
    }
    let said_something = set.split(',').any(|spec| !spec.trim_matches([' ', '\t']).is_empty());
    said_something.then_some(parts)
}

/// A number of any length; what exceeds 64 bits is beyond the end of every file.
fn number(digits: &str) -> Option<u64> {
    let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use std::format;

    #[test]
    fn one_part() {
        for (value, part) in [
            ("bytes=0-499", 0..500),
            ("bytes=500-999", 500..1000),
            ("bytes=-500", 500..1000),
            ("bytes=500-", 500..1000),
            ("bytes=999-", 999..1000),
            ("bytes=0-0", 0..1),
            ("bytes=-5000", 0..1000),
            ("bytes=900-99999999999999999999", 900..1000),
            ("BYTES=0-0", 0..1),
            ("bytes= ,0-0 , 2000-", 0..1),
        ] {
            assert_eq!(parse(value.as_bytes(), 1000), Wanted::Part(part), "{value}");
        }
    }

    #[test]
    fn several_parts() {
        assert_eq!(parse(b"bytes=0-0,-1", 1000), Wanted::Parts(vec![0..1, 999..1000]));
        assert_eq!(parse(b"bytes=500-600, 0-9", 1000), Wanted::Parts(vec![500..601, 0..10]));
    }

    #[test]
    fn nothing_that_the_file_has() {
        for value in ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(parse(value.as_bytes(), 1000), Wanted::Unsatisfiable, "{value}");
        }
        assert_eq!(parse(b"bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(parse(b"bytes=-1", 0), Wanted::Whole);
    }

    #[test]
    fn what_is_ignored() {
        let many = format!("bytes={}", vec!["0-0"; limits::RANGES + 1].join(","));
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "lines=0-1",
            "bytes=0-1;2-3",
            "bytes=0--1",
            "bytes=+0-1",
            "bytes=0-999,0-999",
            &many,
        ] {
            assert_eq!(parse(value.as_bytes(), 1000), Wanted::Whole, "{value}");
        }
    }
}
