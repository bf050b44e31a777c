//! Clients that are slow on purpose: the attacks Slowloris, R-U-Dead-Yet and slow read.

#[path = "../support/mod.rs"]
mod support;

mod slow_clients;
mod slowhttptest;

fn main() -> std::process::ExitCode {
    support::cases::run(Vec::new()).exit_code()
}
