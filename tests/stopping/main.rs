//! How a server ends, why one does not start, and what it writes down in between.

#[path = "../support/mod.rs"]
mod support;

mod log;
mod signals;
mod startup;
