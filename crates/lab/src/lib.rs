//! The laboratory measures servers. To it, each server, ZeroHTTPd or another, is a process that it
//! connects to. Nothing in this crate depends on the sources of ZeroHTTPd.
//!
//! Four modules are commands. `bench` runs `load` as a separate process and reads the JSON that it
//! prints.
//!
//! ```text
//!   doctor   what on this machine would spoil a measurement, and the command that fixes it
//!   load     puts load on any server: threads with a loop each, their counts, a verdict
//!   bench    starts each server, puts loads on it, judges each run, keeps results.json
//!   report   results.json as tables, plots and sentences; how two benches compare
//! ```
//!
//! Each module imports only from those in the lines below its own:
//!
//! ```text
//!   cli                      the command line; no other module uses clap
//!   bench  doctor            bench runs load as a process; report draws its results
//!   load    report           load judges what it measured; report reads results and statistics
//!   verdict                  what limited a measurement: a load, or a run of the bench
//!   results                  results.json
//!   finding failure knobs    sentences of a verdict; kinds of failed requests; options to vary
//!   host text console        the machine and its processes; numbers in words; standard output
//!   statistics architecture  which differences exceed the noise; architectures and their kinds
//! ```

mod architecture;
mod bench;
mod cli;
mod console;
mod doctor;
mod failure;
mod finding;
mod host;
mod knobs;
mod load;
mod report;
mod results;
mod statistics;
mod text;
mod verdict;

pub use architecture::{Architecture, Scaling};
pub use cli::{Command, run};
