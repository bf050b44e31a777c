//! Spans: parts of a request head, by their position.

use crate::limits;

/// The position of a part of a request head, which is shorter than 4 GiB ([`limits::HEAD_BYTES`]).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

const _: () = assert!(limits::HEAD_BYTES <= u32::MAX as usize);

impl Span {
    pub(crate) fn new(start: usize, len: usize) -> Span {
        Span { start: start as u32, len: len as u32 }
    }

    /// The span of `part`, a slice of `whole`.
    pub(super) fn within(whole: &[u8], part: &[u8]) -> Span {
        Span::new(part.as_ptr().addr() - whole.as_ptr().addr(), part.len())
    }

    /// The bytes of this part of `head`.
    pub(crate) fn of(self, head: &[u8]) -> &[u8] {
        &head[self.start()..][..self.len()]
    }

    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    pub(crate) fn len(self) -> usize {
        self.len as usize
    }
}
