//! The kinds of store failures.

use core::fmt;

/// The kind of a store failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreDown {
    /// No connection could be established.
    Unreachable,
    /// The connection broke, or the other end is not a store. The query may have been executed.
    Broken,
    /// No reply came in time. The query may have been executed.
    TimedOut,
    /// The reply is an error, or does not fit the query. The connection can still be used.
    Refused,
    /// The store refuses the user, the password or the database.
    NotAdmitted,
    /// Too many queries wait already.
    Overloaded,
    /// The store can't execute commands in its state: it is a replica, is loading, lacks replicas
    /// or has too many clients. The query was not executed. The connection is closed, since a new
    /// one can lead to a store that serves.
    NotServing,
}

impl StoreDown {
    /// All kinds, in the order above.
    pub const ALL: [StoreDown; 7] = [
        StoreDown::Unreachable,
        StoreDown::Broken,
        StoreDown::TimedOut,
        StoreDown::Refused,
        StoreDown::NotAdmitted,
        StoreDown::Overloaded,
        StoreDown::NotServing,
    ];

    /// Whether it is certain that the query was not executed.
    pub(crate) fn was_not_executed(&self) -> bool {
        !matches!(self, StoreDown::Broken | StoreDown::TimedOut)
    }

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            StoreDown::Unreachable => "unreachable",
            StoreDown::Broken => "broken",
            StoreDown::TimedOut => "timed_out",
            StoreDown::Refused => "refused",
            StoreDown::NotAdmitted => "not_admitted",
            StoreDown::Overloaded => "overloaded",
            StoreDown::NotServing => "not_serving",
        }
    }

    /// A few words for logs.
    pub fn explain(self) -> &'static str {
        match self {
            StoreDown::Unreachable => "can't be reached",
            StoreDown::Broken => "broke the connection",
            StoreDown::TimedOut => "did not answer in time",
            StoreDown::Refused => "answered with an error",
            StoreDown::NotAdmitted => "refuses the user, the password or the database",
            StoreDown::Overloaded => "has too many queries waiting",
            StoreDown::NotServing => "does not serve",
        }
    }
}

impl fmt::Display for StoreDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explain())
    }
}

impl core::error::Error for StoreDown {}
