//! Why an answer is not HTTP/1.1.

/// The reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);
