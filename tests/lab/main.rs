//! The laboratory, run as its users run it.

#[path = "../support/mod.rs"]
mod support;

mod account;
mod crowds;
mod ending;
mod failures;
mod fake;
mod idle;
mod loops;
mod serving;
