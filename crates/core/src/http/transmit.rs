//! Transmits: what a connection sends, and how sending ended.

use alloc::vec::Vec;

use super::close_reason::CloseReason;

/// Data to send: bytes first, then a piece of a file.
#[derive(Debug)]
pub struct Transmit<A> {
    /// The head of a response, then the rendered part of its body: one buffer is cheaper to send
    /// than two. In a later transmit of the same response, there is no head, and this buffer has
    /// only bytes of the body, if any.
    pub head: Vec<u8>,
    /// A piece of a file, sent after `head`.
    pub body: Body<A>,
    /// How many bytes of the same response follow in later transmits. If there are any, a driver
    /// can set `MSG_MORE` to keep packets full.
    pub rest: u64,
}

/// The part of a [`Transmit`] after its head.
#[derive(Debug)]
pub enum Body<A> {
    /// Nothing.
    None,
    /// The bytes `from..to` of a file.
    File {
        /// The file, as the driver opened it.
        asset: A,
        /// Offset of the first byte.
        from: u64,
        /// Offset after the last byte.
        to: u64,
    },
}

impl<A> Body<A> {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Body::None => 0,
            Body::File { from, to, .. } => to - from,
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The result of sending a [`Transmit`]. If the kernel did not take every byte, the number says how
/// many bytes it took, of head and body together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The kernel took every byte.
    Whole,
    /// The file was shorter than its metadata said, so the response can't be completed.
    Short(u64),
    /// The client reset the connection, or vanished.
    Failed(u64),
    /// The deadline passed before the client had taken every byte.
    Late(u64),
}

impl Sent {
    /// Why a response with this result ends its connection.
    pub(super) fn reason(self) -> CloseReason {
        match self {
            Sent::Whole => CloseReason::Done,
            Sent::Short(_) => CloseReason::Truncated,
            Sent::Failed(_) => CloseReason::HungUp,
            Sent::Late(_) => CloseReason::TooSlow,
        }
    }

    /// How many bytes of an incomplete response the kernel took.
    pub(super) fn bytes(self) -> u64 {
        match self {
            Sent::Whole => 0,
            Sent::Short(bytes) | Sent::Failed(bytes) | Sent::Late(bytes) => bytes,
        }
    }
}
