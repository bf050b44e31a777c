//! Where the store is: `redis://user:password@host:port/database` and similar URLs.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use zerohttpd_core::store::Credentials;
use zerohttpd_embedded as embedded;
use zerohttpd_sys::{resolver, unix_socket};

use crate::shared::store_condition::StoreCondition;

/// The port of Redis.
const REDIS_PORT: u16 = 6379;

/// The value of `--store`.
#[derive(Clone)]
pub enum StoreChoice {
    /// Redis, by TCP.
    Redis { host: String, port: u16, credentials: Credentials },
    /// Redis, by a Unix socket.
    RedisUnix { socket: PathBuf, credentials: Credentials },
    /// The embedded store, in this file.
    Embedded(PathBuf),
    /// No store, as there is no guestbook.
    None,
}

impl StoreChoice {
    /// Reads `redis://[user:password@]host[:port][/database]`, `redis+unix:///path` or
    /// `embedded:FILE`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<StoreChoice, String> {
        if let Some(file) = text.strip_prefix("embedded:") {
            return match file {
                "" => Err("embedded: names no file; write embedded:FILE".into()),
                file => Ok(StoreChoice::Embedded(file.into())),
            };
        }
        if let Some(rest) = text.strip_prefix("redis+unix://") {
            return parse_redis_unix(rest);
        }
        match text.strip_prefix("redis://") {
            Some(rest) => parse_redis(rest),
            None => {
                Err("it must be redis://HOST[:PORT], redis+unix:///PATH or embedded:FILE".into())
            }
        }
    }

    /// Reads the third argument in the form that the C programs had: `ip`, `host` or `host:port`;
    /// or a URL.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub fn parse_host(text: &str) -> Result<StoreChoice, String> {
        if text.contains("://") || text.starts_with("embedded:") {
            return StoreChoice::parse(text);
        }
        let (host, port) = parse_host_and_port(text)?;
        Ok(StoreChoice::Redis { host, port, credentials: Credentials::default() })
    }
}

/// The URL without user and password.
impl fmt::Display for StoreChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreChoice::Redis { host, port, credentials } => {
                write!(f, "redis://{host}:{port}/{}", credentials.database)
            }
            StoreChoice::RedisUnix { socket, .. } => write!(f, "redis+unix://{}", socket.display()),
            StoreChoice::Embedded(file) => write!(f, "embedded:{}", file.display()),
            StoreChoice::None => f.write_str("off"),
        }
    }
}

fn parse_redis(rest: &str) -> Result<StoreChoice, String> {
    // A password can contain slashes and @, so the last @ ends it.
    let (user, server) = rest.rsplit_once('@').map_or((None, rest), |(user, at)| (Some(user), at));
    let (host, database) = server.split_once('/').unwrap_or((server, ""));
    let database = parse_database_number(database)?;
    let mut credentials = Credentials { database, ..Default::default() };
    if let Some(user) = user {
        set_user_and_password(user, &mut credentials);
    }
    let (host, port) = parse_host_and_port(host)?;
    Ok(StoreChoice::Redis { host, port, credentials })
}

fn parse_redis_unix(rest: &str) -> Result<StoreChoice, String> {
    let mut credentials = Credentials::default();
    let (user, path) = match rest.find('/') {
        None => return Err("redis+unix:// names no socket; write redis+unix:///path".into()),
        Some(at) => rest.split_at(at),
    };
    if let Some(user) = user.strip_suffix('@') {
        set_user_and_password(user, &mut credentials);
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if let Some(database) = query.strip_prefix("db=") {
        credentials.database = parse_database_number(database)?;
    }
    Ok(StoreChoice::RedisUnix { socket: path.into(), credentials })
}

fn set_user_and_password(text: &str, credentials: &mut Credentials) {
    let decode = |text: &str| Some(percent_decode_str(text).collect());
    let (user, password) = text.split_once(':').unwrap_or(("", text));
    credentials.user = if user.is_empty() { None } else { decode(user) };
    credentials.password = decode(password);
}

fn parse_database_number(text: &str) -> Result<u32, String> {
    match text {
        "" => Ok(0),
        digits => digits.parse().map_err(|_| format!("{digits} is not the number of a database")),
    }
}

/// Reads `host`, `host:port`, `[::1]:port`, or an IPv6 address without brackets.
fn parse_host_and_port(text: &str) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None if text.parse::<std::net::Ipv6Addr>().is_ok() => (text, None),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let is_host_char = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    if host.is_empty() || !host.chars().all(is_host_char) {
        return Err(format!("{text} is not a host; write HOST or HOST:PORT"));
    }
    let port = port.map_or(Ok(REDIS_PORT), |port| {
        port.parse().map_err(|_| format!("{port} is not a port; it is a number up to 65535"))
    })?;
    Ok((host.to_owned(), port))
}

/// The address of the store, as servers use it. Servers do not resolve a host's name: a resolver
/// blocks, and needs files and sockets that the sandbox denies to them. A child of the supervisor
/// resolves the name.
#[derive(Clone)]
pub struct Address {
    location: Location,
    credentials: Credentials,
}

#[derive(Clone)]
enum Location {
    /// The condition of the store has the resolved address, which can change.
    Tcp(StoreCondition),
    Unix(PathBuf),
}

/// The kernel probes an idle connection after 15 s, then every 5 s, and closes it after the third
/// probe without an answer. So the loss of the store's host is noticed before a visitor has to
/// wait.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 3;

impl StoreChoice {
    /// The host and port, if the store is reached by TCP.
    pub fn tcp(&self) -> Option<(&str, u16)> {
        match self {
            StoreChoice::Redis { host, port, .. } => Some((host, *port)),
            StoreChoice::RedisUnix { .. } | StoreChoice::Embedded(_) | StoreChoice::None => None,
        }
    }

    /// Whether it is a Redis, which can be elsewhere and has to be looked for.
    pub fn is_redis(&self) -> bool {
        matches!(self, StoreChoice::Redis { .. } | StoreChoice::RedisUnix { .. })
    }

    /// All addresses that the name of its host has now. The call waits for the resolver.
    ///
    /// # Errors
    ///
    /// In the words of the resolver: there is no such host, or it can't be asked now.
    pub fn resolve(&self) -> Result<Vec<SocketAddr>, String> {
        self.tcp().map_or(Ok(Vec::new()), |(host, port)| resolver::addresses_of(host, port))
    }
}

impl Address {
    /// The address of a store. For TCP, `condition` has the resolved address.
    pub fn of(choice: &StoreChoice, condition: StoreCondition) -> Address {
        let (location, credentials) = match choice {
            StoreChoice::Embedded(file) => {
                (Location::Unix(embedded::socket_path(file)), Credentials::default())
            }
            // It is never used.
            StoreChoice::None => (Location::Unix(PathBuf::new()), Credentials::default()),
            StoreChoice::RedisUnix { socket, credentials } => {
                (Location::Unix(socket.clone()), credentials.clone())
            }
            StoreChoice::Redis { credentials, .. } => {
                (Location::Tcp(condition), credentials.clone())
            }
        };
        Address { location, credentials }
    }

    /// The resolved address, if the store is reached by TCP and its name was resolved.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match &self.location {
            Location::Tcp(condition) => condition.address(),
            Location::Unix(_) => None,
        }
    }

    /// The credentials to log in with.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Begins to connect and does not wait. The socket is writable once it is connected
    /// (connect(2)).
    ///
    /// # Errors
    ///
    /// An immediate failure of connect(2), or the name is not resolved yet.
    pub fn connect(&self) -> io::Result<OwnedFd> {
        match &self.location {
            Location::Unix(path) => unix_socket::connect(path, true),
            Location::Tcp(condition) => match condition.address() {
                Some(address) => connect(address),
                None => Err(io::Error::other("its name has no address yet")),
            },
        }
    }
}

/// Begins to connect to an address, like [`Address::connect`].
///
/// # Errors
///
/// An immediate failure of connect(2).
pub fn connect(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(&socket, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(&socket, KEEPALIVE_PROBES)?;
    match net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(choice: &StoreChoice) -> String {
        let text = |bytes: &Option<Vec<u8>>| {
            bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let credentials =
            |c: &Credentials| format!("{:?} {:?} {}", text(&c.user), text(&c.password), c.database);
        match choice {
            StoreChoice::Redis { host, port, credentials: c } => {
                format!("{host} {port} {}", credentials(c))
            }
            StoreChoice::RedisUnix { socket, credentials: c } => {
                format!("{} {}", socket.display(), credentials(c))
            }
            StoreChoice::Embedded(_) | StoreChoice::None => format!("{choice}"),
        }
    }

    #[test]
    fn every_kind_of_store_is_read() {
        for (text, expected) in [
            ("redis://h", "h 6379 None None 0"),
            ("redis://10.0.0.1:7000/3", "10.0.0.1 7000 None None 3"),
            ("redis://[::1]:7000", "::1 7000 None None 0"),
            ("redis://:s%40c@h/", "h 6379 None Some(\"s@c\") 0"),
            ("redis://:s3cr/et@h/2", "h 6379 None Some(\"s3cr/et\") 2"),
            ("redis://u:p@h:1/2", "h 1 Some(\"u\") Some(\"p\") 2"),
            ("redis+unix:///run/redis.sock", "/run/redis.sock None None 0"),
            ("redis+unix://u:p@/s?db=4", "/s Some(\"u\") Some(\"p\") 4"),
            ("embedded:a/b.db", "embedded:a/b.db"),
        ] {
            assert_eq!(describe(&StoreChoice::parse(text).unwrap()), expected, "{text}");
        }
        let host = |text| describe(&StoreChoice::parse_host(text).unwrap());
        assert_eq!(host("127.0.0.1"), "127.0.0.1 6379 None None 0");
        assert_eq!(host("::1"), "::1 6379 None None 0");
        assert_eq!(host("h:7"), "h 7 None None 0");
    }

    #[test]
    fn other_texts_are_refused() {
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
            assert!(StoreChoice::parse(text).is_err(), "{text}");
        }
    }
}
