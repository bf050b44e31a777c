//! The target of a load: a URL, the address behind it, and the bytes of the request, prepared once.

use std::io::{self, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use zerohttpd_sys::resolver::addresses_of;

/// The type of a form's body, for which `--post` is meant.
const FORM: &str = "application/x-www-form-urlencoded";

/// The time within which an address of a host must accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A server, and the request for it.
#[derive(Clone, Debug)]
pub struct LoadTarget {
    /// The URL, as the user gave it.
    pub url: String,
    /// The address of its host.
    pub address: SocketAddr,
    /// The request's bytes.
    pub request: Vec<u8>,
    /// Whether the request is idempotent: it can be sent again, even if the server has received it
    /// (RFC 9110 §9.2.2).
    pub is_idempotent: bool,
}

/// What a request contains besides its URL.
#[derive(Clone, Debug, Default)]
pub struct RequestOptions {
    /// The body of a POST. A request without a body is a GET.
    pub body: Option<Vec<u8>>,
    /// Header fields. Each replaces a default field of the same name, or is added.
    pub fields: Vec<(String, String)>,
    /// Whether the request asks for the connection to be closed.
    pub close: bool,
}

impl LoadTarget {
    /// Resolves the address, and prepares the request.
    ///
    /// # Errors
    ///
    /// The URL is not `http://`, or its host has no address.
    pub fn new(url: &str, options: &RequestOptions) -> Result<LoadTarget, String> {
        let parts = UrlParts::of(url)?;
        options.check()?;
        let addresses = addresses_of(parts.host, parts.port)
            .map_err(|why| format!("can't find {}: {why}; write its address", parts.host))?;
        let address = first_reachable(&addresses)
            .ok_or_else(|| format!("can't find {}: it has no address", parts.host))?;
        let request = request(&parts, options);
        Ok(LoadTarget {
            url: url.to_owned(),
            address,
            request,
            is_idempotent: options.body.is_none(),
        })
    }
}

/// The first address at which a server accepts connections, or else the first. A host can have
/// addresses without a listener: `localhost` is often `::1` as well.
fn first_reachable(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    let [only] = addresses else {
        let answers =
            |address: &&SocketAddr| TcpStream::connect_timeout(address, CONNECT_TIMEOUT).is_ok();
        return addresses.iter().find(answers).or(addresses.first()).copied();
    };
    Some(*only)
}

#[derive(Debug, PartialEq, Eq)]
struct UrlParts<'a> {
    /// Without the brackets of an IPv6 address.
    host: &'a str,
    port: u16,
    /// Host and port as in the URL, for the `Host` field.
    authority: &'a str,
    /// Path and query.
    path: &'a str,
}

impl UrlParts<'_> {
    /// Splits a URL (RFC 3986 §3); `http://` can be left out.
    fn of(url: &str) -> Result<UrlParts<'_>, String> {
        let wrong = |why: &str| format!("{url}: {why}");
        let rest = without_scheme(url).map_err(wrong)?;
        let rest = rest.split('#').next().unwrap_or(rest);
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("characters that are not printable ASCII have to be written as %xx"));
        }
        let (host, port) = host_and_port(authority).map_err(wrong)?;
        // An empty port means the default, and is not sent (RFC 3986 §6.2.3).
        let authority = authority.strip_suffix(':').unwrap_or(authority);
        Ok(UrlParts { host, port, authority, path })
    }
}

fn without_scheme(url: &str) -> Result<&str, &'static str> {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    // The `://` in `h/?u=http://x` does not follow a scheme.
    let scheme = url.split_once(':').filter(|(scheme, _)| scheme.chars().all(is_scheme));
    match scheme.map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest.strip_prefix("//"))) {
        Some((scheme, Some(rest))) => match &*scheme {
            "http" => Ok(rest),
            "https" => {
                Err("the load generator does not speak TLS; name the server behind the proxy")
            }
            _ => Err("it does not begin with http://"),
        },
        Some((scheme, None)) if scheme == "http" || scheme == "https" => {
            Err("// is missing after the scheme")
        }
        _ => Ok(url),
    }
}

fn host_and_port(authority: &str) -> Result<(&str, u16), &'static str> {
    if authority.contains('@') {
        return Err("a user and password have to be sent with --header");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("a ] is missing after its address")?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err("the text in brackets is no IPv6 address");
            }
            match rest.strip_prefix(':') {
                None if !rest.is_empty() => return Err("after ] only a port may follow"),
                port => (host, port.unwrap_or_default()),
            }
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    if port.contains(':') {
        return Err("an IPv6 address has to be in brackets, as in http://[::1]:80/");
    }
    let is_of_host = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if host.is_empty() {
        return Err("it names no host; write http://HOST[:PORT]/PATH or :PORT/PATH");
    } else if !host.is_ascii() {
        return Err("its host has to be written in ASCII, as xn--...");
    } else if !host.chars().all(is_of_host) {
        return Err("its host has a character that a host name can't have");
    }
    Ok((host, number_of_port(port)?))
}

fn number_of_port(port: &str) -> Result<u16, &'static str> {
    const PORT: &str = "its port is no number from 1 to 65535";
    if port.is_empty() {
        return Ok(80);
    }
    // parse() accepts a sign, which is no digit.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let number = port.parse().ok().filter(|number| is_number && *number > 0);
    number.ok_or(PORT)
}

fn request(parts: &UrlParts<'_>, options: &RequestOptions) -> Vec<u8> {
    let mut request = Vec::new();
    // Writing to a vector can't fail.
    let _ = write_request(&mut request, parts, options);
    request
}

fn write_request(
    out: &mut Vec<u8>,
    parts: &UrlParts<'_>,
    options: &RequestOptions,
) -> io::Result<()> {
    let method = if options.body.is_some() { "POST" } else { "GET" };
    // A query can follow the host directly, but a path is never empty (RFC 9112 §3.2.1).
    let slash = if parts.path.starts_with('/') { "" } else { "/" };
    write!(out, "{method} {slash}{} HTTP/1.1\r\n", parts.path)?;
    let mut field = |name: &str, value: &str| match options.has(name) {
        true => Ok(()),
        false => write!(out, "{name}: {value}\r\n"),
    };
    field("Host", parts.authority)?;
    field("User-Agent", concat!("zerohttpd-load/", env!("CARGO_PKG_VERSION")))?;
    if options.close {
        field("Connection", "close")?;
    }
    if let Some(body) = &options.body {
        field("Content-Type", FORM)?;
        field("Content-Length", &body.len().to_string())?;
    }
    for (name, value) in &options.fields {
        write!(out, "{name}: {value}\r\n")?;
    }
    out.extend(b"\r\n");
    out.extend(options.body.as_deref().unwrap_or_default());
    Ok(())
}

impl RequestOptions {
    /// Refuses fields that would contradict the framing of the request or the `Connection` field.
    fn check(&self) -> Result<(), String> {
        let mut hosts = 0;
        for (name, value) in &self.fields {
            let wrong = |why: &str| Err(format!("--header {name}: {value}: {why}"));
            match &*name.to_ascii_lowercase() {
                "content-length" => {
                    return wrong("the load generator sends the length of --post itself");
                }
                "transfer-encoding" => {
                    return wrong("--post is sent with its length, not in a transfer coding");
                }
                "connection" if self.close => {
                    return wrong("with --no-keep-alive, Connection: close is sent anyway");
                }
                "connection" if has_item(value, "close") => {
                    return wrong(
                        "use --no-keep-alive instead: the load generator has to know that \
                         connections are closed",
                    );
                }
                "connection" if has_item(value, "upgrade") => {
                    return wrong("the load generator speaks only HTTP/1.1");
                }
                "host" => hosts += 1,
                _ => {}
            }
        }
        match hosts {
            0 | 1 => Ok(()),
            _ => Err("--header Host: a request has one Host only".into()),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }
}

fn has_item(list: &str, word: &str) -> bool {
    list.split(',').any(|other| other.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (&str, u16, &str, &str) {
        let parts = UrlParts::of(url).unwrap();
        (parts.host, parts.port, parts.authority, parts.path)
    }

    #[test]
    fn urls_are_split_into_parts() {
        assert_eq!(parts("http://h"), ("h", 80, "h", "/"));
        assert_eq!(parts("http://h:81/a?b#c"), ("h", 81, "h:81", "/a?b"));
        assert_eq!(parts("h:8000/x"), ("h", 8000, "h:8000", "/x"));
        assert_eq!(parts("http://[::1]:8000/"), ("::1", 8000, "[::1]:8000", "/"));
        assert_eq!(parts("http://[::1]/"), ("::1", 80, "[::1]", "/"));
        assert_eq!(parts("http://h?q"), ("h", 80, "h", "?q"));
        assert_eq!(parts("HTTP://h/"), ("h", 80, "h", "/"));
        assert_eq!(parts("http://h:/a"), ("h", 80, "h", "/a"));
        assert_eq!(parts("http://[::1]:/"), ("::1", 80, "[::1]", "/"));
        assert_eq!(parts("h:0080#\u{fc}"), ("h", 80, "h:0080", "/"));
        assert_eq!(parts("h/?u=http://x"), ("h", 80, "h", "/?u=http://x"));
        assert_eq!(parts("http://h?u=https://x@y"), ("h", 80, "h", "?u=https://x@y"));
    }

    #[test]
    fn an_invalid_url_is_refused() {
        for url in [
            "https://h/",
            "ftp://h/",
            "http://",
            "http:///x",
            "h:x",
            "h:99999",
            "http://u@h/",
            "http://u:p@h:80/",
            "h/ü",
            "HTTPS://h/",
            "http:h",
            "http:/h",
            "http://h:+80/",
            "http://h:-1/",
            "http://h:0/",
            "http://h: 80/",
            "http://h:80:80/",
            "::1:80",
            "http://::1/",
            "http://[::1/",
            "http://[::1]80/",
            "http://[h]/",
            "http://[]/",
            "http://h]/",
            "http://:80/",
            "http://b\u{fc}cher/",
            "http://a b/",
            "http://h\\x/",
            "http://h%41/",
        ] {
            assert!(UrlParts::of(url).is_err_and(|error| error.starts_with(url)), "{url}");
        }
    }

    fn text(url: &str, options: &RequestOptions) -> String {
        String::from_utf8(request(&UrlParts::of(url).unwrap(), options)).unwrap()
    }

    #[test]
    fn a_get_is_short() {
        let agent = concat!("User-Agent: zerohttpd-load/", env!("CARGO_PKG_VERSION"), "\r\n");
        let get = text("http://h:1/a", &RequestOptions::default());
        assert_eq!(get, format!("GET /a HTTP/1.1\r\nHost: h:1\r\n{agent}\r\n"));
        let close =
            text("http://h?q", &RequestOptions { close: true, ..RequestOptions::default() });
        let expected = format!("GET /?q HTTP/1.1\r\nHost: h\r\n{agent}Connection: close\r\n\r\n");
        assert_eq!(close, expected);
    }

    #[test]
    fn a_post_has_its_length_and_fields_replace_default_ones() {
        let fields = ["host: other", "X-A: 1", "X-A: 2", "CONTENT-TYPE: text/plain"];
        let fields = fields.iter().filter_map(|field| field.split_once(": "));
        let options = RequestOptions {
            body: Some(b"a=b".to_vec()),
            fields: fields.map(|(name, value)| (name.into(), value.into())).collect(),
            close: false,
        };
        let post = text("http://h/", &options);
        assert!(post.starts_with("POST / HTTP/1.1\r\nUser-Agent: "), "{post}");
        let end = "Content-Length: 3\r\nhost: other\r\nX-A: 1\r\nX-A: 2\r\n\
            CONTENT-TYPE: text/plain\r\n\r\na=b";
        assert!(post.ends_with(end), "{post}");
    }

    #[test]
    fn fields_that_contradict_the_framing_or_the_connection_are_refused() {
        let check = |close: bool, fields: &[&str]| {
            let fields = fields.iter().filter_map(|field| field.split_once(": "));
            let fields = fields.map(|(name, value)| (name.into(), value.into())).collect();
            RequestOptions { body: Some(b"a=b".to_vec()), fields, close }.check()
        };
        for field in [
            "Transfer-Encoding: chunked",
            "content-length: 7",
            "Connection: x, Close",
            "Connection: Upgrade",
        ] {
            assert!(check(false, &[field]).is_err_and(|error| error.contains(field)), "{field}");
        }
        assert!(check(true, &["Connection: keep-alive"]).is_err());
        assert!(check(false, &["Host: a", "host: b"]).is_err());
        assert_eq!(check(false, &["Host: a", "Connection: keep-alive", "TE: trailers"]), Ok(()));
    }
}
