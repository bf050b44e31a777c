//! Where the store is: `redis://user:password@host:port/database` and its relatives.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use zero_core::store::Credentials;

use super::embedded;
use crate::sys::unix_socket;

/// The port of Redis.
const REDIS_PORT: u16 = 6379;

/// What `--store` says.
#[derive(Clone)]
pub enum Choice {
    /// Redis, by TCP.
    Redis { host: String, port: u16, credentials: Credentials },
    /// Redis, by a Unix socket.
    RedisUnix { socket: PathBuf, credentials: Credentials },
    /// The embedded store, in this file.
    Embedded(PathBuf),
}

impl Choice {
    /// Reads `redis://[user:password@]host[:port][/database]`, `redis+unix:///path` or
    /// `embedded:FILE`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Choice, String> {
        if let Some(file) = text.strip_prefix("embedded:") {
            return match file {
                "" => Err("embedded: names no file; write embedded:FILE".into()),
                file => Ok(Choice::Embedded(file.into())),
            };
        }
        if let Some(rest) = text.strip_prefix("redis+unix://") {
            return redis_unix(rest);
        }
        match text.strip_prefix("redis://") {
            Some(rest) => redis(rest),
            None => Err("a store is redis://HOST, redis+unix:///PATH or embedded:FILE".into()),
        }
    }

    /// Reads the third argument of the original: `ip`, `host` or `host:port`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub fn parse_host(text: &str) -> Result<Choice, String> {
        if text.contains("://") || text.starts_with("embedded:") {
            return Choice::parse(text);
        }
        let (host, port) = host_and_port(text)?;
        Ok(Choice::Redis { host, port, credentials: Credentials::default() })
    }
}

fn redis(rest: &str) -> Result<Choice, String> {
    // A password may have slashes in it, but what comes after the last @ has none of its text.
    let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, at)| (Some(user), at));
    let (host, database) = place.split_once('/').unwrap_or((place, ""));
    let database = database_number(database)?;
    let mut credentials = Credentials { database, ..Default::default() };
    if let Some(user) = user {
        user_and_password(user, &mut credentials);
    }
    let (host, port) = host_and_port(host)?;
    Ok(Choice::Redis { host, port, credentials })
}

fn redis_unix(rest: &str) -> Result<Choice, String> {
    let mut credentials = Credentials::default();
    let (user, path) = match rest.find('/') {
        None => return Err("redis+unix:// names no socket; write redis+unix:///path".into()),
        Some(at) => rest.split_at(at),
    };
    if let Some(user) = user.strip_suffix('@') {
        user_and_password(user, &mut credentials);
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if let Some(database) = query.strip_prefix("db=") {
        credentials.database = database_number(database)?;
    }
    Ok(Choice::RedisUnix { socket: path.into(), credentials })
}

fn user_and_password(text: &str, credentials: &mut Credentials) {
    let decoded = |text: &str| Some(percent_decode_str(text).collect());
    let (user, password) = text.split_once(':').unwrap_or(("", text));
    credentials.user = if user.is_empty() { None } else { decoded(user) };
    credentials.password = decoded(password);
}

fn database_number(text: &str) -> Result<u32, String> {
    match text {
        "" => Ok(0),
        digits => digits.parse().map_err(|_| format!("{digits} is not the number of a database")),
    }
}

/// `host`, `host:port`, `[::1]:port`, or an IPv6 address as it is.
fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None if text.parse::<std::net::Ipv6Addr>().is_ok() => (text, None),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    if host.is_empty() || !host.chars().all(of_a_name) {
        return Err(format!("{text} is not a host; write HOST or HOST:PORT"));
    }
    let port = port.map_or(Ok(REDIS_PORT), |port| {
        port.parse().map_err(|_| format!("{port} is not a port; it is a number up to 65535"))
    })?;
    Ok((host.to_owned(), port))
}

/// Where the store is, names resolved.
#[derive(Clone)]
pub struct Address {
    place: Place,
    credentials: Credentials,
}

#[derive(Clone)]
enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    /// Every address that a choice may mean; the first that answers is the one to keep. Names are
    /// resolved here once, since a resolver may block.
    ///
    /// # Errors
    ///
    /// The resolver's: there is no such host.
    pub fn resolve(choice: &Choice) -> io::Result<Vec<Address>> {
        let unix = |path: &Path, credentials: &Credentials| {
            vec![Address { place: Place::Unix(path.into()), credentials: credentials.clone() }]
        };
        Ok(match choice {
            Choice::Embedded(file) => unix(&embedded::socket_path(file), &Credentials::default()),
            Choice::RedisUnix { socket, credentials } => unix(socket, credentials),
            Choice::Redis { host, port, credentials } => (&**host, *port)
                .to_socket_addrs()?
                .map(|at| Address { place: Place::Tcp(at), credentials: credentials.clone() })
                .collect(),
        })
    }

    /// An address that a predecessor has found for this choice; nothing where none has to be found.
    pub fn found(choice: &Choice, at: SocketAddr) -> Option<Address> {
        match choice {
            Choice::Redis { credentials, .. } => {
                Some(Address { place: Place::Tcp(at), credentials: credentials.clone() })
            }
            Choice::RedisUnix { .. } | Choice::Embedded(_) => None,
        }
    }

    /// Its place, if it is reached by TCP.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match &self.place {
            Place::Tcp(address) => Some(*address),
            Place::Unix(_) => None,
        }
    }

    /// What the store asks of those who connect.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Begins to connect, and does not wait for it: the socket can be written to once it is
    /// connected (connect(2)).
    ///
    /// # Errors
    ///
    /// Those of connect(2) that come at once.
    pub fn connect(&self) -> io::Result<OwnedFd> {
        let address = match &self.place {
            Place::Unix(path) => return unix_socket::connect(path, true),
            Place::Tcp(address) => address,
        };
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        match net::connect(&socket, address) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl fmt::Display for Address {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp(address) => write!(f, "redis://{address}/{}", self.credentials.database),
            Place::Unix(path) => write!(f, "redis+unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(choice: &Choice) -> String {
        let text = |bytes: &Option<Vec<u8>>| {
            bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let credentials =
            |c: &Credentials| format!("{:?} {:?} {}", text(&c.user), text(&c.password), c.database);
        match choice {
            Choice::Redis { host, port, credentials: c } => {
                format!("{host} {port} {}", credentials(c))
            }
            Choice::RedisUnix { socket, credentials: c } => {
                format!("{} {}", socket.display(), credentials(c))
            }
            Choice::Embedded(file) => format!("{}", file.display()),
        }
    }

    #[test]
    fn every_kind_of_store() {
        for (text, expected) in [
            ("redis://h", "h 6379 None None 0"),
            ("redis://10.0.0.1:7000/3", "10.0.0.1 7000 None None 3"),
            ("redis://[::1]:7000", "::1 7000 None None 0"),
            ("redis://:s%40c@h/", "h 6379 None Some(\"s@c\") 0"),
            ("redis://:s3cr/et@h/2", "h 6379 None Some(\"s3cr/et\") 2"),
            ("redis://u:p@h:1/2", "h 1 Some(\"u\") Some(\"p\") 2"),
            ("redis+unix:///run/redis.sock", "/run/redis.sock None None 0"),
            ("redis+unix://u:p@/s?db=4", "/s Some(\"u\") Some(\"p\") 4"),
            ("embedded:a/b.db", "a/b.db"),
        ] {
            assert_eq!(shown(&Choice::parse(text).unwrap()), expected, "{text}");
        }
        assert_eq!(shown(&Choice::parse_host("127.0.0.1").unwrap()), "127.0.0.1 6379 None None 0");
        assert_eq!(shown(&Choice::parse_host("::1").unwrap()), "::1 6379 None None 0");
        assert_eq!(shown(&Choice::parse_host("h:7").unwrap()), "h 7 None None 0");
    }

    #[test]
    fn what_is_not_a_store() {
        for text in [
            "",
            "h",
            "http://h",
            "redis://",
            "redis://h:x",
            "redis://h:70000",
            "redis://h/x",
            "redis+unix://",
            "embedded:",
            "redis://a b",
        ] {
            assert!(Choice::parse(text).is_err(), "{text}");
        }
    }
}
