//! What a table says, in sentences.

use std::collections::BTreeMap;

use super::standing::{Place, Row};
use super::table::{noise, thousands};
use crate::lab::limit::Limit;
use crate::lab::results::Results;

/// What is most worth knowing.
pub fn sentences(results: &Results, rows: &[Row<'_>]) -> Vec<String> {
    let closed: Vec<_> =
        rows.iter().filter(|row| row.load.rate_asked_per_second.is_none()).collect();
    let mut said = Vec::new();
    let ends = [closed.first(), closed.last().filter(|_| closed.len() > 1)];
    said.extend(ends.into_iter().flatten().filter_map(|row| who_leads(row)));
    said.extend(what_limits(rows));
    said.extend(noise(rows).map(|noise| {
        format!(
            "One and the same server varies by {noise} from run to run (standard deviation); \
             differences that this explains are ties."
        )
    }));
    if results.settings.rounds == 1 {
        said.push(
            "Everything was measured once: the noise is not known, and nobody ranked.".into(),
        );
    }
    let disturbed = rows
        .iter()
        .flat_map(|row| &row.entries)
        .filter(|entry| entry.is_disturbed || entry.limit == Some(Limit::Neighbours));
    let disturbed = disturbed.count();
    if disturbed > 0 {
        said.push(format!(
            "In {disturbed} cells other processes took a part of the machine: measure again when \
             it is quiet."
        ));
    }
    said
}

fn who_leads(row: &Row<'_>) -> Option<String> {
    let mut top: Vec<_> = row
        .entries
        .iter()
        .filter(|entry| matches!(entry.place, Place::Best | Place::TiesWithBest))
        .filter_map(|entry| Some((entry.rate?.median, entry.cell.contestant.as_str())))
        .collect();
    top.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (most, first) = *top.first()?;
    let (clients, most) = (row.load.clients, thousands(most));
    Some(match top.len() {
        1 => format!("With {clients} clients {first} leads, with {most} requests a second."),
        _ => {
            let names: Vec<_> = top.iter().map(|(_, name)| *name).collect();
            let names = listed(&names);
            format!(
                "With {clients} clients {names} tie, at {most} requests a second or little less."
            )
        }
    })
}

/// `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn what_limits(rows: &[Row<'_>]) -> Option<String> {
    let mut counts: BTreeMap<Limit, usize> = BTreeMap::new();
    for limit in rows.iter().flat_map(|row| &row.entries).filter_map(|entry| entry.limit) {
        *counts.entry(limit).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(limit, count)| (std::cmp::Reverse(*count), *limit));
    let parts: Vec<_> = counts
        .iter()
        .map(|(limit, count)| {
            format!("“{}” {count} times", limit.label()).replace(" 1 times", " once")
        })
        .collect();
    let parts: Vec<_> = parts.iter().map(String::as_str).collect();
    (all > 0).then(|| format!("What limited the {all} cells: {}.", listed(&parts)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::report::samples;

    fn said(rates: &[(&str, &[f64])]) -> String {
        let results = samples::grid(&[20, 500], rates);
        sentences(&results, &Row::all(&results)).join("\n")
    }

    #[test]
    fn a_leader_is_named_and_a_tie_is_called_one() {
        let alone = said(&[("a", &[100.0, 101.0]), ("b", &[200.0, 201.0])]);
        assert!(alone.contains("With 20 clients b leads, with 200 requests a second."), "{alone}");
        assert!(alone.contains("With 500 clients b leads"));
        let tie = said(&[("a", &[100.0, 101.0]), ("b", &[100.0, 101.5]), ("c", &[9.0, 9.1])]);
        assert!(tie.contains("clients b and a tie, at 101 requests"), "{tie}");
        assert!(tie.contains("What limited the 6 cells: “cpu” 6 times."), "{tie}");
    }

    #[test]
    fn names_are_listed() {
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
        assert_eq!(listed(&["a"]), "a");
    }
}
