//! Status codes (RFC 9110 §15, RFC 6585).

/// A status code that this server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(u16);

#[expect(missing_docs, reason = "RFC 9110 names and explains them")]
impl Status {
    pub const OK: Status = Status(200);
    pub const NO_CONTENT: Status = Status(204);
    pub const PARTIAL_CONTENT: Status = Status(206);
    pub const MOVED_PERMANENTLY: Status = Status(301);
    pub const SEE_OTHER: Status = Status(303);
    pub const NOT_MODIFIED: Status = Status(304);
    pub const BAD_REQUEST: Status = Status(400);
    pub const FORBIDDEN: Status = Status(403);
    pub const NOT_FOUND: Status = Status(404);
    pub const METHOD_NOT_ALLOWED: Status = Status(405);
    pub const REQUEST_TIMEOUT: Status = Status(408);
    pub const PRECONDITION_FAILED: Status = Status(412);
    pub const CONTENT_TOO_LARGE: Status = Status(413);
    pub const URI_TOO_LONG: Status = Status(414);
    pub const UNSUPPORTED_MEDIA_TYPE: Status = Status(415);
    pub const RANGE_NOT_SATISFIABLE: Status = Status(416);
    pub const EXPECTATION_FAILED: Status = Status(417);
    pub const REQUEST_HEADER_FIELDS_TOO_LARGE: Status = Status(431);
    pub const INTERNAL_SERVER_ERROR: Status = Status(500);
    pub const NOT_IMPLEMENTED: Status = Status(501);
    pub const SERVICE_UNAVAILABLE: Status = Status(503);
    pub const HTTP_VERSION_NOT_SUPPORTED: Status = Status(505);
}

impl Status {
    /// The number, such as 200.
    pub fn code(self) -> u16 {
        self.0
    }

    /// The reason phrase, as RFC 9110 §15 and RFC 6585 name it.
    pub fn reason(self) -> &'static str {
        match self.0 {
            200 => "OK",
            204 => "No Content",
            206 => "Partial Content",
            301 => "Moved Permanently",
            303 => "See Other",
            304 => "Not Modified",
            400 => "Bad Request",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            412 => "Precondition Failed",
            413 => "Content Too Large",
            414 => "URI Too Long",
            415 => "Unsupported Media Type",
            416 => "Range Not Satisfiable",
            417 => "Expectation Failed",
            431 => "Request Header Fields Too Large",
            501 => "Not Implemented",
            503 => "Service Unavailable",
            505 => "HTTP Version Not Supported",
            _ => "Internal Server Error",
        }
    }
}

/// All codes in ascending order, for counting responses.
pub const STATUSES: [u16; 22] = [
    200, 204, 206, 301, 303, 304, 400, 403, 404, 405, 408, 412, 413, 414, 415, 416, 417, 431, 500,
    501, 503, 505,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_that_has_a_name_is_listed() {
        let other = Status(599).reason();
        let named = |code: &u16| *code == 500 || Status(*code).reason() != other;
        assert!((100..600).filter(named).eq(STATUSES));
    }
}
