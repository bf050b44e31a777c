//! What the core knows of a file: its length, and the fields that describe it.

use alloc::vec::Vec;

use crate::http::date;
use crate::http::encoding::Encoding;
use crate::http::response::{Head, Status};
use crate::moment::Moment;

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
    /// What describes the file, all of it or a part: written once, sent with each answer.
    fields: Vec<u8>,
    /// So many bytes of them say when it was changed.
    date_len: usize,
    /// Another answer may be given to a client that takes other codings.
    varies: bool,
    /// The status of a report; none for a file.
    report: Option<Status>,
}

/// In which of several codings a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coding {
    /// The coding; none if it is as it is.
    pub encoding: Option<Encoding>,
    /// There are others.
    pub varies: bool,
}

impl Facts {
    /// A file of `len` bytes, last changed `modified_unix_s` seconds after 1970. `tag` is its
    /// strong validator (RFC 9110 §8.8.3) without the quotes: hex digits and dashes.
    pub fn new(
        len: u64,
        modified_unix_s: u64,
        tag: &str,
        content_type: &str,
        coding: Coding,
    ) -> Facts {
        debug_assert!(tag.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'));
        // Each coding of a file is another representation, and has a validator of its own.
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
        Facts { len, modified_unix_s, tag, content_type, fields, date_len, varies, report: None }
    }

    /// A report of `len` bytes, made when it is asked for and out of date soon after: it is nothing
    /// to keep, to compare with or to have parts of. One of trouble is answered with 503.
    pub fn report(len: u64, content_type: &str, is_well: bool) -> Facts {
        Facts {
            len,
            modified_unix_s: 0,
            tag: Vec::new(),
            content_type: content_type.as_bytes().to_vec(),
            fields: Vec::new(),
            date_len: 0,
            varies: false,
            report: Some(if is_well { Status::OK } else { Status::SERVICE_UNAVAILABLE }),
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

    /// The status to answer with, of a report.
    pub(crate) fn report_status(&self) -> Option<Status> {
        self.report
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

    /// The fields that describe the file, but for its type. No `Last-Modified` is later than the
    /// `Date` of its answer (RFC 9110 §8.8.2.1): that of a file from the future is left out.
    pub(crate) fn fields(&self, now: Moment) -> &[u8] {
        if self.modified_unix_s > now.unix_s { &self.fields[self.date_len..] } else { &self.fields }
    }

    /// Those of them that a client needs which has the file already (RFC 9110 §15.4.5).
    pub(crate) fn write_not_modified(&self, head: &mut Head) {
        head.field("ETag", &self.tag);
        if self.varies {
            head.lines(VARY);
        }
    }
}

/// Caches must look at this field too (RFC 9110 §12.5.5).
const VARY: &[u8] = b"Vary: Accept-Encoding\r\n";

/// Why a file could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAsset {
    /// There is none, or none that may be shown.
    Missing,
    /// It is a folder, and the path did not end in a slash.
    Folder,
    /// A folder was asked for, and has no index; perhaps there is no such folder either.
    NoIndex,
    /// The machine is short of something, descriptors perhaps; later may be better.
    Busy,
    /// It can't be read.
    Unreadable,
}
