//! Conditional requests (RFC 9110 §13): compares the client's copy with the current file.

use super::date;
use super::method::Method;
use super::range::{self, Ranges};
use super::representation::Metadata;
use super::request::Request;
use crate::now::Now;

/// The result of a request's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precondition {
    /// The conditions hold, or there are none.
    Proceed,
    /// The client's copy is current: 304.
    NotModified,
    /// The client meant another version: 412.
    Failed,
}

/// Evaluates the conditions of a GET or HEAD in the order of RFC 9110 §13.2.2.
pub(crate) fn evaluate(request: Request<'_>, metadata: &Metadata, now: Now) -> Precondition {
    if !request.is_conditional() {
        return Precondition::Proceed;
    }
    let has = |name| request.values(name).next().is_some();
    let date = |name| single_date(request, name, now);
    let failed = if has("If-Match") {
        !has_listed(request, "If-Match", metadata.tag(), TagComparison::Strong)
    } else {
        date("If-Unmodified-Since").is_some_and(|date| metadata.modified_unix_s() > date)
    };
    if failed {
        return Precondition::Failed;
    }
    let unmodified = if has("If-None-Match") {
        has_listed(request, "If-None-Match", metadata.tag(), TagComparison::Weak)
    } else {
        date("If-Modified-Since").is_some_and(|date| metadata.modified_unix_s() <= date)
    };
    if unmodified { Precondition::NotModified } else { Precondition::Proceed }
}

/// Evaluates the conditions of a request for a generated page, which has no validator: neither an
/// entity tag nor a date of modification. Of conditions with a tag, only `*`, which means any
/// version, matches the page (RFC 9110 §13.1.1 and §13.1.2).
pub(crate) fn evaluate_without_validator(request: Request<'_>) -> Precondition {
    let is_any = |value: &[u8]| value == b"*";
    if !request.is_conditional() {
        return Precondition::Proceed;
    }
    let has_if_match = request.values("If-Match").next().is_some();
    if has_if_match && !request.values("If-Match").any(is_any) {
        return Precondition::Failed;
    }
    match (request.values("If-None-Match").any(is_any), request.method()) {
        (false, _) => Precondition::Proceed,
        (true, Method::Get | Method::Head) => Precondition::NotModified,
        (true, _) => Precondition::Failed,
    }
}

/// The ranges that a GET asks for; the whole file if the client's part is of an earlier version of
/// the file (`If-Range`, RFC 9110 §13.1.5).
pub(crate) fn ranges(request: Request<'_>, metadata: &Metadata, now: Now) -> Ranges {
    let mut values = request.values("Range");
    match (values.next(), values.next()) {
        (Some(value), None) if is_part_current(request, metadata, now) => {
            range::parse(value, metadata.len())
        }
        _ => Ranges::Whole,
    }
}

/// Whether the client's part is of the current file, as far as `If-Range` says.
fn is_part_current(request: Request<'_>, metadata: &Metadata, now: Now) -> bool {
    let mut values = request.values("If-Range");
    let Some(value) = values.next() else { return true };
    if values.next().is_some() {
        // With two fields it is not clear which version of the file the client has.
        return false;
    }
    if value.starts_with(b"\"") || value.starts_with(b"W/") {
        // A weak tag never matches strongly.
        return value == metadata.tag();
    }
    // A file that changed in this second can change again in the same second (RFC 9110 §8.8.2.2).
    let is_settled = metadata.modified_unix_s() < now.unix_s;
    is_settled && single_date(request, "If-Range", now) == Some(metadata.modified_unix_s())
}

/// The date in a field; none if the date is malformed, or if there are several such fields.
fn single_date(request: Request<'_>, name: &str, now: Now) -> Option<u64> {
    let mut values = request.values(name);
    let value = values.next()?;
    if values.next().is_some() { None } else { date::parse(value, now.unix_s) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TagComparison {
    /// Both tags are strong and equal.
    Strong,
    /// The tags are equal, weak or not (RFC 9110 §8.8.3.2).
    Weak,
}

/// Whether the fields of this name contain the tag, or `*`.
fn has_listed(request: Request<'_>, name: &str, tag: &[u8], how: TagComparison) -> bool {
    request.values(name).any(|list| list == b"*" || has_tag(list, tag, how))
}

/// Whether a list contains the tag. Tags are quoted and can contain commas (RFC 9110 §8.8.3). A
/// malformed list is read up to the error.
fn has_tag(mut list: &[u8], tag: &[u8], how: TagComparison) -> bool {
    loop {
        let start = list.iter().position(|byte| !b" \t,".contains(byte)).unwrap_or(list.len());
        list = &list[start..];
        let (is_weak, opaque) = match list.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, list),
        };
        let Some(inner) = opaque.strip_prefix(b"\"") else { return false };
        let Some(end) = memchr::memchr(b'"', inner) else { return false };
        let (listed, rest) = opaque.split_at(end + 2);
        if listed == tag && (how == TagComparison::Weak || !is_weak) {
            return true;
        }
        list = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head;
    use crate::http::representation::Coding;
    use crate::limits::Limits;
    use std::format;

    const NOW: Now = Now { ms: 0, us: 0, unix_s: 1_795_000_000 };
    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn with<T>(fields: &str, ask: impl FnOnce(Request<'_>, &Metadata, Now) -> T) -> T {
        let head = format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        let parsed = head::parse(head.as_bytes(), &Limits::default()).unwrap().unwrap();
        let metadata = Metadata::new(1000, 784_111_777, "a-1", "text/plain", Coding::default());
        ask(Request::new(&parsed, head.as_bytes()), &metadata, NOW)
    }

    #[test]
    fn each_condition_alone() {
        for (fields, expected) in [
            ("", Precondition::Proceed),
            ("If-Match: \"a-1\"\r\n", Precondition::Proceed),
            ("If-Match: *\r\n", Precondition::Proceed),
            ("If-Match: \"b\", \"a-1\"\r\n", Precondition::Proceed),
            ("If-Match: \"b\"\r\nIf-Match: \"a-1\"\r\n", Precondition::Proceed),
            ("If-Match: W/\"a-1\"\r\n", Precondition::Failed),
            ("If-Match: \"a\"\r\n", Precondition::Failed),
            ("If-Match: a-1\r\n", Precondition::Failed),
            ("If-None-Match: \"a-1\"\r\n", Precondition::NotModified),
            ("If-None-Match: W/\"a-1\"\r\n", Precondition::NotModified),
            ("if-none-match: \"x,y\" ,, \"a-1\"\r\n", Precondition::NotModified),
            ("If-None-Match: *\r\n", Precondition::NotModified),
            ("If-None-Match: \"a\"\r\n", Precondition::Proceed),
        ] {
            assert_eq!(with(fields, evaluate), expected, "{fields}");
        }
        for (name, before, same, after) in [
            (
                "If-Modified-Since",
                Precondition::Proceed,
                Precondition::NotModified,
                Precondition::NotModified,
            ),
            (
                "If-Unmodified-Since",
                Precondition::Failed,
                Precondition::Proceed,
                Precondition::Proceed,
            ),
        ] {
            for (date, expected) in [(BEFORE, before), (MODIFIED, same), (AFTER, after)] {
                assert_eq!(
                    with(&format!("{name}: {date}\r\n"), evaluate),
                    expected,
                    "{name}: {date}"
                );
            }
            assert_eq!(with(&format!("{name}: yesterday\r\n"), evaluate), Precondition::Proceed);
        }
    }

    #[test]
    fn tags_take_precedence_over_dates() {
        let none_match = format!("If-None-Match: \"b\"\r\nIf-Modified-Since: {AFTER}\r\n");
        assert_eq!(with(&none_match, evaluate), Precondition::Proceed);
        let matches = format!("If-Match: \"a-1\"\r\nIf-Unmodified-Since: {BEFORE}\r\n");
        assert_eq!(with(&matches, evaluate), Precondition::Proceed);
        let both = "If-Match: \"b\"\r\nIf-None-Match: \"a-1\"\r\n";
        assert_eq!(with(both, evaluate), Precondition::Failed);
    }

    #[test]
    fn a_part_is_sent_only_if_the_file_has_not_changed() {
        let part = Ranges::Part(0..10);
        for (if_range, expected) in [
            ("", true),
            ("If-Range: \"a-1\"\r\n", true),
            ("If-Range: W/\"a-1\"\r\n", false),
            ("If-Range: \"b\"\r\n", false),
            (&format!("If-Range: {MODIFIED}\r\n"), true),
            (&format!("If-Range: {AFTER}\r\n"), false),
            ("If-Range: yesterday\r\n", false),
            ("If-Range: \"a-1\"\r\nIf-Range: \"a-1\"\r\n", false),
            ("If-Range: \"a-1\"\r\nIf-Range: \"b\"\r\n", false),
            (&format!("If-Range: {MODIFIED}\r\nIf-Range: {MODIFIED}\r\n"), false),
        ] {
            let fields = format!("Range: bytes=0-9\r\n{if_range}");
            let expected = if expected { &part } else { &Ranges::Whole };
            assert_eq!(with(&fields, ranges), *expected, "{fields}");
        }
        let twice = "Range: bytes=0-9\r\nRange: bytes=0-9\r\n";
        assert_eq!(with(twice, ranges), Ranges::Whole);
    }
}
