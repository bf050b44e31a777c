//! The answer that a reader of the page looks for: which server to take for which load, and how
//! sure that is.

use maud::{Markup, html};

use super::measure::Measure;
use super::ranking::{Rank, Row, RowEntry};
use super::words::{among_best, certainty, detectable, lead_over_next, multiple, widest};
use crate::results::{Load, Results};
use crate::statistics::Ratio;
use crate::text::numbers::{counted, rounded};

/// The measures by which a server can be chosen.
const MEASURES: [Measure; 4] = [Measure::Throughput, Measure::P99, Measure::Cpu, Measure::Memory];

/// Neighbouring loads with the same answers: a row of the table.
struct Choice<'a> {
    /// By each measure, the rows of the loads.
    by_measure: Vec<Vec<Row<'a>>>,
}

/// The table, and beneath it how sure its answers are.
pub fn table(results: &Results, all: &[Row<'_>]) -> Markup {
    html! {
        section {
            h2 { "Which server to take" }
            div.wide tabindex="0" role="region" aria-label="Which server to take" {
                table.left.choice {
                    thead {
                        tr {
                            th { "load" }
                            @for measure in MEASURES { th { (heading(measure)) } }
                        }
                    }
                    tbody {
                        @for choice in choices(results) {
                            tr {
                                th { (choice.name()) }
                                @for rows in &choice.by_measure { td { (answer(rows)) } }
                            }
                        }
                    }
                }
            }
            ul.said { @for sentence in certainty(results, all) { li { (sentence) } } }
        }
    }
}

fn heading(measure: Measure) -> String {
    match measure {
        Measure::Throughput => "most requests a second".into(),
        measure => format!("least {}", measure.name()),
    }
}

/// The loads in the order of the table. Neighbours are joined if their answers name the same
/// servers.
fn choices(results: &Results) -> Vec<Choice<'_>> {
    let mut choices: Vec<Choice<'_>> = Vec::new();
    for load in results.loads() {
        let rows = MEASURES.map(|measure| Row::by(results, load, measure));
        let joined = choices.last_mut().filter(|choice| choice.has_same_answers(&rows));
        match joined {
            Some(choice) => {
                for (rows, row) in choice.by_measure.iter_mut().zip(rows) {
                    rows.push(row);
                }
            }
            None => choices.push(Choice { by_measure: rows.map(|row| vec![row]).into() }),
        }
    }
    choices
}

impl Choice<'_> {
    /// Whether a load has the same answers.
    fn has_same_answers(&self, rows: &[Row<'_>]) -> bool {
        self.by_measure.iter().zip(rows).all(|(own, row)| {
            let first = &own[0];
            let is_same_mode = first.load.rate_asked_per_second == row.load.rate_asked_per_second;
            let best = best(row);
            let is_same_reason = !best.is_empty() || why_not(first) == why_not(row);
            is_same_mode && best == self::best(first) && is_same_reason
        })
    }

    /// `20 clients`, `20 to 500 clients`.
    fn name(&self) -> String {
        let rows = &self.by_measure[0];
        let (first, last) = (rows[0].load, rows[rows.len() - 1].load);
        let clients = |load: Load| load.clients as u64;
        let name = match clients(first) == clients(last) {
            true => counted(clients(first), "client"),
            false => format!("{} to {}", clients(first), counted(clients(last), "client")),
        };
        match first.rate_asked_per_second {
            None => name,
            Some(rate) => format!("{name}, {rate}/s"),
        }
    }
}

/// The names of the best servers, in the order of the results, so that two rows with the same best
/// servers compare equal.
fn best<'a>(row: &Row<'a>) -> Vec<&'a str> {
    let mut best = row.best();
    best.sort_unstable();
    best.into_iter().map(|index| row.entries[index].cell.subject.as_str()).collect()
}

/// A cell of the table: the rows of its loads by one measure.
fn answer(rows: &[Row<'_>]) -> Markup {
    let row = &rows[0];
    if row.measure == Measure::Throughput && row.load.rate_asked_per_second.is_some() {
        return html! { small { "the rate is given" } };
    }
    let best = row.best();
    match &best[..] {
        [] => html! { small { (why_not(row)) } },
        [only] => html! {
            @let leads = row.entries[*only].rank == Rank::Leads;
            span.leads[leads] { b { (row.entries[*only].cell.subject) } " " (values(rows)) }
            @if let Some(lead) = lead(rows) { small { (lead) } }
        },
        several => html! {
            (among_best(row, several)) " can't be told apart: " (values(rows))
            @if let Some(widest) = least_sure(rows) { small { (detectable(widest)) } }
        },
    }
}

/// The lead over the next server: `1.31 times (1.22–1.41) poll's`, or the range of the leads under
/// several loads: `1.22 to 1.41 times the next one's`.
fn lead(rows: &[Row<'_>]) -> Option<String> {
    let leads: Vec<(&str, Ratio)> = rows.iter().filter_map(lead_over_next).collect();
    let (next, ratio) = *leads.first()?;
    if rows.len() == 1 {
        return Some(multiple(ratio, next));
    }
    let next = if leads.iter().all(|lead| lead.0 == next) { next } else { "the next one" };
    let ratios = || leads.iter().map(|lead| lead.1.value);
    let min = ratios().fold(f64::INFINITY, f64::min);
    let max = ratios().fold(0.0, f64::max);
    let (min, max) = (format!("{min:.2}"), format!("{max:.2}"));
    let range = if min == max { min } else { format!("{min} to {max}") };
    Some(format!("{range} times {next}'s"))
}

/// Of the best servers under each of the loads, the pair that varies most.
fn least_sure(rows: &[Row<'_>]) -> Option<Ratio> {
    rows.iter()
        .filter_map(widest)
        .max_by(|one, other| one.least_detectable.total_cmp(&other.least_detectable))
}

/// The least and the greatest value of the best servers.
fn values(rows: &[Row<'_>]) -> String {
    let of = |row: &Row<'_>| -> Vec<f64> {
        let values = row.best().into_iter().filter_map(|index| row.entries[index].value);
        values.map(|estimate| rounded(estimate.value)).collect()
    };
    let values: Vec<_> = rows.iter().flat_map(of).collect();
    let write = |value| rows[0].measure.write(value);
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let max = values.iter().copied().fold(0.0, f64::max);
    if min == max { write(max) } else { format!("{}–{}", write(min), write(max)) }
}

/// Why no server of a row is ranked.
fn why_not(row: &Row<'_>) -> String {
    let held_back = row.held_back().map(|entry| &entry.cell.subject);
    match (held_back, row.order().is_empty()) {
        (Some(subject), _) => {
            format!("nothing is ranked: {subject} could do more, but was held back")
        }
        (None, true) if !row.entries.iter().any(RowEntry::has_runs) => "not run".into(),
        (None, true) => {
            "nothing is ranked: something other than a server limited each number".into()
        }
        (None, false) => "nothing is ranked: measured once, so the noise is not known".into(),
    }
}
