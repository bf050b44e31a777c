//! What a server reports: the access log, and metrics in the Prometheus format.

pub mod access_log;
pub mod metrics;
