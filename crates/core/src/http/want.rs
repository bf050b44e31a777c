//! What a connection wants next.

use alloc::boxed::Box;

use super::access_record::CutShort;
use super::close_reason::CloseReason;
use super::transmit::Transmit;

/// What a [`Connection`](super::Connection) wants next: always exactly one thing.
///
/// `F` is the driver's handle to an open file, and `O` an
/// [operation](super::Application::Operation) of the application. The protocol only passes them on.
#[derive(Debug)]
#[must_use]
pub enum Want<F, O> {
    /// Read from the client: report with `received`.
    Read,
    /// Perform an operation of the application: report with `completed`, under the same ticket.
    Perform(Ticket, O),
    /// Send data. The driver owns the data until it gives it back with `sent`.
    Send(Transmit<F>),
    /// Shut the sending side, so that the client sees the end while the server still reads.
    Shutdown,
    /// Look whether the socket has unread input: report with `peeked`. Closing a socket with unread
    /// input resets the connection, and the reset can overtake the last response (RFC 9112 §9.6).
    Peek,
    /// Close the connection, and log the response that this cuts short. Nothing else follows.
    Close(CloseReason, Option<Box<CutShort>>),
    /// Do nothing new: the driver has not yet reported on the previous want.
    Wait,
}

/// Identifies an operation, so that a late report on an earlier operation can be ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub(super) u32);
