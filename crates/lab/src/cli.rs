//! The command line of the laboratory: turns options into plans. Only this module uses clap.

mod bench;
mod doctor;
mod load;
mod report;
mod values;

use std::process::ExitCode;

use clap::Subcommand;

use crate::architecture::Architecture;

/// What the laboratory can do.
#[derive(Subcommand)]
pub enum Command {
    /// Report what on this machine would spoil a measurement, and the command that fixes it
    Doctor(doctor::DoctorArgs),
    /// Put load on any HTTP/1.1 server; report its speed and what limited it
    Load(load::LoadArgs),
    /// Measure all architectures, and other servers, under more and more clients
    Bench(bench::BenchArgs),
    /// Redraw the report of a bench, or compare two benches
    Report(report::ReportArgs),
}

/// Runs the command. Bench and doctor can measure all these architectures.
///
/// # Errors
///
/// The command fails; the error is one line for the user.
pub fn run(command: Command, architectures: &[Architecture]) -> Result<ExitCode, String> {
    match command {
        Command::Doctor(args) => doctor::run(&args, architectures),
        Command::Load(args) => load::run(args),
        Command::Bench(args) => bench::run(args, architectures),
        Command::Report(args) => report::run(&args),
    }
}
