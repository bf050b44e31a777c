//! What a client is told whose address has as many connections as it may have.

use alloc::vec::Vec;

use super::{Answer, App, Content};
use crate::http::refusal::Refusal;
use crate::http::response::{Persistence, Status};
use crate::moment::Moment;

const CROWDED: Refusal = Refusal::closing(
    Status::SERVICE_UNAVAILABLE,
    "Your address has as many connections to this server as one may have. Please close some.",
);

/// An answer, head and page, to whatever a client may ask on a connection that is one too many: it
/// says so, and when to come again, and ends the connection.
pub fn crowded(app: &App, now: Moment) -> Vec<u8> {
    let answer = Answer::<()>::refusal(CROWDED, app, now);
    let mut bytes = answer.head.finish(Persistence::Ends);
    if let Content::Page(page) = answer.body {
        bytes.extend(page);
    }
    bytes
}
