//! Metrics and health of a server, and its limits on the number of clients.

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod admission;
mod counters;
mod exposition;
mod gauges;
mod titles;

fn main() -> std::process::ExitCode {
    support::cases::run(Vec::new()).exit_code()
}
