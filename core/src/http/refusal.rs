//! Why a request is not served: the status, and a sentence for the person who sent it.

use super::response::Status;

/// A request refused. It says whose fault it is by its status, and carries its own explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    /// A sentence for the error page; never anything that the client sent.
    pub(crate) why: &'static str,
    /// A field that says what would have been served: `Allow` for 405, `Accept-Encoding` for 415.
    pub(crate) field: Option<(&'static str, &'static str)>,
    /// The connection can't go on: what follows in it can't be told from this request.
    pub(crate) close: bool,
}

impl Refusal {
    /// A refusal after which the connection goes on.
    pub(crate) const fn new(status: Status, why: &'static str) -> Refusal {
        Refusal { status, why, field: None, close: false }
    }

    /// A refusal that ends the connection.
    pub(crate) const fn closing(status: Status, why: &'static str) -> Refusal {
        Refusal { status, why, field: None, close: true }
    }

    /// A malformed message: 400, and nothing after it can be trusted.
    pub(crate) const fn malformed(why: &'static str) -> Refusal {
        Refusal::closing(Status::BAD_REQUEST, why)
    }

    /// There is nothing to serve there; the page does not say why not.
    pub(crate) const fn not_found() -> Refusal {
        Refusal::new(Status::NOT_FOUND, "There is no such page here.")
    }

    /// The resource exists, but not for this method (RFC 9110 §15.5.6).
    pub(crate) const fn method(allow: &'static str) -> Refusal {
        let why = "This address does not answer that method.";
        Refusal::new(Status::METHOD_NOT_ALLOWED, why).with("Allow", allow)
    }

    /// The same with a field that says what would have been served.
    pub(crate) const fn with(self, name: &'static str, value: &'static str) -> Refusal {
        Refusal { field: Some((name, value)), ..self }
    }
}
