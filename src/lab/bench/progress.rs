//! How far a bench is, while it goes on: on a terminal a table that fills, else a line for each
//! run.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use rustix::termios::tcgetwinsize;

use crate::lab::report::table::{self, Style};
use crate::lab::results::{Cell, Results};

/// How far a bench is.
pub struct Progress {
    is_watched: bool,
    runs: usize,
    done: usize,
    started: Instant,
    /// Lines on the terminal that are to be written over.
    drawn: usize,
    now: String,
}

impl Progress {
    /// Nothing is done yet.
    pub fn new(results: &Results) -> Progress {
        let runs = results.cells.len() * results.settings.rounds;
        let progress = Progress {
            is_watched: std::io::stderr().is_terminal(),
            runs,
            done: 0,
            started: Instant::now(),
            drawn: 0,
            now: String::new(),
        };
        say!(
            "zerohttpd: servers {}, loads {}, rounds {}: {runs} runs of {} s; {}",
            results.contestants.len(),
            results.loads().len(),
            results.settings.rounds,
            results.settings.seconds,
            results.settings.who_ran_where()
        );
        progress
    }

    /// A run begins.
    pub fn begin(&mut self, cell: &Cell, round: usize) {
        self.now = format!("{}, {} clients, round {round}", cell.contestant, cell.load.clients);
        if let Some(rate) = cell.load.rate_asked_per_second {
            let _ = write!(self.now, ", {rate} requests a second");
        }
        if self.is_watched && self.drawn > 0 {
            // The last line tells what is going on.
            self.write(&format!("\x1b[1A\r{}\x1b[K\n", self.line()));
        }
    }

    /// A run of that cell has ended.
    pub fn done(&mut self, results: &Results, index: usize) {
        self.done += 1;
        if !self.is_watched {
            let of = &results.cells[index];
            let last = of.runs.last().filter(|_| of.troubles.len() + of.runs.len() > 0);
            return match (last, of.troubles.last()) {
                (_, Some(trouble)) if is_latest(of) => {
                    say!("{}/{}  {}: {}", self.done, self.runs, self.now, trouble.text);
                }
                (Some(run), _) => {
                    let rate = table::thousands(run.requests_per_second);
                    let limit = run.verdict.first().map_or("", |finding| finding.limit.label());
                    say!(
                        "{}/{}  {}: {rate} requests a second ({limit}); {}",
                        self.done,
                        self.runs,
                        self.now,
                        self.left()
                    );
                }
                (None, _) => {}
            };
        }
        let table = table::throughput(results, Style::Terminal);
        self.erase();
        let table = if fits(&table) { table + "\n" } else { String::new() };
        let text = format!("{table}{}\n", self.line());
        self.drawn = text.lines().count();
        self.write(&text);
    }

    /// It is over: the table that follows is the last.
    pub fn end(&mut self) {
        self.erase();
        self.drawn = 0;
    }

    fn line(&self) -> String {
        format!("{} of {} runs, {}; now {}", self.done, self.runs, self.left(), self.now)
    }

    /// How long it will take, by what it took so far.
    fn left(&self) -> String {
        let each_s = self.started.elapsed().as_secs_f64() / self.done.max(1) as f64;
        let left_s = each_s * (self.runs - self.done) as f64;
        in_words(Duration::from_secs_f64(left_s))
    }

    fn erase(&self) {
        if self.is_watched && self.drawn > 0 {
            // So many lines up, and nothing after there (console_codes(4)).
            self.write(&format!("\x1b[{}A\r\x1b[J", self.drawn));
        }
    }

    fn write(&self, text: &str) {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// Whether the last that happened to a cell was no run.
fn is_latest(cell: &Cell) -> bool {
    let run = cell.runs.last().map_or(0, |run| run.round);
    cell.troubles.last().is_some_and(|trouble| trouble.round > run)
}

/// Whether a table can be drawn over and over: it scrolls away where there are too few lines.
fn fits(table: &str) -> bool {
    let Ok(size) = tcgetwinsize(std::io::stderr()) else { return false };
    let width = table.lines().map(visible).max().unwrap_or(0);
    width <= usize::from(size.ws_col) && table.lines().count() + 3 <= usize::from(size.ws_row)
}

/// The columns that a line takes, without what only paints it.
fn visible(line: &str) -> usize {
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
    use crate::lab::results::{Run, Trouble};

    #[test]
    fn paint_takes_no_columns() {
        assert_eq!(visible("ab\x1b[1mcd\x1b[0m e"), 6);
        assert_eq!(visible("abc"), 3);
    }

    #[test]
    fn time_is_told_roughly() {
        assert_eq!(in_words(Duration::from_secs(89)), "89 s left");
        assert_eq!(in_words(Duration::from_secs(121)), "3 min left");
    }

    #[test]
    fn what_happened_last_is_told() {
        let mut cell = Cell::default();
        assert!(!is_latest(&cell));
        cell.runs.push(Run { round: 1, ..Run::default() });
        cell.troubles.push(Trouble { round: 2, text: "x".into() });
        assert!(is_latest(&cell));
        cell.runs.push(Run { round: 3, ..Run::default() });
        assert!(!is_latest(&cell));
    }
}
