//! Items of a list, collected for a reply and cached for the next client that asks for the same
//! range.

use zerohttpd_core::limits;

/// Items for a reply.
#[derive(Default)]
pub(super) struct Items {
    /// The bytes of all items, in the order in which they were added.
    bytes: Vec<u8>,
    /// Where each item ends in `bytes`.
    ends: Vec<usize>,
    /// Whether the items are added from the tail of the list to the head.
    is_reversed: bool,
}

impl Items {
    /// An empty collection. With `is_reversed`, items will be added from the tail of the list to
    /// the head.
    pub(super) fn new(is_reversed: bool) -> Items {
        Items { is_reversed, ..Items::default() }
    }

    /// Adds an item. Returns false once the reply is longer than the server
    /// [accepts](limits::STORE_VALUE_BYTES).
    pub(super) fn push(&mut self, item: &[u8]) -> bool {
        self.bytes.extend_from_slice(item);
        self.ends.push(self.bytes.len());
        !self.overflows()
    }

    /// Whether the reply would be too long. If so, some items may be missing.
    pub(super) fn overflows(&self) -> bool {
        /// The bytes around an item, at most `$4194304` and two line ends.
        const FRAME_BYTES: usize = 12;
        self.bytes.len() + FRAME_BYTES * (self.ends.len() + 1) > limits::STORE_VALUE_BYTES
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Calls `each` with the items, from head to tail.
    pub(super) fn each(&self, mut each: impl FnMut(&[u8])) {
        for i in 0..self.ends.len() {
            let i = if self.is_reversed { self.ends.len() - 1 - i } else { i };
            let start = if i == 0 { 0 } else { self.ends[i - 1] };
            each(&self.bytes[start..self.ends[i]]);
        }
    }
}

/// A range of a list that was read in this batch: most clients of a batch read the same page.
pub(super) struct ListPage {
    pub(super) list: Vec<u8>,
    /// The start and stop of the request.
    pub(super) range: (i64, i64),
    pub(super) items: Items,
}
