//! Range requests (RFC 9110 §14): which bytes of a file a client wants.

use alloc::vec::Vec;
use core::ops::Range;

use crate::limits;

/// The result of a `Range` field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ranges {
    /// The whole file: there is no range, or the field is ignored.
    Whole,
    /// One part.
    Part(Range<u64>),
    /// Several parts, in the order of the field.
    Parts(Vec<Range<u64>>),
    /// None of the ranges is within the file.
    Unsatisfiable,
}

/// Reads the value of a `Range` field, for a file of `len` bytes.
///
/// As RFC 9110 §14.2 allows, a field is ignored if it is malformed or asks for too much: more than
/// [`limits::RANGES`] parts, or parts that together are longer than the file. An empty file has no
/// parts: a range request gets the whole file instead of a 416.
pub(crate) fn parse(value: &[u8], len: u64) -> Ranges {
    if len == 0 {
        return Ranges::Whole;
    }
    match satisfiable(value, len) {
        None => Ranges::Whole,
        Some(parts) if parts.is_empty() => Ranges::Unsatisfiable,
        Some(parts) if parts.len() == 1 => Ranges::Part(parts[0].clone()),
        Some(parts) => {
            let total: u64 = parts.iter().map(|part| part.end - part.start).sum();
            if total > len { Ranges::Whole } else { Ranges::Parts(parts) }
        }
    }
}

/// The ranges that are within the file; none if the field is to be ignored.
fn satisfiable(value: &[u8], len: u64) -> Option<Vec<Range<u64>>> {
    let text = core::str::from_utf8(value).ok()?;
    let (unit, set) = text.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") || set.split(',').count() > limits::RANGES {
        return None;
    }
    let mut parts = Vec::new();
    // A list can have empty elements (RFC 9110 §5.6.1.2).
    for spec in set.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|s| !s.is_empty())
    {
        let (first, last) = spec.split_once('-')?;
        let part = match (first, last) {
            ("", suffix) => len - number(suffix)?.min(len)..len,
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
    let has_range = set.split(',').any(|spec| !spec.trim_matches([' ', '\t']).is_empty());
    has_range.then_some(parts)
}

/// A number of any length. A number that does not fit 64 bits becomes `u64::MAX`, which is beyond
/// the end of every file.
fn number(digits: &str) -> Option<u64> {
    let is_valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_valid.then(|| digits.parse().unwrap_or(u64::MAX))
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
            assert_eq!(parse(value.as_bytes(), 1000), Ranges::Part(part), "{value}");
        }
    }

    #[test]
    fn several_parts() {
        assert_eq!(parse(b"bytes=0-0,-1", 1000), Ranges::Parts(vec![0..1, 999..1000]));
        assert_eq!(parse(b"bytes=500-600, 0-9", 1000), Ranges::Parts(vec![500..601, 0..10]));
    }

    #[test]
    fn no_range_within_the_file() {
        for value in ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(parse(value.as_bytes(), 1000), Ranges::Unsatisfiable, "{value}");
        }
    }

    #[test]
    fn an_empty_file_is_sent_whole_whatever_is_asked_for() {
        for value in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-9,20-", "bytes=x"] {
            assert_eq!(parse(value.as_bytes(), 0), Ranges::Whole, "{value}");
        }
    }

    #[test]
    fn malformed_and_excessive_ranges_are_ignored() {
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
            assert_eq!(parse(value.as_bytes(), 1000), Ranges::Whole, "{value}");
        }
    }
}
