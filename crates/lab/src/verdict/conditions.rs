//! The conditions of a run, as far as its verdict depends on them.

/// The conditions of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// The number of clients.
    pub clients: usize,
    /// The rate of an open loop, in requests per second; none for a closed loop.
    pub rate_per_s: Option<f64>,
    /// How many cores the bench gave to the server. Used only if the observed number is missing.
    pub server_cores: usize,
    /// How many clients the server can have at once, if a limit is known.
    pub pool: Option<usize>,
    /// Whether the requested path needs the store.
    pub uses_store: bool,
}
