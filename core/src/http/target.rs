//! Request targets (RFC 9112 §3.2): which bytes they may have, and what they point at.

use super::head::Span;
use super::refusal::Refusal;

/// The parts of a request target, as spans of the head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// `/path`, still percent-encoded; `*` for OPTIONS.
    pub(crate) path: Span,
    /// What follows the `?`.
    pub(crate) query: Option<Span>,
    /// The authority of an absolute-form target, which overrides `Host`.
    pub(crate) authority: Option<Span>,
}

const NOT_A_PATH: Refusal = Refusal::malformed("The request target is not a path.");

/// Checks and splits the target that stands at `span` of `head`.
pub(crate) fn parse(head: &[u8], span: Span, asterisk: bool) -> Result<Target, Refusal> {
    let target = span.of(head);
    check_bytes(target)?;
    if asterisk && target == b"*" {
        return Ok(Target { path: span, query: None, authority: None });
    }
    if target.starts_with(b"/") {
        return Ok(split_query(head, span, None));
    }
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme)))
        .ok_or(NOT_A_PATH)?;
    let rest = &target[scheme.len()..];
    let len = rest.iter().position(|byte| b"/?".contains(byte)).unwrap_or(rest.len());
    if !valid_host(&rest[..len]) {
        return Err(Refusal::malformed("The request target names no valid host."));
    }
    let authority = Span::new(span.start() + scheme.len(), len);
    let after = scheme.len() + len;
    let path = Span::new(span.start() + after, target.len() - after);
    Ok(split_query(head, path, Some(authority)))
}

fn split_query(head: &[u8], span: Span, authority: Option<Span>) -> Target {
    match memchr::memchr(b'?', span.of(head)) {
        None => Target { path: span, query: None, authority },
        Some(at) => Target {
            path: Span::new(span.start(), at),
            query: Some(Span::new(span.start() + at + 1, span.len() - at - 1)),
            authority,
        },
    }
}

/// Visible ASCII without `#` and `\`; each `%` before two hex digits, none of which hide a NUL, CR
/// or LF.
fn check_bytes(target: &[u8]) -> Result<(), Refusal> {
    let mut bytes = target.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'%' => {
                let code = bytes.as_slice().get(..2).and_then(hex_pair);
                match code {
                    None => {
                        return Err(Refusal::malformed("The request target has a bad % escape."));
                    }
                    Some(0 | b'\r' | b'\n') => {
                        let why = "The request target hides a NUL, CR or LF.";
                        return Err(Refusal::malformed(why));
                    }
                    Some(_) => bytes = bytes.as_slice()[2..].iter(),
                }
            }
            b'#' | b'\\' | ..=b' ' | 0x7f.. => {
                return Err(Refusal::malformed("The request target has a forbidden character."));
            }
            _ => {}
        }
    }
    Ok(())
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)
}

/// Whether `host` is a name, an IPv4 address or a bracketed IPv6 address, with a port perhaps.
///
/// Stricter than RFC 3986 §3.2.2: of its sub-delims and escapes no host that is in use has any.
pub(crate) fn valid_host(host: &[u8]) -> bool {
    let (name_ok, rest) = match host.strip_prefix(b"[") {
        Some(literal) => match memchr::memchr(b']', literal) {
            Some(end) => (is_ipv6(&literal[..end]), &literal[end + 1..]),
            None => return false,
        },
        None => {
            let end = memchr::memchr(b':', host).unwrap_or(host.len());
            (is_name(&host[..end]), &host[end..])
        }
    };
    name_ok && (rest.is_empty() || rest.strip_prefix(b":").is_some_and(is_port))
}

fn is_name(name: &[u8]) -> bool {
    let of_a_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    !name.is_empty() && name.iter().all(of_a_name)
}

fn is_ipv6(literal: &[u8]) -> bool {
    core::str::from_utf8(literal).is_ok_and(|text| text.parse::<core::net::Ipv6Addr>().is_ok())
}

fn is_port(digits: &[u8]) -> bool {
    digits.is_empty()
        || core::str::from_utf8(digits).is_ok_and(|text| {
            text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str) -> Result<(&str, Option<&str>), Refusal> {
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
    fn what_is_not_a_target() {
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
            "/x?%00",
            "/\u{7f}",
        ] {
            assert!(parts(target).is_err(), "{target}");
        }
    }

    #[test]
    fn hosts() {
        for host in ["a", "a.b:80", "a:", "127.0.0.1", "[::1]:8000", "x_y~z", "EXAMPLE.com."] {
            assert!(valid_host(host.as_bytes()), "{host}");
        }
        for host in [
            "", ":80", "a,b", "a b", "u@h", "h/p", "h:80:80", "h:x", "h:+1", "h:70000", "[::1",
            "[::1]x", "[zz]", "[]", "a?b", "é",
        ] {
            assert!(!valid_host(host.as_bytes()), "{host}");
        }
    }
}
