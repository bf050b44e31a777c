//! The progress of a bench: on a terminal, the table of results so far; otherwise a line for each
//! run.

use std::fmt::Write as _;
use std::io::Write;
use std::time::{Duration, Instant};

use rustix::termios::tcgetwinsize;
use zerohttpd_sys::diagnostics::Terminal;
use zerohttpd_sys::say;

use crate::console;
use crate::report::style::style_of;
use crate::report::table;
use crate::results::{Cell, Results, Run};
use crate::text::numbers::{counted, counted_all, percent, thousands};
use crate::verdict::thresholds::FAILED;

/// The progress of a bench.
pub struct BenchProgress {
    is_on_terminal: bool,
    runs: usize,
    done: usize,
    started: Instant,
    /// The width in columns of each line on the terminal that will be overwritten.
    drawn: Vec<usize>,
    /// The description of the current run.
    current_run: String,
}

impl BenchProgress {
    /// The progress before the first run. Prints what will be measured.
    pub fn new(results: &Results) -> BenchProgress {
        let runs = results.cells.len() * results.settings.rounds;
        let progress = BenchProgress {
            is_on_terminal: Terminal::of(&std::io::stderr()).moves_cursor,
            runs,
            done: 0,
            started: Instant::now(),
            drawn: Vec::new(),
            current_run: String::new(),
        };
        say!(
            "zerohttpd: {}, {}, {}: {} of {} s; {}; seed {}",
            counted_all(&results.subjects, "server"),
            counted_all(&results.loads(), "load"),
            counted(results.settings.rounds as u64, "round"),
            counted(runs as u64, "run"),
            results.settings.seconds,
            results.settings.cores_in_words(),
            results.settings.seed
        );
        progress
    }

    /// Adds to the number of runs that were planned.
    pub fn expect_more(&mut self, runs: usize) {
        self.runs += runs;
    }

    /// Shows that a run begins. Attempts after the first repeat a run that was disturbed.
    pub fn begin(&mut self, cell: &Cell, round: usize, attempt: usize) {
        let clients = counted(cell.load.clients as u64, "client");
        self.current_run = format!("{}, {clients}, round {round}", cell.subject);
        if let Some(rate) = cell.load.rate_asked_per_second {
            let _ = write!(self.current_run, ", {rate} requests a second");
        }
        if attempt > 1 {
            self.current_run += ", again because it was disturbed";
        }
        if self.is_on_terminal {
            // The last line is the status line, which changes.
            let mut lines = std::mem::take(&mut self.drawn);
            let last = lines.pop();
            self.erase(last.as_slice());
            self.drawn = lines;
            self.draw(&self.status_line());
        }
    }

    /// Shows the result of a run of the cell with this index.
    pub fn finish_run(&mut self, results: &Results, index: usize) {
        self.done += 1;
        if !self.is_on_terminal {
            let cell = &results.cells[index];
            return match (cell.runs.last(), cell.troubles.last()) {
                (_, Some(trouble)) if last_failed(cell) => {
                    say!("{}/{}  {}: {}", self.done, self.runs, self.current_run, trouble.text);
                }
                (Some(run), _) => {
                    say!(
                        "{}/{}  {}: {}; {}",
                        self.done,
                        self.runs,
                        self.current_run,
                        result_in_words(run),
                        self.time_left()
                    );
                }
                (None, _) => {}
            };
        }
        let table = table::throughput(results, style_of(&std::io::stderr()));
        self.erase_all();
        let table = if fits_terminal(&table) { table + "\n" } else { String::new() };
        self.draw(&format!("{table}{}", self.status_line()));
    }

    /// Erases the table at the end of the bench; the final table follows.
    pub fn end(&mut self) {
        self.erase_all();
    }

    fn status_line(&self) -> String {
        let runs = counted(self.runs as u64, "run");
        format!("{} of {runs}, {}; now {}", self.done, self.time_left(), self.current_run)
    }

    /// How long the remaining runs will take, at the average time of the runs so far.
    fn time_left(&self) -> String {
        let each_s = self.started.elapsed().as_secs_f64() / self.done.max(1) as f64;
        let left_s = each_s * (self.runs - self.done) as f64;
        in_words(Duration::from_secs_f64(left_s))
    }

    /// Draws lines that will be overwritten later. Each line is cut to one row of the terminal,
    /// because the cursor moves up by rows.
    fn draw(&mut self, text: &str) {
        let max_columns = columns().max(2) - 1;
        let lines: Vec<_> = text.lines().map(|line| truncated(line, max_columns)).collect();
        self.drawn.extend(lines.iter().map(|line| width_of(line)));
        self.write(&(lines.join("\n") + "\n"));
    }

    fn erase_all(&mut self) {
        let drawn = std::mem::take(&mut self.drawn);
        if self.is_on_terminal {
            self.erase(&drawn);
        }
    }

    /// Erases the last lines drawn, which had these widths. In a terminal that has become narrower,
    /// each can take several rows.
    fn erase(&self, drawn: &[usize]) {
        let columns = columns().max(1);
        let rows: usize = drawn.iter().map(|width| width.div_ceil(columns).max(1)).sum();
        if rows > 0 {
            // Moves the cursor up by these rows and erases all below (console_codes(4)).
            self.write(&format!("\x1b[{rows}A\r\x1b[J"));
        }
    }

    fn write(&self, text: &str) {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// The result of a run in words: its rate, or the failures if too many requests failed.
fn result_in_words(run: &Run) -> String {
    match run.failures_in_words().filter(|_| run.failed_share() > FAILED) {
        Some(failures) => {
            format!("{} of the requests failed: {failures}", percent(run.failed_share()))
        }
        None => {
            let rate = thousands(run.requests_per_second);
            let limit = run.verdict.first().map_or("", |finding| finding.kind.label());
            format!("{rate} requests a second ({limit})")
        }
    }
}

/// Whether the last attempt at a cell failed.
fn last_failed(cell: &Cell) -> bool {
    let run = cell.runs.last().map_or(0, |run| run.round);
    cell.troubles.last().is_some_and(|trouble| trouble.round > run)
}

fn columns() -> usize {
    const USUAL: usize = 80;
    console::columns(std::io::stderr()).unwrap_or(USUAL)
}

/// Cuts a line to `max_columns`. A line with colours is part of a table that fits, and is not
/// cut.
fn truncated(line: &str, max_columns: usize) -> String {
    match width_of(line) > max_columns && !line.contains('\x1b') {
        true => line.chars().take(max_columns).collect(),
        false => line.to_owned(),
    }
}

/// Whether the table can be redrawn in place: it has to fit the rows of the terminal.
fn fits_terminal(table: &str) -> bool {
    let Ok(size) = tcgetwinsize(std::io::stderr()) else { return false };
    let width = table.lines().map(width_of).max().unwrap_or(0);
    width <= usize::from(size.ws_col) && table.lines().count() + 3 <= usize::from(size.ws_row)
}

/// The columns that a line takes; colour codes take none.
fn width_of(line: &str) -> usize {
    let mut parts = line.split('\x1b');
    let first = parts.next().map_or(0, |part| part.chars().count());
    first
        + parts
            .map(|part| part.split_once('m').map_or(0, |(_, rest)| rest.chars().count()))
            .sum::<usize>()
}

fn in_words(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..90 => format!("{seconds} s left"),
        seconds => format!("{} min left", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::FailedRun;

    #[test]
    fn colour_codes_take_no_columns() {
        assert_eq!(width_of("ab\x1b[1mcd\x1b[0m e"), 6);
        assert_eq!(width_of("abc"), 3);
    }

    #[test]
    fn a_line_takes_one_row() {
        assert_eq!(
            (truncated("3 of 9 runs", 6), truncated("3 of 9", 6)),
            ("3 of 9".into(), "3 of 9".into())
        );
    }

    #[test]
    fn the_time_left_is_in_seconds_or_minutes() {
        assert_eq!(in_words(Duration::from_secs(89)), "89 s left");
        assert_eq!(in_words(Duration::from_secs(121)), "3 min left");
    }

    #[test]
    fn a_cell_failed_last_if_its_last_round_failed() {
        let mut cell = Cell::default();
        assert!(!last_failed(&cell));
        cell.runs.push(Run { round: 1, ..Run::default() });
        cell.troubles.push(FailedRun { round: 2, text: "x".into() });
        assert!(last_failed(&cell));
        cell.runs.push(Run { round: 3, ..Run::default() });
        assert!(!last_failed(&cell));
    }
}
