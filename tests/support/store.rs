//! A store for a test, embedded or Redis, with one interface for both.

use std::path::PathBuf;

use super::redis::{Redis, redis_cli};
use super::{TempDir, wait_until};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Embedded,
    Redis,
}

/// A store that only one test uses. It starts empty.
pub(crate) enum Store {
    /// The folder in which a server's embedded store creates its file.
    Embedded(TempDir),
    Redis(Redis),
}

impl Store {
    #[track_caller]
    pub(crate) fn new(kind: Kind) -> Store {
        match kind {
            Kind::Embedded => Store::Embedded(TempDir::new()),
            Kind::Redis => Store::Redis(Redis::start(&["--appendonly", "no"])),
        }
    }

    /// A store that, when killed, loses nothing that it has acknowledged.
    #[track_caller]
    pub(crate) fn durable(kind: Kind) -> Store {
        match kind {
            Kind::Embedded => Store::new(kind),
            Kind::Redis => {
                Store::Redis(Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]))
            }
        }
    }

    #[track_caller]
    pub(crate) fn embedded() -> Store {
        Store::new(Kind::Embedded)
    }

    /// Its URL for `--store`.
    pub(crate) fn url(&self) -> String {
        match self {
            Store::Embedded(folder) => format!("embedded:{}", folder.join("g.db").display()),
            Store::Redis(redis) => redis.url(),
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        match self {
            Store::Embedded(folder) => folder.join("g.db.sock"),
            Store::Redis(redis) => redis.socket(),
        }
    }

    /// The output of redis-cli for a command, see [`redis_cli`].
    #[track_caller]
    pub(crate) fn cli(&self, words: &[&str]) -> String {
        redis_cli(&self.socket(), words)
    }

    /// All remarks, `remark - name`, the oldest first. None of them can contain a line break.
    #[track_caller]
    pub(crate) fn remarks(&self) -> Vec<String> {
        wait_until("a store that answers redis-cli", || self.cli(&["ping"]) == "PONG");
        let listed = self.cli(&["lrange", "guestbook_remarks", "0", "-1"]);
        listed.lines().map(str::to_string).collect()
    }

    /// How many visitors it has counted.
    #[track_caller]
    pub(crate) fn visitor_count(&self) -> u64 {
        let count = self.cli(&["get", "visitor_count"]);
        count.parse().unwrap_or_else(|e| panic!("visitor_count is {count:?}: {e}"))
    }
}
