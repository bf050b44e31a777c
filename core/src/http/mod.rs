//! HTTP/1.1 and 1.0 on the wire: request heads, body framing, answers.

pub(crate) mod accept;
pub(crate) mod body;
pub(crate) mod conditions;
pub(crate) mod date;
pub(crate) mod encoding;
pub(crate) mod fields;
pub(crate) mod head;
pub(crate) mod range;
pub(crate) mod refusal;
pub(crate) mod response;
pub(crate) mod target;
