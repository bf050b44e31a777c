//! What the protocol knows about a file: its length, and the fields that describe it.

use alloc::vec::Vec;

use super::date;
use super::encoding::Encoding;
use super::response_head::Head;
use super::status::Status;
use crate::now::Now;

/// A driver's handle to an open file.
pub trait Representation {
    /// The file's metadata.
    fn metadata(&self) -> &Metadata;
}

/// The metadata of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    len: u64,
    modified_unix_s: u64,
    /// The validator, with its quotes.
    tag: Vec<u8>,
    content_type: Vec<u8>,
    /// The fields that describe the file in each response, whole or partial: written only once.
    fields: Vec<u8>,
    /// The length of the line `Last-Modified`, with which `fields` begins.
    date_len: usize,
    /// Whether other codings of the file exist.
    varies: bool,
    /// The status of a generated report, such as the metrics; none for a file.
    report: Option<Status>,
}

/// The coding of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coding {
    /// The coding; none for the plain file.
    pub encoding: Option<Encoding>,
    /// Whether other codings of the file exist.
    pub varies: bool,
}

impl Metadata {
    /// A file of `len` bytes, last changed `modified_unix_s` seconds after 1970. `tag` is its
    /// strong validator (RFC 9110 §8.8.3) without the quotes: hex digits and dashes.
    pub fn new(
        len: u64,
        modified_unix_s: u64,
        tag: &str,
        content_type: &str,
        coding: Coding,
    ) -> Metadata {
        debug_assert!(tag.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'));
        // Each coding is a different representation, so it has a different validator.
        let suffix = match coding.encoding {
            None => "",
            Some(Encoding::Brotli) => "-b",
            Some(Encoding::Zstandard) => "-c",
            Some(Encoding::Gzip) => "-a",
        };
        let tag = ["\"", tag, suffix, "\""].concat().into_bytes();
        let mut fields = Vec::with_capacity(192);
        fields.extend_from_slice(b"Last-Modified: ");
        date::append(&mut fields, modified_unix_s);
        fields.extend_from_slice(b"\r\n");
        let date_len = fields.len();
        fields.extend_from_slice(b"ETag: ");
        fields.extend_from_slice(&tag);
        fields.extend_from_slice(b"\r\nAccept-Ranges: bytes\r\n");
        if let Some(encoding) = coding.encoding {
            fields.extend_from_slice(b"Content-Encoding: ");
            fields.extend_from_slice(encoding.name().as_bytes());
            fields.extend_from_slice(b"\r\n");
        }
        if coding.varies {
            fields.extend_from_slice(VARY);
        }
        let content_type = content_type.as_bytes().to_vec();
        let varies = coding.varies;
        Metadata { len, modified_unix_s, tag, content_type, fields, date_len, varies, report: None }
    }

    /// The metadata of a report of `len` bytes, which is generated for each request: it has no
    /// validator, is not cached and has no ranges. It is sent with 200 if the server is healthy,
    /// else with 503.
    pub fn of_report(len: u64, content_type: &str, is_healthy: bool) -> Metadata {
        Metadata {
            len,
            modified_unix_s: 0,
            tag: Vec::new(),
            content_type: content_type.as_bytes().to_vec(),
            fields: Vec::new(),
            date_len: 0,
            varies: false,
            report: Some(if is_healthy { Status::OK } else { Status::SERVICE_UNAVAILABLE }),
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The status of a report.
    pub(crate) fn report_status(&self) -> Option<Status> {
        self.report
    }

    pub(crate) fn modified_unix_s(&self) -> u64 {
        self.modified_unix_s
    }

    /// The validator, with its quotes.
    pub(crate) fn tag(&self) -> &[u8] {
        &self.tag
    }

    pub(crate) fn content_type(&self) -> &[u8] {
        &self.content_type
    }

    /// The fields that describe the file, except its type. `Last-Modified` must not be later than
    /// `Date` (RFC 9110 §8.8.2.1), so a file with a date in the future has none.
    pub(crate) fn fields(&self, now: Now) -> &[u8] {
        if self.modified_unix_s > now.unix_s { &self.fields[self.date_len..] } else { &self.fields }
    }

    /// Writes the fields that a client with a current copy needs (RFC 9110 §15.4.5).
    pub(crate) fn write_not_modified(&self, head: &mut Head) {
        head.field("ETag", &self.tag);
        if self.varies {
            head.lines(VARY);
        }
    }
}

/// A cache must also compare this field of the request (RFC 9110 §12.5.5).
const VARY: &[u8] = b"Vary: Accept-Encoding\r\n";
