//! The guestbook, as its visitors and redis-cli see it.

#[path = "../support/mod.rs"]
mod support;

mod depth;
mod shared;
mod visits;
mod without;

fn main() -> std::process::ExitCode {
    support::cases::run(Vec::new()).exit_code()
}
