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
    /// `Content-Type`, `Last-Modified`, `ETag`: written once, sent with each answer.
    fields: Vec<u8>,
}

impl Facts {
    /// A file of `len` bytes, last changed `modified_unix_s` seconds after 1970. `tag` is its
    /// strong validator (RFC 9110 §8.8.3) without the quotes: hex digits and dashes.
    pub fn new(len: u64, modified_unix_s: u64, tag: &str, content_type: &str) -> Facts {
        debug_assert!(tag.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'));
        let mut fields = Vec::with_capacity(160);
        fields.extend_from_slice(b"Content-Type: ");
        fields.extend_from_slice(content_type.as_bytes());
        fields.extend_from_slice(b"\r\nLast-Modified: ");
        date::append(&mut fields, modified_unix_s);
        fields.extend_from_slice(b"\r\nETag: \"");
        fields.extend_from_slice(tag.as_bytes());
        fields.extend_from_slice(b"\"\r\n");
        Facts { len, fields }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn fields(&self) -> &[u8] {
        &self.fields
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
