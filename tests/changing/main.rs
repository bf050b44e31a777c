//! A server that changes while it serves: it looks at its files anew, lets a new version take over,
//! is given its sockets and its rights, and says how it fares.

#[path = "../support/mod.rs"]
mod support;

mod activation;
mod reload;
mod rights;
mod succession;
