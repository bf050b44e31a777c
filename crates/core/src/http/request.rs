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
    /// `*` where OPTIONS asks about the server as a whole.
    pub fn path(self) -> &'h [u8] {
        self.head.target.path.of(self.text)
    }

    /// The text after the `?` of the target, as the client sent it: any bytes but controls, spaces
    /// and `#`.
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

    /// Whether it has a condition or a range.
    pub(crate) fn is_conditional(self) -> bool {
        self.head.is_conditional
    }

    /// Whether it says which codings the client accepts.
    pub(crate) fn names_encodings(self) -> bool {
        self.head.names_encodings
    }

    /// Whether its body has a content coding.
    pub(crate) fn is_coded(self) -> bool {
        self.head.is_coded
    }
}
