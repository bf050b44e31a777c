//! The thresholds that all comparisons have in common.

/// A smaller ratio than this is never reported as a difference.
pub const LEAST_RATIO: f64 = 1.02;

/// The nominal error rate of a row. The actual one is about a percentage point higher with three
/// rounds, because the server that is set aside is chosen from the data.
pub const LEVEL: f64 = 0.04;
