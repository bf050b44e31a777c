//! `zerohttpd bench`, `report` and `doctor` as processes: their files, their output, and that no
//! server outlives them.

#[path = "../support/mod.rs"]
mod support;

// These tests use only a part of this module.
#[allow(dead_code)]
#[path = "../faults/fake.rs"]
mod fake;

mod doctor;
mod ending;
mod failing;
mod peers;
mod results;
mod runs;
mod screen;
mod stopping;
mod terminal;
mod verdicts;
