//! Error responses: the status, and a sentence for the client.

use super::status::Status;

/// An error response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The status.
    pub status: Status,
    /// A sentence for the error page; never anything that the client sent.
    pub why: &'static str,
    /// A field that says what is accepted: `Allow` for 405, `Accept-Encoding` for 415.
    pub field: Option<(&'static str, &'static str)>,
    /// Whether the connection must end, because the end of this request is not certain.
    pub closes: bool,
}

impl ErrorResponse {
    /// An error after which the connection can stay open.
    pub const fn new(status: Status, why: &'static str) -> ErrorResponse {
        ErrorResponse { status, why, field: None, closes: false }
    }

    /// An error that ends the connection.
    pub const fn closing(status: Status, why: &'static str) -> ErrorResponse {
        ErrorResponse { status, why, field: None, closes: true }
    }

    /// A malformed message: 400. It ends the connection, since the end of the message is unknown.
    pub const fn malformed(why: &'static str) -> ErrorResponse {
        ErrorResponse::closing(Status::BAD_REQUEST, why)
    }

    /// 404, without a reason: a hidden file looks like a missing one.
    pub const fn not_found() -> ErrorResponse {
        ErrorResponse::new(Status::NOT_FOUND, "There is no such page here.")
    }

    /// The resource exists, but not for this method (RFC 9110 §15.5.6).
    pub const fn method_not_allowed(allow: &'static str) -> ErrorResponse {
        let why = "This address does not answer that method.";
        ErrorResponse::new(Status::METHOD_NOT_ALLOWED, why).with("Allow", allow)
    }

    /// Adds a field that says what is accepted.
    pub const fn with(self, name: &'static str, value: &'static str) -> ErrorResponse {
        ErrorResponse { field: Some((name, value)), ..self }
    }
}
