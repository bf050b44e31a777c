//! Changes to a running server: reloads, upgrades, passed sockets, privileges, and notifications to
//! the service manager.

#[path = "../support/mod.rs"]
mod support;

mod activation;
mod releases;
mod reload;
mod replaced;
mod rights;
mod upgrade;

fn main() -> std::process::ExitCode {
    support::cases::run(Vec::new()).exit_code()
}
