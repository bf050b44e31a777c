//! HTTP/1.1 and 1.0, without the sockets: a server connection, and an [`Application`] that it
//! serves.

pub(crate) mod accept;
mod access_record;
mod application;
pub(crate) mod authority;
mod body;
mod close_reason;
pub(crate) mod conditions;
mod connection;
pub(crate) mod date;
mod deadline;
pub(crate) mod encoding;
mod error_response;
pub(crate) mod fields;
mod head;
mod method;
pub(crate) mod range;
mod representation;
mod request;
pub(crate) mod response;
pub(crate) mod response_head;
mod span;
mod status;
pub(crate) mod target;
mod transmit;
mod want;

pub use access_record::{AccessRecord, CutShort};
pub use application::{Application, Resume, Step};
pub use close_reason::CloseReason;
pub use connection::Connection;
pub use date::{common_log_date, rfc_3339_date};
pub use deadline::{Deadline, Timeout};
pub use encoding::{Encoding, Encodings};
pub use error_response::ErrorResponse;
pub use method::Method;
pub use representation::{Coding, Metadata, Representation};
pub use request::Request;
pub use response::Response;
pub use status::{STATUSES, Status};
pub use transmit::{Body, Sent, Transmit};
pub use want::{Ticket, Want};
