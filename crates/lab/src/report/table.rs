//! The table, for a terminal or a file: a column per server, a row per number of clients, as in the
//! articles. If the columns don't fit beside each other, the table has several parts.

use std::fmt::Write as _;

use super::ranking::{CellValue, Rank, Row, RowEntry, failing};
use super::style::Style;
use crate::finding::limit::{DISTURBED, Limit};
use crate::results::{Results, Subject};
use crate::statistics::Estimate;
use crate::text::wrap::{shortened, wrapped};

/// The least width of a column: seven architectures fit 80 columns.
const COLUMN_WIDTH: usize = 9;

/// The width of the first column.
const FIRST_WIDTH: usize = 7;

/// The most characters of a name on a terminal.
const LONGEST_NAME: usize = 20;

/// The column at which explanations begin in the legend.
const MEANING_COLUMN: usize = 14;

/// A name at the head of its column.
fn shown_name(name: &str, style: Style) -> String {
    let max_chars =
        style.width.map(|width| width.saturating_sub(FIRST_WIDTH + 1).min(LONGEST_NAME));
    max_chars.map_or_else(|| name.to_owned(), |max_chars| shortened(name, max_chars.max(1)))
}

/// The table: requests a second, or the p99 latency in an open loop, with the limits beneath.
pub fn throughput(results: &Results, style: Style) -> String {
    let rows = Row::all(results);
    let names: Vec<_> =
        results.subjects.iter().map(|subject| shown_name(&subject.name, style)).collect();
    let widths: Vec<_> =
        names.iter().map(|name| name.chars().count().max(COLUMN_WIDTH) + 1).collect();
    let mut out = String::new();
    let mut rest = &rows[..];
    while let Some(first) = rest.first() {
        let rate = first.load.rate_asked_per_second;
        let of_mode = rest.iter().take_while(|row| row.load.rate_asked_per_second == rate).count();
        let (of_mode, others) = rest.split_at(of_mode);
        rest = others;
        if let Some(rate) = rate {
            let heading = format!("open loop of {rate} requests a second: p99 latency");
            let _ = writeln!(out, "\n{}", wrapped(&heading, style.width, 2));
        }
        for (index, part) in parts(&widths, style.width).into_iter().enumerate() {
            if index > 0 {
                out.push('\n');
            }
            let names = names[part.clone()].iter();
            let names: Vec<_> = names.map(|name| (name.clone(), style.paint(name, "1"))).collect();
            line(&mut out, "clients", &names, &widths[part.clone()]);
            for row in of_mode {
                let entry =
                    |subject: &Subject| row.position(&subject.name).map(|at| &row.entries[at]);
                let entries: Vec<_> = results.subjects[part.clone()].iter().map(entry).collect();
                let nothing = || (".".to_owned(), ".".to_owned());
                let of = |entry: &Option<&RowEntry<'_>>,
                          show: fn(&RowEntry<'_>, Style) -> Painted| {
                    entry.map_or_else(nothing, |entry| show(entry, style))
                };
                let numbers: Vec<_> = entries.iter().map(|entry| of(entry, number)).collect();
                let intervals: Vec<_> = entries.iter().map(|entry| of(entry, interval)).collect();
                let labels: Vec<_> = entries.iter().map(|entry| of(entry, label)).collect();
                line(&mut out, &row.load.clients.to_string(), &numbers, &widths[part.clone()]);
                if row.noise().is_some() {
                    line(&mut out, "", &intervals, &widths[part.clone()]);
                }
                line(&mut out, "", &labels, &widths[part.clone()]);
            }
        }
    }
    out
}

/// Divides the servers into parts that fit, of about the same size.
fn parts(widths: &[usize], max_width: Option<usize>) -> Vec<std::ops::Range<usize>> {
    let room = max_width.map_or(usize::MAX, |max_width| max_width.saturating_sub(FIRST_WIDTH));
    let divide = |max_columns: usize| {
        let (mut parts, mut start, mut used) = (Vec::new(), 0, 0);
        for (at, width) in widths.iter().enumerate() {
            if at > start && (used + width > room || at - start == max_columns) {
                parts.push(start..at);
                (start, used) = (at, 0);
            }
            used += width;
        }
        parts.push(start..widths.len());
        parts
    };
    let count = divide(usize::MAX).len();
    let even = divide(widths.len().div_ceil(count));
    if even.len() == count { even } else { divide(usize::MAX) }
}

/// The text of a cell, plain for its width and painted.
type Painted = (String, String);

fn line(out: &mut String, first: &str, cells: &[Painted], widths: &[usize]) {
    let mut text = format!("{first:>FIRST_WIDTH$}");
    for ((plain, painted), width) in cells.iter().zip(widths) {
        text += &" ".repeat(width.saturating_sub(plain.chars().count()));
        text += painted;
    }
    out.push_str(text.trim_end());
    out.push('\n');
}

fn number(entry: &RowEntry<'_>, style: Style) -> Painted {
    const BOLD: &str = "1";
    const FAINT: &str = "2";
    const RED: &str = "31";
    let text = match entry.shown() {
        CellValue::NotRun => ".".to_owned(),
        CellValue::Failed(_) if entry.cell.runs.is_empty() => "failed".to_owned(),
        CellValue::Failed(share) => failing(share),
        CellValue::Number(measure, number) => {
            format!("{}{}", entry.rank.mark(), measure.write(number.value))
        }
    };
    let code = match (entry.shown(), entry.rank) {
        (CellValue::NotRun, _) => "",
        (CellValue::Failed(_), _) => RED,
        (_, Rank::Leads) => BOLD,
        _ if !entry.is_ranked() => FAINT,
        _ => "",
    };
    (text.clone(), style.paint(&text, code))
}

/// How far the interval reaches: `±3%`.
fn interval(entry: &RowEntry<'_>, style: Style) -> Painted {
    let text = match entry.shown() {
        CellValue::Number(_, number) if number.high > number.low => half_width(number),
        _ => String::new(),
    };
    (text.clone(), style.paint(&text, "2"))
}

/// The half width of an interval, as a share of its value.
pub fn half_width(number: Estimate) -> String {
    match (number.high / number.value - 1.0) * 100.0 {
        percent if percent < 9.95 => format!("±{percent:.1}%"),
        percent if percent < 1000.0 => format!("±{percent:.0}%"),
        // A server whose runs differ wildly, in few rounds.
        _ => ">±999%".into(),
    }
}

fn label(entry: &RowEntry<'_>, style: Style) -> Painted {
    // `503` fits where `status 503` would touch the column before it. A `~` can, as it separates.
    let label = entry.label();
    let text = shortened(label.strip_prefix("status ").unwrap_or(&label), COLUMN_WIDTH + 1);
    let code = if matches!(entry.shown(), CellValue::Failed(_)) { "31" } else { "" };
    (text.clone(), style.paint(&text, code))
}

/// Explains the marks and words that occur in the table.
pub fn legend(results: &Results, style: Style) -> String {
    let rows = Row::all(results);
    let entries = || rows.iter().flat_map(|row| &row.entries);
    let mut meanings: Vec<(String, String)> = Vec::new();
    let mut explain = |what: &str, meaning: &str| meanings.push((what.into(), meaning.into()));
    if entries().any(|entry| entry.rank == Rank::Leads) {
        explain("*", "leads its row: it differs from all others in it");
    }
    if entries().any(|entry| entry.rank == Rank::AmongBest) {
        explain("=", "no server of its row is measurably better");
    }
    if rows.iter().any(|row| row.noise().is_some()) {
        explain("±", "if the intervals of two servers of a row do not overlap, they differ");
    }
    if entries().any(|entry| entry.is_disturbed()) {
        explain("~", DISTURBED);
    }
    for limit in shown_limits(&rows) {
        explain(limit.label(), limit.meaning());
    }
    for subject in &results.subjects {
        let shown = shown_name(&subject.name, style);
        if shown != subject.name {
            explain("name", &format!("{shown} is {}", subject.name));
        }
    }
    for text in failures(&rows) {
        explain("failed", &text);
    }
    let mut out = String::new();
    for (what, meaning) in meanings {
        let text = format!("  {what:11} {meaning}");
        out += &(wrapped(&text, style.width, MEANING_COLUMN) + "\n");
    }
    out
}

/// How each number in the table was averaged, in words.
pub fn averaged(results: &Results) -> String {
    match results.rounds() {
        (_, 1) => "one round".into(),
        _ => format!("the geometric mean of {}", results.rounds_in_words()),
    }
}

/// The limits that the table shows.
pub fn shown_limits(rows: &[Row<'_>]) -> Vec<Limit> {
    let entries = rows.iter().flat_map(|row| &row.entries);
    let shown = entries.filter(|entry| matches!(entry.shown(), CellValue::Number(..)));
    let mut limits: Vec<_> = shown.filter_map(|entry| entry.limit).collect();
    limits.sort_unstable();
    limits.dedup();
    limits
}

/// The failures in words: runs without a result, and failed requests.
pub fn failures(rows: &[Row<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in rows.iter().flat_map(|row| &row.entries) {
        let name = &entry.cell.subject;
        let troubles = entry.cell.troubles.iter();
        lines.extend(troubles.map(|trouble| format!("{name}: {}", trouble.text)));
    }
    lines.sort_unstable();
    lines.dedup();
    for row in rows {
        for entry in &row.entries {
            let kinds: Vec<_> =
                entry.failures().iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
            if !kinds.is_empty() {
                lines.push(format!("{}, {}: {}", entry.cell.subject, row.name(), kinds.join(", ")));
            }
        }
    }
    lines
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
