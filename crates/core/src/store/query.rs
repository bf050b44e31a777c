//! The application's queries to the store, and the replies.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::remarks::Remarks;

/// The key of the visitor count, an integer.
pub const VISITOR_COUNT: &[u8] = b"visitor_count";

/// The key of the remarks, a list with the newest at its end.
pub const GUESTBOOK_REMARKS: &[u8] = b"guestbook_remarks";

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Get the visitor's number and a page of remarks.
    Visit {
        /// The page, from 1; the first has the newest remarks.
        page: u32,
        /// Whether the visitor is counted.
        is_counted: bool,
    },
    /// Store an item: a remark and its author, in the form `remark - name`.
    Sign(Vec<u8>),
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The reply to [`Query::Visit`].
    Visited {
        /// The visitor's number, or, if the visitor is not counted, that of the last counted one.
        number: u64,
        /// The page, shared by all visitors until it changes.
        remarks: Arc<Remarks>,
    },
    /// The reply to [`Query::Sign`]: the remark is stored.
    Signed,
}
