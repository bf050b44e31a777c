//! The two kinds of store behind one face.

use std::path::PathBuf;

use super::redis::{Redis, redis_cli};
use super::{TempDir, wait_until};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Embedded,
    Redis,
}

/// An empty store that no other test has.
pub(crate) enum Store {
    /// The file that a server's store will make, in this folder.
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

    /// One that keeps what it has acknowledged also when it is killed.
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

    /// What `--store` calls it.
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

    /// What redis-cli prints.
    #[track_caller]
    pub(crate) fn cli(&self, words: &[&str]) -> String {
        redis_cli(&self.socket(), words)
    }

    /// All remarks, `remarks - name`, the oldest first. They must be of one line each.
    #[track_caller]
    pub(crate) fn remarks(&self) -> Vec<String> {
        wait_until("a store that answers redis-cli", || self.cli(&["ping"]) == "PONG");
        let listed = self.cli(&["lrange", "guestbook_remarks", "0", "-1"]);
        listed.lines().map(str::to_string).collect()
    }

    /// How many visitors it has counted.
    #[track_caller]
    pub(crate) fn visitor_count(&self) -> u64 {
        let said = self.cli(&["get", "visitor_count"]);
        said.parse().unwrap_or_else(|e| panic!("visitor_count is {said:?}: {e}"))
    }
}
