//! The thresholds that the verdicts of a load and of a run share.

/// A processor or thread that is busy for this share of the time has none to spare.
pub const BUSY: f64 = 0.9;

/// A thread that waits for a core for this share of the time has to share it with other threads,
/// which changes what is measured.
pub const SHARED: f64 = 0.1;

/// If no core was idle and other processes used at least this many cores, they were the limit.
pub const OTHERS_LIMIT: f64 = 0.3;

/// If a larger share of requests failed, the rate says nothing about the server: failing can be
/// quicker than answering.
pub const FAILED: f64 = 0.001;

/// If the accept queue holds this share of the clients on average, clients wait for workers.
pub const QUEUED: f64 = 0.05;

/// A server that can open only this many more descriptors accepts no clients.
pub const NO_DESCRIPTORS: u64 = 2;
