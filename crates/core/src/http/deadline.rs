//! Deadlines: how long a connection waits, and for what.

/// The time at which a driver must poll even without a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The time, in milliseconds of [`Now::ms`](crate::Now::ms).
    pub at_ms: u64,
    /// What the connection waits for.
    pub on: Timeout,
}

/// What a [`Deadline`] bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// The first byte of the first request.
    FirstByte,
    /// The first byte of another request: the client is idle.
    KeepAlive,
    /// The rest of a request head.
    Head,
    /// The rest of a request body.
    Body,
    /// A file to be opened, or a folder to be read.
    File,
    /// The store.
    Store,
    /// The delivery of what is being sent to the client.
    Delivery,
    /// The end of the client's input after its last response.
    Linger,
}
