//! Ranks the servers under one load: which one leads, which ones are not measurably worse than any
//! other, and which can't be ranked.
//!
//! A server is behind if any other server is better, not only if the one with the best number is:
//! that server can vary so much that it differs measurably from none.

use std::collections::BTreeMap;

use super::measure::Measure;
use crate::finding::limit::Limit;
use crate::results::{Cell, Cost, Load, Results, Run};
use crate::statistics::{Comparison, Estimate, Ratio};
use crate::text::numbers::counted;
use crate::verdict::processors::taken;
use crate::verdict::thresholds::{FAILED, SHARED};

/// A difference between two servers counts in spite of a disturbance if it is this many times what
/// the disturbance can have caused.
const DISTURBANCE_FACTOR: f64 = 3.0;

/// All servers under one load, compared by one measure.
pub struct Row<'a> {
    /// The load.
    pub load: Load,
    /// The measure by which they are compared.
    pub measure: Measure,
    /// The servers, in the order of the results.
    pub entries: Vec<RowEntry<'a>>,
    comparison: Comparison,
}

/// A server in a row.
pub struct RowEntry<'a> {
    /// The cell with its runs.
    pub cell: &'a Cell,
    /// The number by which it is ranked.
    pub value: Option<Estimate>,
    /// The limit in most of its runs.
    pub limit: Option<Limit>,
    /// By how much other processes can have changed the number, as a logarithm; 0 if they were not
    /// noticed.
    pub disturbance: f64,
    /// Its rank.
    pub rank: Rank,
    measure: Measure,
}

/// The rank of a server in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// It is better than all others.
    Leads,
    /// No server is measurably better, and it is not better than all others.
    AmongBest,
    /// Another server is better.
    Behind,
    /// It is not ranked: something other than the server limited the number, the noise is not
    /// known, or a server with a better number is not ranked.
    Unranked,
}

/// The content of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CellValue {
    /// Nothing yet.
    NotRun,
    /// The share of requests that failed, from 0 to 1; then no other number is shown.
    Failed(f64),
    /// The number, and what it is.
    Number(Measure, Estimate),
}

impl Rank {
    /// A mark for a table.
    pub fn mark(self) -> &'static str {
        match self {
            Rank::Leads => "*",
            Rank::AmongBest => "=",
            Rank::Behind | Rank::Unranked => "",
        }
    }
}

impl Row<'_> {
    /// Ranks the servers under a load, by what the table shows.
    pub fn of(results: &Results, load: Load) -> Row<'_> {
        Row::by(results, load, Measure::of_table(load))
    }

    /// Ranks the servers under a load by a measure.
    pub fn by(results: &Results, load: Load, measure: Measure) -> Row<'_> {
        let cells = results.subjects.iter().filter_map(|subject| results.cell(&subject.name, load));
        let mut entries: Vec<_> = cells.map(|cell| RowEntry::new(cell, measure)).collect();
        let of = |run: Option<&Run>| run.and_then(|run| measure.of(run));
        let values =
            |entry: &RowEntry<'_>| counted_runs(entry.cell, measure).into_iter().map(of).collect();
        let values: Vec<Vec<_>> = entries.iter().map(values).collect();
        // Servers that are not ranked have no influence on the comparison of the others.
        let ranked = entries.iter().zip(&values).map(|(entry, values)| match entry.is_ranked() {
            true => values.clone(),
            false => Vec::new(),
        });
        let comparison = Comparison::of(&ranked.collect::<Vec<_>>());
        for (at, entry) in entries.iter_mut().enumerate() {
            let alone = || Comparison::of(&values[at..=at]).estimate(0);
            entry.value = comparison.estimate(at).or_else(alone);
        }
        let mut row = Row { load, measure, entries, comparison };
        row.rank();
        row
    }

    /// All rows of a bench, by what the table shows.
    pub fn all(results: &Results) -> Vec<Row<'_>> {
        results.loads().into_iter().map(|load| Row::of(results, load)).collect()
    }

    /// The index of a server among the entries; a file can lack some of its cells.
    pub fn position(&self, subject: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.cell.subject == subject)
    }

    /// The name of the row: `20 clients`, `20 clients at 500 requests a second`.
    pub fn name(&self) -> String {
        let clients = counted(self.load.clients as u64, "client");
        match self.load.rate_asked_per_second {
            None => clients,
            Some(rate) => format!("{clients} at {rate} requests a second"),
        }
    }

    /// The noise of a run, as a share of its value; none if nothing was run twice.
    pub fn noise(&self) -> Option<f64> {
        self.comparison.noise()
    }

    /// The value of one server as a multiple of another's.
    pub fn ratio(&self, server: usize, other: usize) -> Option<Ratio> {
        self.comparison.ratio(server, other)
    }

    /// The logarithms of a server's values by round; `None` for a round without a run that counts.
    /// Empty if the server is not ranked.
    pub fn log_values(&self, server: usize) -> Vec<Option<f64>> {
        let entry = &self.entries[server];
        if !entry.is_ranked() {
            return Vec::new();
        }
        let runs = counted_runs(entry.cell, self.measure).into_iter();
        runs.map(|run| run.and_then(|run| self.measure.of(run)).map(f64::ln)).collect()
    }

    /// The ratios of all pairs that are compared, each once.
    pub fn pairs(&self) -> impl Iterator<Item = &Ratio> {
        self.comparison.pairs()
    }

    /// The indices of the ranked servers that have a value, the best first.
    pub fn order(&self) -> Vec<usize> {
        let value = |index: &usize| self.entries[*index].value.map_or(0.0, |value| value.value);
        let is_compared = |entry: &RowEntry<'_>| entry.is_ranked() && entry.value.is_some();
        let mut order: Vec<_> =
            (0..self.entries.len()).filter(|index| is_compared(&self.entries[*index])).collect();
        order.sort_by(|one, other| value(other).total_cmp(&value(one)));
        if self.measure.less_is_better() {
            order.reverse();
        }
        order
    }

    /// The indices of the leader, or of the servers that can't be told apart from the best.
    pub fn best(&self) -> Vec<usize> {
        let rank = |index: &usize| self.entries[*index].rank;
        let is_best = |index: &usize| matches!(rank(index), Rank::Leads | Rank::AmongBest);
        self.order().into_iter().filter(is_best).collect()
    }

    /// The widest interval of a ranked server, as a share of its value: 0.05 reaches from 5 %
    /// below to 5 % above. None until the noise is known.
    pub fn widest_interval(&self) -> Option<f64> {
        self.noise()?;
        let ranked = self.entries.iter().filter(|entry| entry.is_ranked());
        let widths = ranked.filter_map(|entry| entry.value).map(|value| value.high / value.value);
        widths.map(|width| width - 1.0).reduce(f64::max)
    }

    /// Whether an interval reaches further than this percentage. False if none is known, because
    /// fewer than two servers are ranked or nothing was run twice.
    pub fn is_wider_than(&self, percent: f64) -> bool {
        self.widest_interval().is_some_and(|width| width * 100.0 > percent)
    }

    fn rank(&mut self) {
        let order = self.order();
        let Some(best) = order.first().copied() else { return };
        // The best can't be compared if it has a single run.
        let is_compared =
            order.len() == 1 || order.iter().any(|other| self.ratio(best, *other).is_some());
        if !is_compared || self.held_back().is_some() {
            return;
        }
        for (at, index) in order.iter().copied().enumerate() {
            let others = || order.iter().copied().filter(|other| *other != index);
            let is_compared = |other: &usize| self.ratio(index, *other).is_some();
            let is_worse = |other: usize| self.is_better(index, other);
            // A server with a single run can't be compared: it counts as worse if it is later in
            // the order.
            let counts_as_worse =
                |other: usize| !is_compared(&other) && order[at..].contains(&other);
            let rank = if others().any(|other| self.is_better(other, index)) {
                Rank::Behind
            } else if others().next().is_some() && !others().any(|other| is_compared(&other)) {
                Rank::Unranked
            } else if others().all(|other| is_worse(other) || counts_as_worse(other)) {
                Rank::Leads
            } else {
                Rank::AmongBest
            };
            self.entries[index].rank = rank;
        }
    }

    /// Whether a server is better than another one.
    fn is_better(&self, server: usize, other: usize) -> bool {
        let is_less = self.ratio(server, other).is_some_and(|ratio| ratio.value < 1.0);
        self.differs(server, other) == Some(true) && is_less == self.measure.less_is_better()
    }

    /// Whether two servers differ, by more than other processes can have caused. None if they are
    /// not compared.
    pub fn differs(&self, server: usize, other: usize) -> Option<bool> {
        let ratio = self.ratio(server, other)?;
        let disturbance = self.entries[server].disturbance + self.entries[other].disturbance;
        Some(ratio.is_different && ratio.value.ln().abs() >= DISTURBANCE_FACTOR * disturbance)
    }

    /// A server that is not ranked and has a better number than the best: it could do still more
    /// without what held it back, so no server is ranked. A number with failed requests, or of an
    /// open loop, does not count as better.
    pub fn held_back(&self) -> Option<&RowEntry<'_>> {
        let value = |entry: &RowEntry<'_>| entry.value.map_or(0.0, |value| value.value);
        let best = *self.order().first()?;
        let is_held_back = |entry: &&RowEntry<'_>| {
            let is_unranked_but_good = !entry.is_ranked() && entry.failed_share() <= FAILED;
            is_unranked_but_good && value(entry) > value(&self.entries[best])
        };
        let is_throughput = self.measure == Measure::Throughput;
        self.entries.iter().find(is_held_back).filter(|_| is_throughput)
    }
}

/// The runs of a cell that count, by round. If a round was repeated, the run that was disturbed
/// least counts.
fn counted_runs(cell: &Cell, measure: Measure) -> Vec<Option<&Run>> {
    let rounds = cell.runs.iter().map(|run| run.round).max().unwrap_or(0);
    let of = |round: usize| {
        let runs = cell.runs.iter().filter(|run| run.round == round && measure.accepts(run));
        runs.min_by(|one, other| disturbance(one).total_cmp(&disturbance(other)))
    };
    (1..=rounds).map(of).collect()
}

/// By how much other processes can have changed the number of a run, as a logarithm. It follows
/// from the share of the server's cores that they took, taken to be at least [`SHARED`], the share
/// from which a verdict mentions them. 0 if the verdict does not.
pub fn disturbance(run: &Run) -> f64 {
    const MAX: f64 = 0.9;
    if run.verdict.iter().all(|finding| finding.kind != Limit::Neighbours) {
        return 0.0;
    }
    let share = |cost: &Cost| taken(cost) / cost.server_cores_allowed.unwrap_or(1).max(1) as f64;
    -(1.0 - run.cost.as_ref().map_or(MAX, share).clamp(SHARED, MAX)).ln()
}

impl RowEntry<'_> {
    fn new(cell: &Cell, measure: Measure) -> RowEntry<'_> {
        let runs: Vec<_> = counted_runs(cell, measure).into_iter().flatten().collect();
        let disturbed: f64 = runs.iter().map(|run| disturbance(run)).sum();
        let is_sensitive = measure.depends_on_time();
        RowEntry {
            cell,
            value: None,
            limit: limit(cell),
            disturbance: if is_sensitive { disturbed / runs.len().max(1) as f64 } else { 0.0 },
            rank: Rank::Unranked,
            measure,
        }
    }

    /// Whether its number is the server's own, and can be compared with others. In an open loop
    /// that fell behind, the latencies lack the requests that never began.
    pub fn is_ranked(&self) -> bool {
        let is_open = self.cell.load.rate_asked_per_second.is_some();
        let has_kept_up = !is_open || self.limit == Some(Limit::Rate);
        let is_of_the_server = self.limit.is_some_and(|limit| self.measure.allows(limit));
        is_of_the_server && has_kept_up && self.failed_share() <= FAILED
    }

    /// Whether a run of this cell counts: not if it failed, or if its round was repeated and
    /// another run was disturbed less.
    pub fn counts(&self, run: &Run) -> bool {
        counted_runs(self.cell, self.measure)
            .into_iter()
            .flatten()
            .any(|counted| std::ptr::eq(counted, run))
    }

    /// Whether it has been measured.
    pub fn has_runs(&self) -> bool {
        self.cell.was_attempted()
    }

    /// Whether other processes were noticed in some of its runs.
    pub fn is_disturbed(&self) -> bool {
        self.disturbance > 0.0
    }

    fn requests(&self) -> u64 {
        self.cell.runs.iter().map(|run| run.requests).sum()
    }

    /// The share of the requests that failed.
    pub fn failed_share(&self) -> f64 {
        let failed: u64 = self.cell.runs.iter().map(|run| run.failures_total).sum();
        if failed > 0 { failed as f64 / (failed + self.requests()) as f64 } else { 0.0 }
    }

    /// How requests failed, the most frequent kind first: `status 500`, `reset`.
    pub fn failures(&self) -> Vec<(String, u64)> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (kind, count) in self.cell.runs.iter().flat_map(Run::failures_by_kind) {
            *counts.entry(kind).or_default() += count;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    /// The content of its cell.
    pub fn shown(&self) -> CellValue {
        if !self.cell.was_attempted() {
            return CellValue::NotRun;
        }
        match self.value {
            _ if self.requests() == 0 => CellValue::Failed(1.0),
            _ if self.failed_share() > FAILED => CellValue::Failed(self.failed_share()),
            None => CellValue::Failed(1.0),
            Some(value) => CellValue::Number(self.measure, value),
        }
    }

    /// The line beneath the number: the limit, or how requests failed.
    pub fn label(&self) -> String {
        let failure = || self.failures().into_iter().next().map(|(kind, _)| kind);
        match self.shown() {
            CellValue::NotRun => String::new(),
            CellValue::Failed(_) if self.cell.runs.is_empty() => "no run".into(),
            CellValue::Failed(_) => failure().unwrap_or_else(|| "no answer".into()),
            CellValue::Number(..) => {
                let is_noted = self.is_disturbed() && self.limit != Some(Limit::Neighbours);
                let noted = if is_noted { "~" } else { "" };
                format!("{noted}{}", self.limit.map(Limit::label).unwrap_or_default())
            }
        }
    }
}

/// `5% fail`: short enough for a column.
pub fn failing(share: f64) -> String {
    match share * 100.0 {
        percent if percent >= 99.5 => "all fail".into(),
        percent if percent < 1.0 => format!("{percent:.1}% fail"),
        percent => format!("{percent:.0}% fail"),
    }
}

/// The limit that most runs name; of limits named equally often, the first in order.
fn limit(cell: &Cell) -> Option<Limit> {
    let firsts = cell.runs.iter().filter_map(|run| Some(run.verdict.first()?.kind));
    let mut counts: BTreeMap<Limit, usize> = BTreeMap::new();
    for limit in firsts {
        *counts.entry(limit).or_default() += 1;
    }
    let max = counts.values().copied().max()?;
    counts.into_iter().find(|(_, count)| *count == max).map(|(limit, _)| limit)
}

#[cfg(test)]
#[path = "ranking_tests.rs"]
mod tests;
