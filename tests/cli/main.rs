//! The command line: what it says when it is mistyped, its help, its manual and its completions.

#[path = "../support/mod.rs"]
mod support;

mod completions;
mod help;
mod manual;
mod meant;
mod mistakes;
mod rows;
