//! Access records: what a driver logs and counts for each response.

use alloc::boxed::Box;

use crate::now::Now;

/// The record of a response that was sent.
#[derive(Clone, Copy, Debug)]
pub struct AccessRecord<'a> {
    /// The request line as the client sent it, without its line end: any bytes. Empty if the client
    /// sent no line.
    pub request_line: &'a [u8],
    /// The status code, such as 200.
    pub status: u16,
    /// Bytes of the body that the kernel took.
    pub body_bytes: u64,
    /// When the request's head was complete.
    pub started: Now,
}

/// A response that the end of its connection cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutShort {
    request_line: Box<[u8]>,
    status: u16,
    body_bytes: u64,
    started: Now,
}

impl CutShort {
    /// Copies the record of the response as far as it was sent.
    pub(super) fn new(record: AccessRecord<'_>) -> Box<CutShort> {
        Box::new(CutShort {
            request_line: record.request_line.into(),
            status: record.status,
            body_bytes: record.body_bytes,
            started: record.started,
        })
    }

    /// The record of the response as far as it was sent.
    pub fn record(&self) -> AccessRecord<'_> {
        AccessRecord {
            request_line: &self.request_line,
            status: self.status,
            body_bytes: self.body_bytes,
            started: self.started,
        }
    }
}
