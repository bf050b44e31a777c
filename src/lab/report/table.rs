//! The table, for a terminal or for a file: servers across, clients down, as in the articles.

use std::fmt::Write as _;

use super::standing::{Entry, Place, Row};
use crate::lab::limit::{DISTURBED, Limit};
use crate::lab::results::Results;

/// How a table looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// The best is bold, what is not ranked is faint.
    Terminal,
    /// Letters alone.
    Plain,
}

/// A column is as wide as this, or as its name: seven architectures fit 80 columns.
const COLUMN: usize = 9;

/// The first column.
const FIRST: usize = 7;

impl Style {
    fn paint(self, text: &str, code: &str) -> String {
        match self {
            Style::Terminal if !code.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

/// Requests a second, with what limited them beneath.
pub fn throughput(results: &Results, style: Style) -> String {
    let rows = Row::all(results);
    let widths = widths(results);
    let mut out = String::new();
    for (index, row) in rows.iter().enumerate() {
        let is_first_of_mode = index == 0
            || rows[index - 1].load.rate_asked_per_second != row.load.rate_asked_per_second;
        if is_first_of_mode {
            heading(&mut out, results, row, &widths, style);
        }
        let numbers: Vec<_> = row.entries.iter().map(|entry| number(entry, style)).collect();
        let limits: Vec<_> = row.entries.iter().map(|entry| limit(entry, style)).collect();
        line(&mut out, &row.load.clients.to_string(), &numbers, &widths);
        line(&mut out, "", &limits, &widths);
    }
    out
}

/// What a cell shows: the text that counts for the width, and the same painted.
type Shown = (String, String);

fn widths(results: &Results) -> Vec<usize> {
    let names = results.contestants.iter().map(|contestant| contestant.name.chars().count());
    names.map(|width| width.max(COLUMN) + 1).collect()
}

fn heading(out: &mut String, results: &Results, row: &Row<'_>, widths: &[usize], style: Style) {
    if let Some(rate) = row.load.rate_asked_per_second {
        let _ = writeln!(out, "\nopen loop of {rate} requests a second: p99 latency");
    }
    let names: Vec<_> = results
        .contestants
        .iter()
        .map(|contestant| (contestant.name.clone(), style.paint(&contestant.name, "1")))
        .collect();
    line(out, "clients", &names, widths);
}

fn line(out: &mut String, first: &str, cells: &[Shown], widths: &[usize]) {
    let mut text = format!("{first:>FIRST$}");
    for ((plain, painted), width) in cells.iter().zip(widths) {
        text += &" ".repeat(width.saturating_sub(plain.chars().count()));
        text += painted;
    }
    out.push_str(text.trim_end());
    out.push('\n');
}

fn number(entry: &Entry<'_>, style: Style) -> Shown {
    let is_open = entry.cell.load.rate_asked_per_second.is_some();
    let (text, code) = match entry.rate {
        None if !entry.cell.has_happened() => (".".to_owned(), "2"),
        None if entry.cell.runs.is_empty() => ("failed".to_owned(), "31"),
        None => ("0".to_owned(), "31"),
        Some(_) if is_open => (p99(entry), ""),
        Some(rate) => {
            let code = match (entry.place, entry.is_of_the_server()) {
                (Place::Best | Place::TiesWithBest, _) => "1",
                (_, false) => "2",
                _ => "",
            };
            (format!("{}{}", entry.place.mark(), thousands(rate.median)), code)
        }
    };
    (text.clone(), style.paint(&text, code))
}

fn p99(entry: &Entry<'_>) -> String {
    let run = entry.cell.middle_run();
    run.map(|run| latency(run.latency_p99_us as f64)).unwrap_or_default()
}

fn limit(entry: &Entry<'_>, style: Style) -> Shown {
    let noted = if entry.is_disturbed { "~" } else { "" };
    let label = entry.limit.map(Limit::label).unwrap_or_default();
    let text = format!("{noted}{label}");
    (text.clone(), style.paint(&text, "2"))
}

/// What the marks and words of the table mean, as far as they occur in it.
pub fn legend(results: &Results) -> String {
    let rows = Row::all(results);
    let entries = || rows.iter().flat_map(|row| &row.entries);
    let mut out = String::new();
    if entries().any(|entry| entry.place == Place::Best) {
        out += "  *  the best of its row, beyond the noise\n";
    }
    if entries().any(|entry| entry.place == Place::TiesWithBest) {
        out += "  =  best together with the others so marked: the difference is noise\n";
    }
    if entries().any(|entry| entry.is_disturbed) {
        out += &format!("  ~  {DISTURBED}\n");
    }
    let mut limits: Vec<_> = entries().filter_map(|entry| entry.limit).collect();
    limits.sort_unstable();
    limits.dedup();
    for limit in limits {
        let _ = writeln!(out, "  {:11} {}", limit.label(), limit.meaning());
    }
    let mut troubles: Vec<_> = results
        .cells
        .iter()
        .flat_map(|cell| cell.troubles.iter().map(|trouble| (&cell.contestant, &trouble.text)))
        .collect();
    troubles.sort_unstable();
    troubles.dedup();
    for (contestant, text) in troubles {
        let _ = writeln!(out, "  failed      {contestant}: {text}");
    }
    if let Some(noise) = noise(&rows) {
        let _ = writeln!(out, "\nOne and the same server varies by {noise} from run to run.");
    }
    out
}

/// By how much runs vary, from the steadiest row to the least steady one.
pub fn noise(rows: &[Row<'_>]) -> Option<String> {
    let mut shares: Vec<_> = rows.iter().filter_map(|row| Some(row.noise?.share)).collect();
    shares.sort_by(f64::total_cmp);
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let (least, most) = (percent(*shares.first()?), percent(*shares.last()?));
    Some(if least == most { least } else { format!("{least} to {most}") })
}

/// A number with commas: `12,345`; a small one with digits after the point.
pub fn thousands(value: f64) -> String {
    if value < 100.0 {
        return if value < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") };
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A latency with three digits and a unit.
pub fn latency(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.0} µs"),
        us if us < 10_000.0 => format!("{:.2} ms", us / 1e3),
        us if us < 100_000.0 => format!("{:.1} ms", us / 1e3),
        us if us < 1_000_000.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::report::samples;

    #[test]
    fn numbers_are_read_easily() {
        let shown = [0.0, 9.876, 98.76, 987.6, 12_345.6, 1_234_567.0].map(thousands);
        assert_eq!(shown, ["0.00", "9.88", "98.8", "988", "12,346", "1,234,567"]);
        let shown = [7.4, 1_234.0, 12_345.0, 123_456.0, 1_234_567.0].map(latency);
        assert_eq!(shown, ["7 µs", "1.23 ms", "12.3 ms", "123 ms", "1.23 s"]);
    }

    #[test]
    fn servers_stand_across_and_clients_down() {
        let rates: [(&str, &[f64]); 2] =
            [("one", &[5000.0, 5001.0]), ("another=long", &[9000.0, 9001.0])];
        let table = throughput(&samples::row(&rates), Style::Plain);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0], "clients       one another=long");
        assert_eq!(lines[1], "     20     5,000       *9,000");
        assert_eq!(lines[2], "              cpu          cpu");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn the_same_is_painted_for_a_terminal() {
        let results = samples::row(&[("a", &[5000.0, 5001.0])]);
        let painted = throughput(&results, Style::Terminal);
        assert!(painted.contains("\x1b[1m*5,000\x1b[0m"), "{painted:?}");
        let bare = painted.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "");
        assert_eq!(bare, throughput(&results, Style::Plain));
    }

    #[test]
    fn what_did_not_come_about_is_said() {
        let mut results = samples::row(&[("a", &[5000.0]), ("b", &[])]);
        assert!(throughput(&results, Style::Plain).contains("5,000         .\n"));
        results.cells[1]
            .troubles
            .push(crate::lab::results::Trouble { round: 1, text: "it ended at once".into() });
        assert!(throughput(&results, Style::Plain).contains("5,000    failed\n"));
        assert!(legend(&results).contains("failed      b: it ended at once"));
    }
}
