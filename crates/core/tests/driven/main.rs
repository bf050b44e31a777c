//! Tests that drive the core as an architecture does: every conformance script, cut at every byte,
//! with a clock and a store that the tests control.

mod client;
mod clock;
mod completion;
mod deadlines;
mod endings;
mod files;
mod guestbook;
mod half_close;
mod limits;
mod listings;
mod reports;
#[path = "../../../../tests/support/script.rs"]
mod script;
mod script_tests;
mod scripts;
mod smallest;
mod splits;
mod world;
