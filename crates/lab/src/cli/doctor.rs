//! `zerohttpd doctor`: the arguments.

use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Args, Parser};

use super::bench::BenchArgs;
use crate::architecture::Architecture;
use crate::bench::agreement;
use crate::console::INTERRUPTED;
use crate::doctor::doctor;
use crate::report::agreement::Agreement;

/// The arguments.
#[derive(Args)]
#[command(
    after_help = "The doctor changes nothing. It measures one server under several names, which \
    shows how much this\nmachine varies now, and takes about ten seconds; with --quick it takes \
    one. Exit status: 0 if\nnothing would spoil a measurement, 1 if something would; notes do not \
    count."
)]
pub struct DoctorArgs {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// Do not measure how much this machine varies
    #[arg(long)]
    quick: bool,
}

/// A bench that shows how much the machine varies.
#[derive(Parser)]
struct AgreementBench {
    #[command(flatten)]
    bench: BenchArgs,
}

/// The measured time of a run, and its warm-up: three rounds of four names take ten seconds.
const RUN_S: f64 = 0.3;
const WARM_UP_S: f64 = 0.1;

/// Inspects this machine and prints the findings.
///
/// # Errors
///
/// Standard output can't be written to.
pub fn run(args: &DoctorArgs, architectures: &[Architecture]) -> Result<ExitCode, String> {
    if args.quick {
        return doctor(args.json, None);
    }
    match measure(architectures) {
        Ok(None) => Ok(ExitCode::from(INTERRUPTED)),
        Ok(Some(agreement)) => doctor(args.json, Some(Ok(agreement))),
        Err(text) => doctor(args.json, Some(Err(text))),
    }
}

/// Measures how far the runs of one server agree. Returns none if Ctrl-C ended the bench.
fn measure(architectures: &[Architecture]) -> Result<Option<Agreement>, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("can't make a folder: {error}"))?;
    let words = ["bench", "--aa"];
    let line = AgreementBench::try_parse_from(words).map_err(|error| error.to_string())?;
    let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let mut plan = line.bench.into_plan(architectures, &started, 1)?;
    plan.out = folder.path().to_owned();
    (plan.settings.seconds, plan.settings.warm_up_s) = (RUN_S, WARM_UP_S);
    agreement(&plan, started)
}
