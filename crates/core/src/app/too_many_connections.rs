//! The response to a client whose address has reached its limit of connections.

use alloc::vec::Vec;

use super::config::App;
use super::respond;
use crate::http::response::ResponseBody;
use crate::http::response_head::Persistence;
use crate::http::{ErrorResponse, Status};
use crate::now::Now;

const TOO_MANY: ErrorResponse = ErrorResponse::closing(
    Status::SERVICE_UNAVAILABLE,
    "Your address has reached this server's limit of connections per address. Please close some.",
);

/// A whole response, head and page, that closes the connection and says when to try again.
pub fn too_many_connections(app: &App, now: Now) -> Vec<u8> {
    let response = respond::error_page::<()>(TOO_MANY, app, now);
    let mut bytes = response.head.finish(Persistence::Ends);
    if let ResponseBody::Bytes(page) = response.body {
        bytes.extend(page);
    }
    bytes
}
