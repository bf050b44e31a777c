//! What is asked of whom: a URL, the address behind it, and the bytes of the request, prepared
//! once.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// The type of a form's body, which is what `--post` is meant for.
const FORM: &str = "application/x-www-form-urlencoded";

/// Where a host has several addresses, each is given this long to take a connection.
const TRIAL: Duration = Duration::from_secs(2);

/// What is asked, and whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// The URL, as it was given.
    pub url: String,
    /// Where its host answers.
    pub address: SocketAddr,
    /// The request, as it is sent.
    pub request: Vec<u8>,
    /// Asking twice is the same as asking once, so that what may not have been heard may be asked
    /// again (RFC 9110 §9.2.2).
    pub is_idempotent: bool,
}

/// What a request has beside its URL.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// The body of a POST; without one it is a GET.
    pub body: Option<Vec<u8>>,
    /// Header fields, in place of ours of the same name or in addition to them.
    pub fields: Vec<(String, String)>,
    /// The request asks for the connection to be closed.
    pub close: bool,
}

impl Target {
    /// Finds the address, and prepares the request.
    ///
    /// # Errors
    ///
    /// The URL is none of `http://`, or its host has no address.
    pub fn new(url: &str, extras: &Extras) -> Result<Target, String> {
        let parts = Parts::of(url)?;
        let resolved = (parts.host, parts.port).to_socket_addrs();
        let addresses: Vec<_> =
            resolved.map_err(|error| format!("can't find {}: {error}", parts.host))?.collect();
        let address = first_to_answer(&addresses)
            .ok_or_else(|| format!("can't find {}: it has no address", parts.host))?;
        let request = request(&parts, extras);
        Ok(Target { url: url.to_owned(), address, request, is_idempotent: extras.body.is_none() })
    }
}

/// A host may have an address that nobody listens at: `localhost` is often `::1` as well.
fn first_to_answer(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    let [only] = addresses else {
        let answers = |address: &&SocketAddr| TcpStream::connect_timeout(address, TRIAL).is_ok();
        return addresses.iter().find(answers).or(addresses.first()).copied();
    };
    Some(*only)
}

#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    /// Without the brackets of an IPv6 address.
    host: &'a str,
    port: u16,
    /// As it stands in the URL: the `Host` field.
    authority: &'a str,
    /// Path and query.
    path: &'a str,
}

impl Parts<'_> {
    fn of(url: &str) -> Result<Parts<'_>, String> {
        let wrong = |why: &str| format!("{url}: {why}");
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => {
                return Err(wrong("TLS is not spoken here; name the server behind the proxy"));
            }
            Some(_) => return Err(wrong("it is not a URL of http://")),
            None => url,
        };
        let rest = rest.split('#').next().unwrap_or(rest);
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("what is not printable ASCII has to be written as %xx"));
        }
        if authority.contains('@') {
            return Err(wrong("a user and password have to be sent with --header"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port =
            port.map_or(Ok(80), |port| port.parse().map_err(|_| wrong("its port is none")))?;
        match host {
            "" => Err(wrong("it names no host")),
            _ => Ok(Parts { host, port, authority, path }),
        }
    }
}

fn request(parts: &Parts<'_>, extras: &Extras) -> Vec<u8> {
    let mut request = Vec::new();
    // A vector takes whatever is written.
    let _ = write_request(&mut request, parts, extras);
    request
}

fn write_request(out: &mut Vec<u8>, parts: &Parts<'_>, extras: &Extras) -> io::Result<()> {
    let method = if extras.body.is_some() { "POST" } else { "GET" };
    // A query may follow the host at once; a path is never empty (RFC 9112 §3.2.1).
    let slash = if parts.path.starts_with('/') { "" } else { "/" };
    write!(out, "{method} {slash}{} HTTP/1.1\r\n", parts.path)?;
    let mut field = |name: &str, value: &str| match extras.has(name) {
        true => Ok(()),
        false => write!(out, "{name}: {value}\r\n"),
    };
    field("Host", parts.authority)?;
    field("User-Agent", concat!("zerohttpd-load/", env!("CARGO_PKG_VERSION")))?;
    if extras.close {
        field("Connection", "close")?;
    }
    if let Some(body) = &extras.body {
        field("Content-Type", FORM)?;
        field("Content-Length", &body.len().to_string())?;
    }
    for (name, value) in &extras.fields {
        write!(out, "{name}: {value}\r\n")?;
    }
    out.extend(b"\r\n");
    out.extend(extras.body.as_deref().unwrap_or_default());
    Ok(())
}

impl Extras {
    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (&str, u16, &str, &str) {
        let parts = Parts::of(url).unwrap();
        (parts.host, parts.port, parts.authority, parts.path)
    }

    #[test]
    fn urls_are_taken_apart() {
        assert_eq!(parts("http://h"), ("h", 80, "h", "/"));
        assert_eq!(parts("http://h:81/a?b#c"), ("h", 81, "h:81", "/a?b"));
        assert_eq!(parts("h:8000/x"), ("h", 8000, "h:8000", "/x"));
        assert_eq!(parts("http://[::1]:8000/"), ("::1", 8000, "[::1]:8000", "/"));
        assert_eq!(parts("http://[::1]/"), ("::1", 80, "[::1]", "/"));
        assert_eq!(parts("http://h?q"), ("h", 80, "h", "?q"));
    }

    #[test]
    fn what_is_no_url_of_ours_is_refused() {
        for url in [
            "https://h/",
            "ftp://h/",
            "http://",
            "http:///x",
            "h:x",
            "h:99999",
            "http://u@h/",
            "h/ü",
        ] {
            assert!(Parts::of(url).is_err_and(|error| error.starts_with(url)), "{url}");
        }
    }

    fn text(url: &str, extras: &Extras) -> String {
        String::from_utf8(request(&Parts::of(url).unwrap(), extras)).unwrap()
    }

    #[test]
    fn a_get_is_short() {
        let agent = concat!("User-Agent: zerohttpd-load/", env!("CARGO_PKG_VERSION"), "\r\n");
        let get = text("http://h:1/a", &Extras::default());
        assert_eq!(get, format!("GET /a HTTP/1.1\r\nHost: h:1\r\n{agent}\r\n"));
        let close = text("http://h?q", &Extras { close: true, ..Extras::default() });
        let expected = format!("GET /?q HTTP/1.1\r\nHost: h\r\n{agent}Connection: close\r\n\r\n");
        assert_eq!(close, expected);
    }

    #[test]
    fn a_post_has_its_length_and_fields_replace_ours() {
        let fields = ["host: other", "X-A: 1", "X-A: 2", "CONTENT-TYPE: text/plain"];
        let fields = fields.iter().filter_map(|field| field.split_once(": "));
        let extras = Extras {
            body: Some(b"a=b".to_vec()),
            fields: fields.map(|(name, value)| (name.into(), value.into())).collect(),
            close: false,
        };
        let post = text("http://h/", &extras);
        assert!(post.starts_with("POST / HTTP/1.1\r\nUser-Agent: "), "{post}");
        let end = "Content-Length: 3\r\nhost: other\r\nX-A: 1\r\nX-A: 2\r\n\
            CONTENT-TYPE: text/plain\r\n\r\na=b";
        assert!(post.ends_with(end), "{post}");
    }
}
