//! Every architecture on every kind of store gives clients the same answers.

#[path = "../support/mod.rs"]
mod support;

mod caching;
mod changes;
mod encoded_files;
mod files;
mod links;
mod listings;
mod scripts;
mod types;

fn main() -> std::process::ExitCode {
    support::cases::run(scripts::trials()).exit_code()
}
