//! The results in sentences. None says more than was measured.

use std::collections::BTreeMap;

use super::agreement::Agreement;
use super::measure::Measure;
use super::ranking::{CellValue, Rank, Row};
use crate::finding::limit::Limit;
use crate::results::{Cell, Results, Settings};
use crate::statistics::Ratio;
use crate::text::numbers::{counted, factor, rounded};

/// Up to this many rows, the leader of each is named; of more rows, only those of the first, the
/// middle and the last.
const MAX_ROWS: usize = 6;

/// The ratios for which a number of rounds is proposed.
const GOALS: [f64; 8] = [5.0, 3.0, 2.0, 1.5, 1.2, 1.1, 1.05, 1.03];

/// The most important sentences: which server is best under which load, and how sure that is.
pub fn answers(results: &Results, rows: &[Row<'_>]) -> Vec<String> {
    let mut sentences: Vec<_> =
        of_each_mode(results, rows, MAX_ROWS).into_iter().filter_map(best).collect();
    // What a request costs depends little on the kind of loop, so only the first kind is shown.
    let first = rows.first().map(|row| row.load.rate_asked_per_second);
    let first = rows.iter().filter(|row| Some(row.load.rate_asked_per_second) == first);
    let loads: Vec<_> = first.map(|row| row.load).collect();
    for measure in [Measure::Cpu, Measure::Memory] {
        let rows: Vec<_> = loads.iter().map(|load| Row::by(results, *load, measure)).collect();
        sentences.extend(of_each_mode(results, &rows, 2).into_iter().filter_map(best));
    }
    sentences
}

/// The rows of the closed loop, then those of each open one: all, or the first, the middle and the
/// last.
fn of_each_mode<'a, 'b>(
    results: &Results,
    rows: &'b [Row<'a>],
    max_rows: usize,
) -> Vec<&'b Row<'a>> {
    let rates = results.settings.rates_per_second.iter().copied().map(Some);
    let of_mode = |rate: Option<f64>| {
        let rows: Vec<_> =
            rows.iter().filter(|row| row.load.rate_asked_per_second == rate).collect();
        let last = rows.len().saturating_sub(1);
        let mut shown = if max_rows < 3 { vec![0, last] } else { vec![0, last / 2, last] };
        if rows.len() <= max_rows {
            shown = (0..rows.len()).collect();
        }
        shown.dedup();
        let shown = shown.into_iter().filter_map(|index| rows.get(index).copied());
        shown.collect::<Vec<_>>()
    };
    [None].into_iter().chain(rates).flat_map(of_mode).collect()
}

/// What failed, and what the limits were.
pub fn remarks(rows: &[Row<'_>]) -> Vec<String> {
    what_fails(rows).into_iter().chain(what_limits(rows)).collect()
}

/// How sure the answers are.
pub fn certainty(results: &Results, rows: &[Row<'_>]) -> Vec<String> {
    let mut sentences = Vec::new();
    sentences.extend(sensitivity(rows));
    if results.settings.rounds == 1 {
        sentences.push(
            "Everything was measured once: the noise is not known, and no server is ranked.".into(),
        );
    }
    sentences.extend(Agreement::of(results).map(|agreement| agreement.in_words()));
    sentences.extend(too_wide(results, rows));
    sentences.extend(disturbed(results, rows));
    sentences
}

/// The rule by which the bench measured further rounds, if it had one.
pub fn extra_rounds(settings: &Settings) -> Option<String> {
    Some(format!(
        "After {}, rows with an interval wider than ±{} % were measured in further rounds, up to \
         {} in all.",
        counted(settings.rounds as u64, "round"),
        settings.until_percent?,
        settings.max_rounds?
    ))
}

/// The rows whose intervals stayed wider than `--until` asks for.
fn too_wide(results: &Results, rows: &[Row<'_>]) -> Vec<String> {
    let Some(percent) = results.settings.until_percent else { return Vec::new() };
    let mut sentences = Vec::new();
    for row in rows {
        let rounds = counted(results.rounds_of(row.load) as u64, "round");
        let with = format!("With {}", row.name());
        match row.widest_interval() {
            Some(width) if row.is_wider_than(percent) => sentences.push(format!(
                "{with} the widest interval is still ±{:.1} % after {rounds}.",
                width * 100.0
            )),
            Some(_) => {}
            None => sentences.push(format!(
                "{with} no interval is known after {rounds}, because fewer than two servers are \
                 ranked."
            )),
        }
    }
    let more = sentences.len().saturating_sub(MAX_ROWS);
    if more > 1 {
        sentences.truncate(MAX_ROWS);
        sentences.push(format!("{more} more rows did not become as narrow as ±{percent} %."));
    }
    sentences
}

/// How much a run varies, and the least ratio that the bench could detect.
pub fn sensitivity(rows: &[Row<'_>]) -> Option<String> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let noise = range(rows.iter().filter_map(Row::noise), percent)?;
    let least = |row: &Row<'_>| row.pairs().map(|ratio| ratio.least_detectable).reduce(f64::min);
    let varies =
        format!("A run of the same server varies by {noise} within a row (standard deviation).");
    let Some(least) = range(rows.iter().filter_map(least), factor) else { return Some(varies) };
    Some(format!(
        "{varies} This bench would tell servers apart that differ by a factor of {least}, in four \
         of five cases. In one row of twenty, servers that are alike may be said to differ."
    ))
}

/// The least and the greatest of these numbers in words; one of them if both read alike.
fn range(values: impl Iterator<Item = f64>, write: fn(f64) -> String) -> Option<String> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let (min, max) = (write(*values.first()?), write(*values.last()?));
    Some(if min == max { min } else { format!("{min} to {max}") })
}

/// `1.31 times (1.22–1.41) threaded's`.
pub fn multiple(ratio: Ratio, other: &str) -> String {
    format!("{:.2} times ({:.2}–{:.2}) {other}'s", ratio.value, ratio.low, ratio.high)
}

/// The leader of a row, or the servers that can't be told apart.
pub fn best(row: &Row<'_>) -> Option<String> {
    let best = row.best();
    let (first, last) = (*best.first()?, *best.last()?);
    let name = |index: usize| row.entries[index].cell.subject.as_str();
    let value = |index: usize| row.entries[index].value.map_or(0.0, |value| value.value);
    let write = |value: f64| row.measure.write(rounded(value));
    let with = format!("With {}", row.name());
    let what = row.measure.name();
    if first != last {
        let names = among_best(row, &best);
        let (low, high) = (value(first).min(value(last)), value(first).max(value(last)));
        let (low, high) = (write(low), write(high));
        let values = if low == high { low } else { format!("{low}–{high}") };
        return Some(format!(
            "{with}, {names} can't be told apart in {what}: {values}{}.",
            widest(row).map_or(String::new(), |widest| format!("; {}", detectable(widest)))
        ));
    }
    let lead = match row.measure {
        Measure::Throughput => format!("{} leads with {} {what}", name(first), write(value(first))),
        _ => format!("{} has the least {what}, {}", name(first), write(value(first))),
    };
    let than = lead_over_next(row)
        .map_or(String::new(), |(next, ratio)| format!(": {}", multiple(ratio, next)));
    let entry = &row.entries[first];
    let remark = if entry.is_disturbed() { ", although other processes disturbed it" } else { "" };
    let limit = entry.limit.filter(|_| row.measure == Measure::Throughput);
    let limit = limit.map_or(String::new(), |limit| format!(" (limit: {})", limit.label()));
    Some(format!("{with}, {lead}{limit}{than}{remark}."))
}

/// The servers that can't be told apart from the best, in words: `epoll and poll`; if there are
/// many, `5 of 7 servers, epoll among them,`.
pub fn among_best(row: &Row<'_>, best: &[usize]) -> String {
    const MAX_NAMES: usize = 3;
    let names: Vec<_> = best.iter().map(|index| row.entries[*index].cell.subject.clone()).collect();
    match (names.len(), row.order().len()) {
        (count, all) if count > MAX_NAMES && count == all => format!("all {all} servers"),
        (count, all) if count > MAX_NAMES => {
            format!("{count} of {all} servers, {} among them,", names[0])
        }
        _ => listed(&names),
    }
}

/// The first server behind the leader, and the leader's value as a multiple of that server's.
pub fn lead_over_next<'a>(row: &Row<'a>) -> Option<(&'a str, Ratio)> {
    let (first, order) = (*row.best().first()?, row.order());
    let next = order.into_iter().find(|index| row.entries[*index].rank == Rank::Behind)?;
    let cell: &'a Cell = row.entries[next].cell;
    Some((&cell.subject, row.ratio(first, next)?))
}

/// Of the servers that can't be told apart from the best, the pair that varies most.
pub fn widest(row: &Row<'_>) -> Option<Ratio> {
    let best = row.best();
    let pairs = best
        .iter()
        .enumerate()
        .flat_map(|(at, one)| best[at + 1..].iter().filter_map(|other| row.ratio(*one, *other)));
    pairs.max_by(|one, other| one.least_detectable.total_cmp(&other.least_detectable))
}

/// The ratio that this bench could have detected, and how many rounds would detect a smaller one.
pub fn detectable(widest: Ratio) -> String {
    let least = widest.least_detectable;
    let detected = format!("this bench could have detected a factor of {}", factor(least));
    let goal = GOALS.into_iter().find(|goal| *goal < least * 0.97);
    let rounds = goal.and_then(|goal| Some((goal, widest.rounds_for(goal)?)));
    match rounds {
        Some((goal, rounds)) => {
            let rounds = counted(rounds as u64, "round");
            format!("{detected}; {rounds} would detect {goal}")
        }
        None => detected,
    }
}

/// Which cells other processes disturbed, and how many runs were repeated for that reason.
fn disturbed(results: &Results, rows: &[Row<'_>]) -> Vec<String> {
    let entries = rows.iter().flat_map(|row| &row.entries);
    let disturbed = entries.filter(|entry| entry.is_disturbed()).count() as u64;
    let repeated: usize = results.cells.iter().map(|cell| cell.repeats()).sum();
    let mut sentences = Vec::new();
    if repeated > 0 {
        let runs = counted(repeated as u64, "run");
        sentences.push(format!(
            "{runs} had to be measured again, because other processes had disturbed the first \
             attempt."
        ));
    }
    if disturbed > 0 {
        sentences.push(format!(
            "In {} other processes used the cores of server or load generator, even when measured \
             again. There only a much larger difference is ranked.",
            counted(disturbed, "cell")
        ));
    }
    sentences
}

/// The most cells that a sentence names.
const MAX_CELLS: usize = 6;

/// `a, b and c`.
pub fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The cells that have no number, because requests failed.
fn what_fails(rows: &[Row<'_>]) -> Option<String> {
    let mut failing = Vec::new();
    for row in rows {
        for entry in &row.entries {
            if matches!(entry.shown(), CellValue::Failed(_)) {
                let (name, label) = (&entry.cell.subject, entry.label());
                failing.push(format!("{name} with {} ({label})", row.name()));
            }
        }
    }
    let count = counted(failing.len() as u64, "cell");
    let have = if failing.len() == 1 { "has" } else { "have" };
    let more = failing.len().saturating_sub(MAX_CELLS);
    if more > 1 {
        failing.truncate(MAX_CELLS);
        failing.push(format!("{more} more"));
    }
    (!failing.is_empty()).then(|| {
        format!("{count} {have} no number, because requests failed: {}.", listed(&failing))
    })
}

fn what_limits(rows: &[Row<'_>]) -> Option<String> {
    let mut counts: BTreeMap<Limit, u64> = BTreeMap::new();
    let entries = rows.iter().flat_map(|row| &row.entries);
    let numbers = entries.filter(|entry| matches!(entry.shown(), CellValue::Number(..)));
    for limit in numbers.filter_map(|entry| entry.limit) {
        *counts.entry(limit).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(limit, count)| (std::cmp::Reverse(*count), *limit));
    let parts: Vec<_> = counts
        .iter()
        .map(|(limit, count)| format!("“{}” in {}", limit.label(), counted(*count, "cell")))
        .collect();
    (!parts.is_empty()).then(|| format!("The limit was {}.", listed(&parts)))
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
