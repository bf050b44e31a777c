//! Clients that are slow on purpose, in the three ways that have names: Slowloris, R-U-Dead-Yet and
//! slow read.

#[path = "../support/mod.rs"]
mod support;

mod crowd;
mod slowhttptest;
