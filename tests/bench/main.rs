//! The bench, the report and the doctor, as processes: what they leave in their folder, what they
//! say, and that no server outlives them.

#[path = "../support/mod.rs"]
mod support;

// Not all that it can do is needed here.
#[allow(dead_code)]
#[path = "../faults/fake.rs"]
mod fake;

mod doctor;
mod known;
mod results;
mod runs;
mod stopping;
