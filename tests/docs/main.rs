//! The documents: their commands are run and print the output that is shown, and their examples
//! work.

#[path = "../support/mod.rs"]
mod support;

mod adding;
mod examples;
mod rules;
mod sessions;
mod unrun;
