//! Request methods (RFC 9110 §9).

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// RFC 9110 §9.3.1.
    Get,
    /// RFC 9110 §9.3.2. The protocol leaves out the body of the response.
    Head,
    /// RFC 9110 §9.3.3.
    Post,
    /// RFC 9110 §9.3.7.
    Options,
    /// A common method that the server does not allow: PUT, DELETE, PATCH.
    NotAllowed,
    /// A method that the server does not implement, such as CONNECT or TRACE.
    Unknown,
}

impl Method {
    pub(super) fn of(name: &str) -> Method {
        match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "OPTIONS" => Method::Options,
            "PUT" | "DELETE" | "PATCH" => Method::NotAllowed,
            _ => Method::Unknown,
        }
    }
}
