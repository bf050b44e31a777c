//! What the core knows of a file: its length, and the fields that describe it.

use alloc::vec::Vec;

use crate::http::date;

/// A driver's handle to an open file.
pub trait Asset {
    /// What there is to say of it.
    fn facts(&self) -> &Facts;
}

/// What there is to say of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    len: u64,
    modified_unix_s: u64,
    /// The validator, in its quotes.
    tag: Vec<u8>,
    content_type: Vec<u8>,
    /// `Last-Modified`, `ETag`, `Accept-Ranges`, `Content-Type`: written once, sent with each answer.
    fields: Vec<u8>,
    /// The length of the first three of them.
    validators: usize,
}

impl Facts {
    /// A file of `len` bytes, last changed `modified_unix_s` seconds after 1970. `tag` is its
    /// strong validator (RFC 9110 §8.8.3) without the quotes: hex digits and dashes.
    pub fn new(len: u64, modified_unix_s: u64, tag: &str, content_type: &str) -> Facts {
        debug_assert!(tag.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'));
        let tag = [b"\"", tag.as_bytes(), b"\""].concat();
        let mut fields = Vec::with_capacity(192);
        fields.extend_from_slice(b"Last-Modified: ");
        date::append(&mut fields, modified_unix_s);
        fields.extend_from_slice(b"\r\nETag: ");
        fields.extend_from_slice(&tag);
        fields.extend_from_slice(b"\r\nAccept-Ranges: bytes\r\n");
        let validators = fields.len();
        fields.extend_from_slice(b"Content-Type: ");
        fields.extend_from_slice(content_type.as_bytes());
        fields.extend_from_slice(b"\r\n");
        let content_type = content_type.as_bytes().to_vec();
        Facts { len, modified_unix_s, tag, content_type, fields, validators }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn modified_unix_s(&self) -> u64 {
        self.modified_unix_s
    }

    /// The validator, in its quotes.
    pub(crate) fn tag(&self) -> &[u8] {
        &self.tag
    }

    pub(crate) fn content_type(&self) -> &[u8] {
        &self.content_type
    }

    /// All fields that describe the file.
    pub(crate) fn fields(&self) -> &[u8] {
        &self.fields
    }

    /// Those of them that hold for a part of it too.
    pub(crate) fn validators(&self) -> &[u8] {
        &self.fields[..self.validators]
    }
}

/// Why a file could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAsset {
    /// There is none, or none that may be shown.
    Missing,
    /// It is a folder, and the path did not end in a slash.
    Folder,
    /// The machine is short of something, descriptors perhaps; later may be better.
    Busy,
    /// It can't be read.
    Unreadable,
}
