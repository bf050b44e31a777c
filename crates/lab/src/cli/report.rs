//! `zerohttpd report`: the arguments.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::report::{compare, redraw};

/// The arguments.
#[derive(Args)]
#[command(after_help = "With one folder, report.html is written again and its table is printed. \
    With two, every\nsetting that differs is named, and each number of the second is shown as a \
    multiple of the\nfirst, with a note on whether the difference exceeds the noise.")]
pub struct ReportArgs {
    /// The folder of a bench, which has its results.json
    folder: PathBuf,
    /// A second bench to compare with it
    other: Option<PathBuf>,
}

/// Draws a report again, or compares two benches.
///
/// # Errors
///
/// A folder has no results, or the page can't be written.
pub fn run(args: &ReportArgs) -> Result<ExitCode, String> {
    match &args.other {
        None => redraw(&args.folder),
        Some(other) => compare(&args.folder, other),
    }
    .map(|()| ExitCode::SUCCESS)
}
