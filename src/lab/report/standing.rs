//! How the servers stand under one load: their medians and intervals, what limited them, who is
//! best, and with whom that one ties.

use std::collections::BTreeMap;

use crate::lab::limit::Limit;
use crate::lab::results::{Cell, Load, Results};
use crate::lab::statistics::{self, Comparison, Noise, Sample};

/// More failures than this share of the requests, and a number is not ranked.
const FAILED: f64 = 0.01;

/// One load: a row of the table.
pub struct Row<'a> {
    /// The load.
    pub load: Load,
    /// By how much one and the same server varies from run to run; none if nothing was run twice.
    pub noise: Option<Noise>,
    /// The servers, in the order of the results.
    pub entries: Vec<Entry<'a>>,
}

/// A server in a row.
pub struct Entry<'a> {
    /// What was measured.
    pub cell: &'a Cell,
    /// Requests a second.
    pub rate: Option<Sample>,
    /// What limited it in most of its runs.
    pub limit: Option<Limit>,
    /// Whether others on the machine disturbed it.
    pub is_disturbed: bool,
    /// Where it stands.
    pub place: Place,
}

/// Where a server stands in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nobody is above, and nobody ties.
    Best,
    /// It is the best, or ties with it.
    TiesWithBest,
    /// The best is better.
    Behind,
    /// It does not take part: the number is not the server's, or nobody knows the noise.
    Unranked,
}

impl Place {
    /// A mark for a table.
    pub fn mark(self) -> &'static str {
        match self {
            Place::Best => "*",
            Place::TiesWithBest => "=",
            Place::Behind | Place::Unranked => "",
        }
    }
}

impl Row<'_> {
    /// How a load was met.
    pub fn of(results: &Results, load: Load) -> Row<'_> {
        let cells: Vec<_> = results
            .contestants
            .iter()
            .filter_map(|contestant| results.cell(&contestant.name, load))
            .collect();
        let values: Vec<_> =
            cells.iter().map(|cell| cell.values(|run| run.requests_per_second)).collect();
        let noise = Noise::of(values.iter().map(Vec::as_slice));
        let mut entries: Vec<_> = cells
            .into_iter()
            .zip(&values)
            .map(|(cell, values)| Entry {
                cell,
                rate: Sample::of(values),
                limit: limit(cell),
                is_disturbed: is_disturbed(cell),
                place: Place::Unranked,
            })
            .collect();
        rank(&mut entries, noise);
        Row { load, noise, entries }
    }

    /// All rows of a bench.
    pub fn all(results: &Results) -> Vec<Row<'_>> {
        results.loads().into_iter().map(|load| Row::of(results, load)).collect()
    }
}

fn rank(entries: &mut [Entry<'_>], noise: Option<Noise>) {
    let may_be_ranked: Vec<bool> = entries.iter().map(|entry| entry.is_of_the_server()).collect();
    let ranked = entries.iter().zip(&may_be_ranked).filter(|(_, may)| **may);
    let rates = ranked.filter_map(|(entry, _)| entry.rate);
    let Some(best) = rates.max_by(|a, b| a.median.total_cmp(&b.median)) else { return };
    // Whoever did more though something else was the limit can do still more: nobody here is best.
    let others = entries.iter().zip(&may_be_ranked).filter(|(_, may)| !**may);
    let mut others = others.filter_map(|(entry, _)| entry.rate);
    if others.any(|other| other.median > best.median) {
        return;
    }
    for (entry, _) in entries.iter_mut().zip(may_be_ranked).filter(|(_, may)| *may) {
        let Some(rate) = entry.rate else { continue };
        entry.place = match statistics::compare(&rate, &best, noise) {
            Comparison::Tie | Comparison::More => Place::TiesWithBest,
            Comparison::Less => Place::Behind,
            Comparison::Unknown => Place::Unranked,
        };
    }
    let mut top = entries.iter_mut().filter(|entry| entry.place == Place::TiesWithBest);
    if let (Some(only), None) = (top.next(), top.next()) {
        only.place = Place::Best;
    }
}

impl Entry<'_> {
    /// Whether its number is one of the server's, to be compared with others.
    pub fn is_of_the_server(&self) -> bool {
        self.limit.is_some_and(Limit::is_of_the_server) && failed_share(self.cell) <= FAILED
    }
}

/// What limited most of the runs; of those that are named equally often, the first by order.
fn limit(cell: &Cell) -> Option<Limit> {
    let firsts = cell.runs.iter().filter_map(|run| Some(run.verdict.first()?.limit));
    let mut counts: BTreeMap<Limit, usize> = BTreeMap::new();
    for limit in firsts {
        *counts.entry(limit).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(limit, _)| limit)
}

/// Where that is not all that is said of it.
fn is_disturbed(cell: &Cell) -> bool {
    if limit(cell) == Some(Limit::Neighbours) {
        return false;
    }
    let disturbed = cell
        .runs
        .iter()
        .filter(|run| run.verdict.iter().any(|finding| finding.limit == Limit::Neighbours));
    disturbed.count() * 2 > cell.runs.len()
}

/// The share of the requests that failed.
pub fn failed_share(cell: &Cell) -> f64 {
    let failed: u64 = cell.runs.iter().map(|run| run.failures_total).sum();
    let good: u64 = cell.runs.iter().map(|run| run.requests).sum();
    if failed > 0 { failed as f64 / (failed + good) as f64 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::report::samples;

    fn places(results: &Results) -> Vec<Place> {
        let row = Row::of(results, results.loads()[0]);
        row.entries.iter().map(|entry| entry.place).collect()
    }

    #[test]
    fn the_best_stands_alone_or_ties() {
        let alone = samples::row(&[("a", &[100.0, 101.0]), ("b", &[200.0, 201.0])]);
        assert_eq!(places(&alone), [Place::Behind, Place::Best]);
        let tie = samples::row(&[("a", &[100.0, 101.0]), ("b", &[100.5, 100.7]), ("c", &[50.0])]);
        assert_eq!(places(&tie), [Place::TiesWithBest, Place::TiesWithBest, Place::Behind]);
    }

    #[test]
    fn one_round_ranks_nobody() {
        let once = samples::row(&[("a", &[100.0]), ("b", &[200.0])]);
        assert_eq!(places(&once), [Place::Unranked, Place::Unranked]);
    }

    #[test]
    fn a_number_of_the_loads_own_is_not_ranked() {
        let mut results = samples::row(&[("a", &[100.0, 101.0]), ("b", &[900.0, 901.0])]);
        for run in &mut results.cells[1].runs {
            run.verdict[0].limit = Limit::LoadGenerator;
        }
        // It can do more than that, and the other is not the best.
        assert_eq!(places(&results), [Place::Unranked, Place::Unranked]);
        for run in &mut results.cells[1].runs {
            run.requests_per_second /= 10.0;
        }
        assert_eq!(places(&results), [Place::Best, Place::Unranked]);
        results.cells[0].runs[0].failures_total = 1000;
        assert_eq!(places(&results), [Place::Unranked, Place::Unranked]);
    }

    #[test]
    fn what_limited_most_runs_limited_the_cell() {
        let mut results = samples::row(&[("a", &[1.0, 2.0, 3.0])]);
        let limits = [Limit::Store, Limit::ServerCpu, Limit::Store];
        for (run, is) in results.cells[0].runs.iter_mut().zip(limits) {
            run.verdict[0].limit = is;
        }
        assert_eq!(limit(&results.cells[0]), Some(Limit::Store));
        assert_eq!(limit(&Cell::default()), None);
    }
}
