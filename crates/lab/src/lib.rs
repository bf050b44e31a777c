//! The laboratory measures servers. It treats each server, ours or another, as a process to
//! connect to. Nothing in this crate depends on the sources of ours.
//!
//! Four modules are commands. `bench` runs `load` as a separate process and reads the JSON that it
//! prints.
//!
//! ```text
//!   doctor   what on this machine would spoil a measurement, and the command that fixes it
//!   load     a load on any server: threads with a loop each, what they count, a verdict
//!   bench    starts each server, puts loads on it, judges each run, keeps results.json
//!   report   results.json as tables, plots and sentences; how two benches compare
//! ```
//!
//! Each module imports only from those in the lines below its own:
//!
//! ```text
//!   cli                      the command line; no other module uses clap
//!   bench  doctor            bench runs load as a process, and report draws what it measured
//!   load    report           load has a verdict on itself; report reads results and statistics
//!   verdict                  what limited a measurement: of a load, and of a run among results
//!   results                  results.json
//!   finding failure knobs    sentences of a verdict; kinds of failed requests; options to vary
//!   host text console        the machine and its processes; numbers in words; standard output
//!   statistics architecture  what is noise; names and kinds of the server's architectures
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
