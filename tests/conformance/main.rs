//! Every architecture on every kind of store gives clients the same answers.

#[path = "../support/mod.rs"]
mod support;

mod caching;
mod changes;
mod files;
mod links;
mod listings;
mod scripts;
mod types;
mod versions;

fn main() -> std::process::ExitCode {
    support::cases::run(scripts::trials()).exit_code()
}
