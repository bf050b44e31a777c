//! The rules of the house, read off the sources: what the design promises of their shape.

#[path = "../support/mod.rs"]
mod support;

mod layers;
mod readers;
mod sources;
mod style;
