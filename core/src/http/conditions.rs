//! Conditional requests (RFC 9110 §13): whether what a client has is what there is.

use super::date;
use super::head::Request;
use super::range::{self, Wanted};
use crate::app::Facts;
use crate::moment::Moment;

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They hold, or there are none.
    Proceed,
    /// The client has what there is: 304.
    NotModified,
    /// The client meant something else: 412.
    Failed,
}

/// Weighs the conditions of a GET or HEAD in the order of RFC 9110 §13.2.2.
pub(crate) fn weigh(request: &Request, head: &[u8], facts: &Facts, now: Moment) -> Verdict {
    if !request.is_conditional {
        return Verdict::Proceed;
    }
    let has = |name| request.values(head, name).next().is_some();
    let date = |name| single_date(request, head, name, now);
    let failed = if has("If-Match") {
        !lists(request, head, "If-Match", facts.tag(), Comparison::Strong)
    } else {
        date("If-Unmodified-Since").is_some_and(|date| facts.modified_unix_s() > date)
    };
    if failed {
        return Verdict::Failed;
    }
    let unmodified = if has("If-None-Match") {
        lists(request, head, "If-None-Match", facts.tag(), Comparison::Weak)
    } else {
        date("If-Modified-Since").is_some_and(|date| facts.modified_unix_s() <= date)
    };
    if unmodified { Verdict::NotModified } else { Verdict::Proceed }
}

/// Whether a page without a validator fails the conditions of a request: one that insists on a
/// version of it, or on there being none. A GET of what is made anew each time is then 412 rather
/// than 304, as nobody can have what there is.
pub(crate) fn fail_without_tag(request: &Request, head: &[u8]) -> bool {
    let is_any = |value: &[u8]| value == b"*";
    request.is_conditional
        && (request.values(head, "If-Match").any(|value| !is_any(value))
            || request.values(head, "If-None-Match").any(is_any))
}

/// Which bytes a GET wants, given what it says of the file that it has a part of (`If-Range`, RFC
/// 9110 §13.1.5).
pub(crate) fn wanted(request: &Request, head: &[u8], facts: &Facts, now: Moment) -> Wanted {
    let mut values = request.values(head, "Range");
    match (values.next(), values.next()) {
        (Some(value), None) if if_range(request, head, facts, now) => {
            range::parse(value, facts.len())
        }
        _ => Wanted::Whole,
    }
}

fn if_range(request: &Request, head: &[u8], facts: &Facts, now: Moment) -> bool {
    let Some(value) = request.values(head, "If-Range").next() else { return true };
    if value.starts_with(b"\"") || value.starts_with(b"W/") {
        // A weak tag never matches strongly.
        return value == facts.tag();
    }
    // A file that changed within this second may change again within it (RFC 9110 §8.8.2.2).
    let settled = facts.modified_unix_s() < now.unix_s;
    settled && single_date(request, head, "If-Range", now) == Some(facts.modified_unix_s())
}

/// The date in a field; none if it is no date, or one of several.
fn single_date(request: &Request, head: &[u8], name: &str, now: Moment) -> Option<u64> {
    let mut values = request.values(head, name);
    let value = values.next()?;
    if values.next().is_some() { None } else { date::parse(value, now.unix_s) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// Both tags are strong, and the same.
    Strong,
    /// The tags are the same, weak or not (RFC 9110 §8.8.3.2).
    Weak,
}

/// Whether the lists in the fields of that name have the tag, or are `*`.
fn lists(request: &Request, head: &[u8], name: &str, tag: &[u8], how: Comparison) -> bool {
    request.values(head, name).any(|list| list == b"*" || has_tag(list, tag, how))
}

/// Tags are in quotes, and may have commas in them (RFC 9110 §8.8.3). A malformed list is read as
/// far as it goes.
fn has_tag(mut list: &[u8], tag: &[u8], how: Comparison) -> bool {
    loop {
        let start = list.iter().position(|byte| !b" \t,".contains(byte)).unwrap_or(list.len());
        list = &list[start..];
        let (weak, opaque) = match list.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, list),
        };
        let Some(inner) = opaque.strip_prefix(b"\"") else { return false };
        let Some(end) = memchr::memchr(b'"', inner) else { return false };
        let (this, rest) = opaque.split_at(end + 2);
        if this == tag && (how == Comparison::Weak || !weak) {
            return true;
        }
        list = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Coding;
    use crate::http::head;
    use crate::limits::Limits;
    use std::format;

    const NOW: Moment = Moment { ms: 0, unix_s: 1_795_000_000 };
    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn with<T>(fields: &str, ask: impl FnOnce(&Request, &[u8], &Facts, Moment) -> T) -> T {
        let head = format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        let request = head::parse(head.as_bytes(), &Limits::default()).unwrap().unwrap();
        let facts = Facts::new(1000, 784_111_777, "a-1", "text/plain", Coding::default());
        ask(&request, head.as_bytes(), &facts, NOW)
    }

    #[test]
    fn each_condition_alone() {
        for (fields, expected) in [
            ("", Verdict::Proceed),
            ("If-Match: \"a-1\"\r\n", Verdict::Proceed),
            ("If-Match: *\r\n", Verdict::Proceed),
            ("If-Match: \"b\", \"a-1\"\r\n", Verdict::Proceed),
            ("If-Match: \"b\"\r\nIf-Match: \"a-1\"\r\n", Verdict::Proceed),
            ("If-Match: W/\"a-1\"\r\n", Verdict::Failed),
            ("If-Match: \"a\"\r\n", Verdict::Failed),
            ("If-Match: a-1\r\n", Verdict::Failed),
            ("If-None-Match: \"a-1\"\r\n", Verdict::NotModified),
            ("If-None-Match: W/\"a-1\"\r\n", Verdict::NotModified),
            ("if-none-match: \"x,y\" ,, \"a-1\"\r\n", Verdict::NotModified),
            ("If-None-Match: *\r\n", Verdict::NotModified),
            ("If-None-Match: \"a\"\r\n", Verdict::Proceed),
        ] {
            assert_eq!(with(fields, weigh), expected, "{fields}");
        }
        for (name, before, same, after) in [
            ("If-Modified-Since", Verdict::Proceed, Verdict::NotModified, Verdict::NotModified),
            ("If-Unmodified-Since", Verdict::Failed, Verdict::Proceed, Verdict::Proceed),
        ] {
            for (date, expected) in [(BEFORE, before), (MODIFIED, same), (AFTER, after)] {
                assert_eq!(with(&format!("{name}: {date}\r\n"), weigh), expected, "{name}: {date}");
            }
            assert_eq!(with(&format!("{name}: yesterday\r\n"), weigh), Verdict::Proceed);
        }
    }

    #[test]
    fn tags_go_before_dates() {
        let none_match = format!("If-None-Match: \"b\"\r\nIf-Modified-Since: {AFTER}\r\n");
        assert_eq!(with(&none_match, weigh), Verdict::Proceed);
        let matches = format!("If-Match: \"a-1\"\r\nIf-Unmodified-Since: {BEFORE}\r\n");
        assert_eq!(with(&matches, weigh), Verdict::Proceed);
        let both = "If-Match: \"b\"\r\nIf-None-Match: \"a-1\"\r\n";
        assert_eq!(with(both, weigh), Verdict::Failed);
    }

    #[test]
    fn a_part_is_sent_only_of_the_same_file() {
        let part = Wanted::Part(0..10);
        for (if_range, expected) in [
            ("", true),
            ("If-Range: \"a-1\"\r\n", true),
            ("If-Range: W/\"a-1\"\r\n", false),
            ("If-Range: \"b\"\r\n", false),
            (&format!("If-Range: {MODIFIED}\r\n"), true),
            (&format!("If-Range: {AFTER}\r\n"), false),
            ("If-Range: yesterday\r\n", false),
        ] {
            let fields = format!("Range: bytes=0-9\r\n{if_range}");
            let expected = if expected { &part } else { &Wanted::Whole };
            assert_eq!(with(&fields, wanted), *expected, "{fields}");
        }
        let twice = "Range: bytes=0-9\r\nRange: bytes=0-9\r\n";
        assert_eq!(with(twice, wanted), Wanted::Whole);
    }
}
