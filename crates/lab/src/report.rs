//! The report, drawn from results.json alone, so that it can be drawn again at any time, even by a
//! later version.

pub mod agreement;
pub mod style;
pub mod table;

mod choice;
mod compare;
mod details;
mod measure;
mod page;
mod plot;
pub mod ranking;
mod scale;
pub mod words;

#[cfg(test)]
pub mod samples;

use std::path::Path;
use std::{fs, io};

use crate::console::print;
use crate::results::{FILE, Results};
use crate::text::wrap::wrapped;
use ranking::Row;
use style::style_of;
use table::averaged;

/// The file name of the page.
const PAGE: &str = "report.html";

/// Draws a report again.
///
/// # Errors
///
/// The folder has no results, or the page can't be written.
pub fn redraw(folder: &Path) -> Result<(), String> {
    write(&Results::load(folder)?, folder)
}

/// Compares two benches, by their folders.
///
/// # Errors
///
/// A folder has no results.
pub fn compare(first: &Path, second: &Path) -> Result<(), String> {
    let (first, second) = (Results::load(first)?, Results::load(second)?);
    show(&compare::compare(&first, &second, style_of(&io::stdout())))
}

/// Writes the page into a folder, and prints the table.
///
/// # Errors
///
/// The page can't be written.
pub fn write(results: &Results, folder: &Path) -> Result<(), String> {
    let file = folder.join(PAGE);
    let written = fs::write(&file, page::page(results).into_string())
        .map_err(|error| format!("can't write {}: {error}", file.display()));
    let interrupted = if results.was_interrupted { "stopped early; " } else { "" };
    let style = style_of(&io::stdout());
    let rows = Row::all(results);
    let sentences =
        [words::answers(results, &rows), words::remarks(&rows), words::certainty(results, &rows)]
            .concat();
    let sentences = sentences.iter().map(|sentence| wrapped(sentence, style.width, 2) + "\n");
    let text = format!(
        "{}\n\n{}\n{}\n{}\n",
        wrapped(&heading(results), style.width, 2),
        table::throughput(results, style),
        table::legend(results, style),
        sentences.collect::<String>()
    );
    let files = match &written {
        Ok(()) => format!("{interrupted}in {}: {PAGE}, {FILE}\n", folder.display()),
        Err(_) => String::new(),
    };
    show(&(text + &files))?;
    written
}

fn heading(results: &Results) -> String {
    let settings = &results.settings;
    let kept =
        if settings.keep_alive { "connections kept alive" } else { "one connection per request" };
    format!(
        "{}, {kept}, profile {}, store {}: requests a second, {} of {} s",
        settings.path,
        settings.profile,
        settings.store,
        averaged(results),
        settings.seconds
    )
}

fn show(text: &str) -> Result<(), String> {
    print(text).map_err(|error| format!("can't show the report: {error}"))
}
