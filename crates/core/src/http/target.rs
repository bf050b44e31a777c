//! Request targets (RFC 9112 §3.2): splits and checks them, and writes a query into a `Location`.

use alloc::vec::Vec;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::authority::Authority;
use super::error_response::ErrorResponse;
use super::span::Span;

/// The parts of a request target, as spans of the head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// `/path`, still percent-encoded; `*` for OPTIONS.
    pub(crate) path: Span,
    /// The text after the `?`: any bytes except controls, spaces and `#`.
    pub(crate) query: Option<Span>,
    /// The authority of an absolute-form target, which overrides `Host`.
    pub(crate) authority: Option<Span>,
}

const NOT_A_PATH: ErrorResponse = ErrorResponse::malformed("The request target is not a path.");
const FORBIDDEN: ErrorResponse =
    ErrorResponse::malformed("The request target has a forbidden character.");

/// Checks and splits the target at `span` of `head`.
pub(crate) fn parse(
    head: &[u8],
    span: Span,
    allows_asterisk: bool,
) -> Result<Target, ErrorResponse> {
    let target = span.of(head);
    if allows_asterisk && target == b"*" {
        return Ok(Target { path: span, query: None, authority: None });
    }
    if target.starts_with(b"/") {
        return split(head, span, None);
    }
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme)))
        .ok_or(NOT_A_PATH)?;
    let rest = &target[scheme.len()..];
    let len = rest.iter().position(|byte| b"/?".contains(byte)).unwrap_or(rest.len());
    if Authority::parse(&rest[..len]).is_none() {
        return Err(ErrorResponse::malformed("The request target names no valid host."));
    }
    let authority = Span::new(span.start() + scheme.len(), len);
    let after = scheme.len() + len;
    let path = Span::new(span.start() + after, target.len() - after);
    split(head, path, Some(authority))
}

/// Splits and checks a target without its authority. The rules for the path are stricter than those
/// for the query, since a path leads to a file.
fn split(head: &[u8], span: Span, authority: Option<Span>) -> Result<Target, ErrorResponse> {
    let rest = span.of(head);
    let (path, query) = match memchr::memchr(b'?', rest) {
        None => (span, None),
        Some(at) => (
            Span::new(span.start(), at),
            Some(Span::new(span.start() + at + 1, rest.len() - at - 1)),
        ),
    };
    check_path(path.of(head))?;
    let is_forbidden = |byte: &u8| matches!(byte, b'#' | ..=b' ' | 0x7f);
    match query {
        Some(query) if query.of(head).iter().any(is_forbidden) => Err(FORBIDDEN),
        _ => Ok(Target { path, query, authority }),
    }
}

/// Accepts visible ASCII without `#` and `\`. Two hex digits must follow each `%`, and they must
/// not encode NUL, CR or LF.
fn check_path(path: &[u8]) -> Result<(), ErrorResponse> {
    let mut bytes = path.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'%' => match decode_escape(bytes.as_slice()) {
                None => {
                    return Err(ErrorResponse::malformed("The request target has a bad % escape."));
                }
                Some(0 | b'\r' | b'\n') => {
                    let why = "The request target hides a NUL, CR or LF.";
                    return Err(ErrorResponse::malformed(why));
                }
                Some(_) => bytes = bytes.as_slice()[2..].iter(),
            },
            b'#' | b'\\' | ..=b' ' | 0x7f.. => return Err(FORBIDDEN),
            _ => {}
        }
    }
    Ok(())
}

/// The byte that the two hex digits after a `%` encode.
fn decode_escape(after: &[u8]) -> Option<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    let pair = after.get(..2)?;
    Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)
}

/// The ASCII characters to escape in the query of a URI (RFC 3986 §3.4). Bytes that are not ASCII
/// are always escaped.
pub(crate) const ESCAPE_IN_QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Appends `?` and the query. Bytes that a URI can't have are percent-encoded, and so is a `%`
/// without two hex digits.
pub(crate) fn write_query(out: &mut Vec<u8>, query: &[u8]) {
    for (index, part) in query.split(|&byte| byte == b'%').enumerate() {
        out.extend_from_slice(match (index, decode_escape(part)) {
            (0, _) => b"?",
            (_, Some(_)) => b"%",
            (_, None) => b"%25",
        });
        out.extend(percent_encode(part, ESCAPE_IN_QUERY).flat_map(str::bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    fn parts(target: &str) -> Result<(&str, Option<&str>), ErrorResponse> {
        let span = Span::new(0, target.len());
        let text = |span: Span| core::str::from_utf8(span.of(target.as_bytes())).unwrap();
        parse(target.as_bytes(), span, true).map(|t| (text(t.path), t.query.map(text)))
    }

    #[test]
    fn every_form_of_target() {
        assert_eq!(parts("/a/b?c=d?e"), Ok(("/a/b", Some("c=d?e"))));
        assert_eq!(parts("*"), Ok(("*", None)));
        assert_eq!(parts("http://host:80/x?y"), Ok(("/x", Some("y"))));
        assert_eq!(parts("HTTPS://[::1]"), Ok(("", None)));
        assert_eq!(parts("http://host?q"), Ok(("", Some("q"))));
    }

    #[test]
    fn malformed_targets_are_refused() {
        for target in [
            "",
            "index.html",
            "ftp://host/",
            "http:///x",
            "http://u@host/",
            "/a b",
            "/a#b",
            "/a\\b",
            "/é",
            "/%",
            "/%4",
            "/%zz",
            "/%+1",
            "/%00",
            "/a%0dB",
            "/%0A",
            "http://h/%00",
            "/\u{7f}",
        ] {
            assert!(parts(target).is_err(), "{target}");
        }
    }

    #[test]
    fn a_query_can_have_bytes_that_a_path_can_not_have() {
        for query in ["%0A", "%00", "50%", "%zz", "%4", "C:\\x", "%u0041", "é", "a=b?c", "\u{80}"]
        {
            assert_eq!(parts(&format!("/x?{query}")), Ok(("/x", Some(query))), "{query}");
            assert_eq!(parts(&format!("http://h?{query}")), Ok(("", Some(query))), "{query}");
        }
        for query in ["#", "a b", "\t", "\r\nX: y", "\0", "\u{7f}"] {
            assert!(parts(&format!("/x?{query}")).is_err(), "{query}");
        }
    }

    #[test]
    fn a_query_is_written_unchanged_or_escaped() {
        for (query, written) in [
            ("", "?"),
            ("a=b&c=%20d", "?a=b&c=%20d"),
            ("%0d%0ASet-Cookie:x", "?%0d%0ASet-Cookie:x"),
            ("50%", "?50%25"),
            ("%", "?%25"),
            ("%%41%", "?%25%41%25"),
            ("%4", "?%254"),
            ("%u0041", "?%25u0041"),
            ("p=C:\\x", "?p=C:%5Cx"),
            ("é", "?%C3%A9"),
            ("//evil.example?x", "?//evil.example?x"),
            ("<x>\"^`{|}[]", "?%3Cx%3E%22%5E%60%7B%7C%7D%5B%5D"),
        ] {
            let mut out = Vec::new();
            write_query(&mut out, query.as_bytes());
            assert_eq!(String::from_utf8(out).unwrap(), written);
        }
    }
}
