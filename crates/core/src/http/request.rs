//! A request as an application sees it.

use super::fields::Field;
use super::head::RequestHead;
use super::method::Method;

/// The head of a request, as spans of the input.
#[derive(Clone, Copy, Debug)]
pub struct Request<'h> {
    head: &'h RequestHead,
    text: &'h [u8],
}

impl<'h> Request<'h> {
    /// The request that begins with `text`.
    pub(crate) fn new(head: &'h RequestHead, text: &'h [u8]) -> Request<'h> {
        Request { head, text: &text[..head.len] }
    }

    /// The method.
    pub fn method(self) -> Method {
        self.head.method
    }

    /// The path of the target, such as `/a%20b`: still percent-encoded, each escape well formed.
    /// `*` if OPTIONS asks about the server as a whole.
    pub fn path(self) -> &'h [u8] {
        self.head.target.path.of(self.text)
    }

    /// The text after the `?` of the target, as the client sent it: any bytes except controls,
    /// spaces and `#`.
    pub fn query(self) -> Option<&'h [u8]> {
        self.head.target.query.map(|query| query.of(self.text))
    }

    /// The values of all fields of that name. The head is read again for each call, so this is for
    /// fields that few requests have.
    pub fn values(self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.head.values(self.text, name)
    }

    /// The value of a field, if the request has it.
    pub(crate) fn field(self, field: Field) -> Option<&'h [u8]> {
        self.head.field(self.text, field)
    }

    /// Whether the request has a condition or a range.
    pub(crate) fn is_conditional(self) -> bool {
        self.head.is_conditional
    }

    /// Whether the request says which content codings the client accepts.
    pub(crate) fn has_accept_encoding(self) -> bool {
        self.head.has_accept_encoding
    }

    /// Whether the body of the request has a content coding.
    pub(crate) fn has_content_coding(self) -> bool {
        self.head.has_content_coding
    }
}
