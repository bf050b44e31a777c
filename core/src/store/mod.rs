//! The store in the application's words, and the words of the store.

mod dialogue;
pub mod resp;
mod shown;

pub use dialogue::{Credentials, Dialogue};

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::app::Remarks;

/// The key of the visitor count, an integer.
pub const VISITOR_COUNT: &[u8] = b"visitor_count";

/// The key of the remarks, a list of which the newest is the last.
pub const GUESTBOOK_REMARKS: &[u8] = b"guestbook_remarks";

/// A question to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// The visitor's number and a page of remarks.
    Visit {
        /// The page, from 1; the first has the newest remarks.
        page: u32,
        /// Whether the visitor is counted.
        counts: bool,
    },
    /// Keep a remark, `remarks - name`.
    Sign(Vec<u8>),
}

/// What the store says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To [`Query::Visit`].
    Visited {
        /// The visitor's number; of one who is not counted, the last one given.
        number: u64,
        /// The page, shared by all who were shown it before it changed.
        remarks: Arc<Remarks>,
    },
    /// To [`Query::Sign`]: it is kept.
    Signed,
}

/// Why the store did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreDown {
    /// No connection could be made.
    Unreachable,
    /// The connection broke, or something else than a store is at its other end. What was asked
    /// may or may not have been done.
    Broken,
    /// No answer came in time. What was asked may or may not have been done.
    TimedOut,
    /// It answered with an error, or with something else than was asked for. The connection can
    /// go on.
    Refused,
    /// It does not accept the password, the database, or another client.
    NotAdmitted,
    /// Too many questions wait already.
    Overloaded,
}

impl StoreDown {
    /// All of them, in their order.
    pub const ALL: [StoreDown; 6] = [
        StoreDown::Unreachable,
        StoreDown::Broken,
        StoreDown::TimedOut,
        StoreDown::Refused,
        StoreDown::NotAdmitted,
        StoreDown::Overloaded,
    ];

    /// A name for counts.
    pub fn name(self) -> &'static str {
        match self {
            StoreDown::Unreachable => "unreachable",
            StoreDown::Broken => "broken",
            StoreDown::TimedOut => "timed_out",
            StoreDown::Refused => "refused",
            StoreDown::NotAdmitted => "not_admitted",
            StoreDown::Overloaded => "overloaded",
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
            StoreDown::Overloaded => "has too many questions waiting",
        }
    }
}

impl fmt::Display for StoreDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explain())
    }
}

impl core::error::Error for StoreDown {}
