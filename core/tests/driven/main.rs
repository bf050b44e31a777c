//! The core, driven from outside as an architecture drives it: every conformance script, cut at
//! every byte, under a clock and a store that are as unkind as they can be.

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
#[path = "../../../tests/support/script.rs"]
mod script;
mod script_tests;
mod scripts;
mod smallest;
mod splits;
mod world;
