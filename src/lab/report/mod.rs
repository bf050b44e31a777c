//! The report: drawn from results and nothing else, so that it can be drawn again at any time, by a
//! later version too.

pub mod table;

mod compare;
mod details;
mod page;
mod plot;
mod scale;
mod standing;
mod words;

#[cfg(test)]
mod samples;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::results::{FILE, Results};
use table::Style;

/// The name of the page.
const PAGE: &str = "report.html";

/// What to draw.
#[derive(Args)]
#[command(after_help = "With one folder, its report.html is written anew and its table is shown. \
    With two, they are\ncompared: how much of each number of the first is that of the second, and \
    whether the difference\nis more than the noise of both.")]
pub struct ReportArgs {
    /// The folder of a bench, with its results.json
    folder: PathBuf,
    /// Another, to be compared with it
    other: Option<PathBuf>,
}

/// Draws a report again, or compares two.
///
/// # Errors
///
/// A folder has no results, or the page can't be written.
pub fn report(args: &ReportArgs) -> Result<(), String> {
    let results = Results::load(&args.folder)?;
    match &args.other {
        None => write(&results, &args.folder),
        Some(other) => show(&compare::compare(&results, &Results::load(other)?, style())),
    }
}

/// Writes the page into a folder, and shows the table.
///
/// # Errors
///
/// The page can't be written.
pub fn write(results: &Results, folder: &Path) -> Result<(), String> {
    let file = folder.join(PAGE);
    fs::write(&file, page::page(results).into_string())
        .map_err(|error| format!("can't write {}: {error}", file.display()))?;
    let interrupted = if results.was_interrupted { "stopped before its time; " } else { "" };
    show(&format!(
        "{}\n{}\n{}\n{interrupted}in {}: {PAGE}, {FILE}\n",
        heading(results),
        table::throughput(results, style()),
        table::legend(results),
        folder.display()
    ))
}

fn heading(results: &Results) -> String {
    let settings = &results.settings;
    let kept = if settings.keep_alive { "kept alive" } else { "a connection a request" };
    format!(
        "{}, {kept}, profile {}, store {}: requests a second, {} of {} s\n",
        settings.path,
        settings.profile,
        settings.store,
        median(settings.rounds),
        settings.seconds
    )
}

/// What is shown of so many rounds.
fn median(rounds: usize) -> String {
    if rounds == 1 { "one round".into() } else { format!("the median of {rounds} rounds") }
}

fn style() -> Style {
    if io::stdout().is_terminal() { Style::Terminal } else { Style::Plain }
}

fn show(text: &str) -> Result<(), String> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Who reads the first lines only has what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        shown => shown.map_err(|error| format!("can't show the report: {error}")),
    }
}
