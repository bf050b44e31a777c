//! The guestbook for a bench: a temporary file, or a Redis that the user named. The file of the
//! user's own guestbook is never used.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use crate::host::listening::{listening, listening_at};
use crate::host::proc;
use crate::results::EMBEDDED;

/// The port of Redis.
const REDIS_PORT: u16 = 6379;

/// Which guestbook to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// A temporary file.
    Embedded,
    /// The Redis at this URL.
    Redis(String),
}

impl Store {
    /// Reads the value of `--store`.
    ///
    /// # Errors
    ///
    /// The value is neither `embedded` nor the URL of a Redis.
    pub fn parse(text: &str) -> Result<Store, String> {
        match text {
            EMBEDDED => Ok(Store::Embedded),
            url if url.starts_with("redis://") || url.starts_with("redis+unix://") => {
                Ok(Store::Redis(url.to_owned()))
            }
            _ => Err("--store: expected embedded, for a temporary store, or the URL of a Redis, \
                such as redis://HOST/9"
                .into()),
        }
    }

    /// The value of `ZEROHTTPD_STORE` for a server. The embedded store has its files in this
    /// folder.
    pub fn for_server(&self, folder: &Path) -> String {
        match self {
            Store::Embedded => format!("embedded:{}", folder.join("guestbook.db").display()),
            Store::Redis(url) => url.clone(),
        }
    }

    /// A description without the password.
    pub fn without_password(&self) -> String {
        let Store::Redis(url) = self else { return EMBEDDED.into() };
        match (url.split_once("://"), url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host_port))) => format!("{scheme}://…@{host_port}"),
            _ => url.clone(),
        }
    }

    /// The processes of a Redis on this machine, as far as the kernel lets us see them.
    pub fn processes(&self) -> Vec<u32> {
        let sockets = match (self.address(), self.path()) {
            (Some(address), _) => listening(address),
            (None, Some(path)) => listening_at(path),
            (None, None) => return Vec::new(),
        };
        proc::holders(&sockets)
    }

    /// The path of a Unix socket.
    fn path(&self) -> Option<&str> {
        let Store::Redis(url) = self else { return None };
        let rest = url.strip_prefix("redis+unix://")?;
        rest.get(rest.find('/')?..)?.split('?').next()
    }

    fn address(&self) -> Option<SocketAddr> {
        let Store::Redis(url) = self else { return None };
        let rest = url.strip_prefix("redis://")?;
        let host_port = rest.rsplit_once('@').map_or(rest, |(_, host_port)| host_port);
        let host_port = host_port.split('/').next()?;
        let has_port = host_port.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let port = if has_port { String::new() } else { format!(":{REDIS_PORT}") };
        format!("{host_port}{port}").to_socket_addrs().ok()?.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redis(url: &str) -> Store {
        Store::parse(url).unwrap()
    }

    #[test]
    fn no_password_is_shown() {
        assert_eq!(redis("redis://u:p@h:1/9").without_password(), "redis://…@h:1/9");
        assert_eq!(redis("redis://h/9").without_password(), "redis://h/9");
        assert_eq!(Store::Embedded.without_password(), "embedded");
    }

    #[test]
    fn a_redis_has_an_address() {
        let address = |url: &str| redis(url).address().map(|address| address.to_string());
        assert_eq!(address("redis://127.0.0.1"), Some("127.0.0.1:6379".into()));
        assert_eq!(address("redis://u:p@127.0.0.1:7/9"), Some("127.0.0.1:7".into()));
        assert_eq!(address("redis://[::1]/9"), Some("[::1]:6379".into()));
        assert_eq!(address("redis://[::1]:7"), Some("[::1]:7".into()));
        assert_eq!(address("redis+unix:///a"), None);
        assert_eq!(redis("redis+unix://u:p@/a/b?db=9").path(), Some("/a/b"));
        assert_eq!(redis("redis://h").path(), None);
    }

    #[test]
    fn the_users_own_guestbook_is_not_measured() {
        assert!(Store::parse("embedded:guestbook.db").is_err());
        assert_eq!(Store::Embedded.for_server(Path::new("/t")), "embedded:/t/guestbook.db");
    }
}
