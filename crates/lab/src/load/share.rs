//! The clients and requests of one thread.

/// The clients and requests of one thread.
#[derive(Clone, Copy)]
pub struct ThreadShare {
    /// The number of the thread, from 0.
    pub thread: usize,
    /// How many clients it has.
    pub clients: usize,
    /// The number of its first client.
    pub first: u32,
    /// How many requests it makes, if that is bounded.
    pub requests: Option<u64>,
}
