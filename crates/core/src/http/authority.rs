//! Authorities (RFC 3986 §3.2): the server's name in `Host`, in a target and in `Origin`.

use core::net::Ipv6Addr;

/// A host with an optional port.
///
/// The host is a name, an IPv4 address or a bracketed IPv6 address. That is stricter than RFC 3986
/// §3.2.2, which also allows sub-delims and escapes; no host in use has them. An IPv6 address can
/// have a zone as RFC 6874 §2 writes it, `[fe80::1%25eth0]`: clients should remove the zone, but
/// some do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    host: Host<'a>,
    port: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host<'a> {
    /// A name, or an IPv4 address, which can be compared like a name: it has only one spelling.
    Name(&'a [u8]),
    Ipv6(Ipv6Addr, Option<&'a [u8]>),
}

impl<'a> Authority<'a> {
    /// Reads `host`, `host:` or `host:port`.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Authority<'a>> {
        let (host, rest) = match text.strip_prefix(b"[") {
            Some(literal) => {
                let end = memchr::memchr(b']', literal)?;
                (ipv6(&literal[..end])?, &literal[end + 1..])
            }
            None => {
                let end = memchr::memchr(b':', text).unwrap_or(text.len());
                (Host::Name(Some(&text[..end]).filter(|name| is_name(name))?), &text[end..])
            }
        };
        let port = match rest {
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(port(digits)?),
            _ => return None,
        };
        Some(Authority { host, port })
    }

    /// Whether both name the same server. An authority without a port means `default_port` (RFC
    /// 9110 §4.2.3). Names are compared without regard to case, and IPv6 addresses by value.
    pub(crate) fn is_same(&self, other: &Authority<'_>, default_port: u16) -> bool {
        let same_host = match (self.host, other.host) {
            (Host::Name(name), Host::Name(other)) => name.eq_ignore_ascii_case(other),
            (host, other) => host == other,
        };
        same_host && self.port.unwrap_or(default_port) == other.port.unwrap_or(default_port)
    }
}

fn is_name(name: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    !name.is_empty() && name.iter().all(is_allowed)
}

fn ipv6(literal: &[u8]) -> Option<Host<'_>> {
    let (address, zone) = match memchr::memmem::find(literal, b"%25") {
        Some(at) => (&literal[..at], Some(&literal[at + 3..])),
        None => (literal, None),
    };
    let address = core::str::from_utf8(address).ok()?.parse().ok()?;
    zone.is_none_or(is_name).then_some(Host::Ipv6(address, zone))
}

fn port(digits: &[u8]) -> Option<u16> {
    let text = core::str::from_utf8(digits).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for host in [
            "a",
            "a.b:80",
            "a:",
            "127.0.0.1",
            "[::1]:8000",
            "x_y~z",
            "EXAMPLE.com.",
            "[fe80::1%25eth0]",
            "[fe80::1%25eth0.100]:80",
        ] {
            assert!(Authority::parse(host.as_bytes()).is_some(), "{host}");
        }
        for host in [
            "",
            ":80",
            "a,b",
            "a b",
            "u@h",
            "h/p",
            "h:80:80",
            "h:x",
            "h:+1",
            "h:70000",
            "[::1",
            "[::1]x",
            "[zz]",
            "[]",
            "a?b",
            "é",
            "[fe80::1%eth0]",
            "[fe80::1%25]",
            "[%25eth0]",
            "[fe80::1%25a/b]",
            "[fe80::1%25a%25b]",
            "a%25eth0",
        ] {
            assert!(Authority::parse(host.as_bytes()).is_none(), "{host}");
        }
    }

    #[test]
    fn one_server_in_several_spellings() {
        let same = |a: &str, b: &str, port| {
            let [a, b] = [a, b].map(|text| Authority::parse(text.as_bytes()).unwrap());
            assert_eq!(a.is_same(&b, port), b.is_same(&a, port));
            a.is_same(&b, port)
        };
        for (a, b, port) in [
            ("a", "A", 80),
            ("a:80", "a", 80),
            ("a:", "a:80", 80),
            ("a:443", "a", 443),
            ("a:0080", "a", 80),
            ("[::1]", "[0:0::0001]:80", 80),
            ("[FE80::1%25eth0]", "[fe80::1%25eth0]", 80),
        ] {
            assert!(same(a, b, port), "{a} {b}");
        }
        for (a, b, port) in [
            ("a", "b", 80),
            ("a", "a.", 80),
            ("a:80", "a", 443),
            ("a:8000", "a", 80),
            ("a:8000", "a:8001", 80),
            ("[::1]", "[::2]", 80),
            ("[fe80::1]", "[fe80::1%25eth0]", 80),
            ("[::1]", "1", 80),
        ] {
            assert!(!same(a, b, port), "{a} {b}");
        }
    }
}
