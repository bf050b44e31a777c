//! The laboratory: what measures servers. It meets one, of ours or of another make, only as a
//! process that it can connect to, so nothing here knows anything of how ours is made.
//!
//! ```text
//!   doctor   what on this machine would spoil a measurement
//!   bench    ──► starts each server ──► load, a process of its own ──► verdict ──► results.json
//!   report   ◄── results.json: tables, plots, and how two benches compare
//! ```

mod bench;
mod cores;
mod doctor;
mod knobs;
mod limit;
mod listening;
mod load;
mod machine;
mod proc;
mod report;
mod results;
mod statistics;
mod verdict;

use std::process::ExitCode;

use clap::Subcommand;

/// What the laboratory can do.
#[derive(Subcommand)]
pub enum Command {
    /// Say what on this machine would spoil a measurement, and the command that mends it
    Doctor(doctor::DoctorArgs),
    /// Load a server with many clients at once, and say what it could do and what limited it
    Load(load::cli::LoadArgs),
    /// Measure all architectures, and peers, under more and more clients; says what limited each
    Bench(bench::cli::BenchArgs),
    /// Draw the report of a bench again, or compare two
    Report(report::ReportArgs),
}

/// Does it.
///
/// # Errors
///
/// A line that says what is wrong.
pub fn run(command: Command) -> Result<ExitCode, String> {
    match command {
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Load(args) => load::cli::load(args),
        Command::Bench(args) => bench::bench(args),
        Command::Report(args) => report::report(&args).map(|()| ExitCode::SUCCESS),
    }
}
