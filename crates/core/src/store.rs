//! The guestbook's store: the application's queries, its replies, and the encoding of both for
//! Redis.

mod failure;
mod pipeline;
mod query;
mod remarks;
mod reply_cache;
pub mod resp;
mod store_down;

pub use failure::{Scope, StoreFailure};
pub use pipeline::{Credentials, Pipeline};
pub use query::{GUESTBOOK_REMARKS, Query, Reply, VISITOR_COUNT};
pub(crate) use remarks::REMARK_SEPARATOR;
pub use remarks::Remarks;
pub use store_down::StoreDown;
