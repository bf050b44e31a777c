//! Compares two benches: the ratios of their numbers, and whether they exceed the noise.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::measure::Measure;
use super::ranking::{CellValue, Row, RowEntry, failing};
use super::style::Style;
use super::table::averaged;
use crate::results::{Load, Results};
use crate::statistics::{Change, compare_benches};
use crate::text::wrap::wrapped;

/// The remark on two numbers whose difference does not exceed the noise.
const UNDECIDED: &str = "can't be told apart";

/// The remark on numbers of a single run.
const UNKNOWN: &str = "one round: noise unknown";

/// The settings that decide what is requested, and of which server. If they differ, the numbers
/// measure different things.
const DECISIVE: [&str; 4] = ["path", "store", "keep_alive", "profile"];

/// The measures that are compared.
const MEASURES: [Measure; 5] =
    [Measure::Throughput, Measure::P50, Measure::P99, Measure::Cpu, Measure::Memory];

/// Compares two benches: shows the second as a multiple of the first.
pub fn compare(first: &Results, second: &Results, style: Style) -> String {
    let mut out = String::new();
    for (name, results) in [("1", first), ("2", second)] {
        out += &(wrapped(&format!("{name}:  {}", description(results)), style.width, 4) + "\n");
    }
    for difference in differences(first, second) {
        out += &(wrapped(&format!("   but {difference}"), style.width, 7) + "\n");
    }
    let (one, other) = (leaves(&first.settings, ""), leaves(&second.settings, ""));
    let decisive: Vec<_> =
        DECISIVE.into_iter().filter(|name| one.get(*name) != other.get(*name)).collect();
    if !decisive.is_empty() {
        let names = decisive.join(" and ").replace('_', "-");
        let text =
            format!("They can't be compared: {names} decides what is measured, and differs.");
        return out + "\n" + &wrapped(&text, style.width, 0) + "\n";
    }
    let (mut compared, mut undecided) = (0, 0);
    for measure in MEASURES {
        let rows = |results| -> Vec<Row<'_>> {
            let loads = Results::loads(results).into_iter();
            // An open loop has a given rate.
            let is_result = |load: &Load| {
                measure != Measure::Throughput || load.rate_asked_per_second.is_none()
            };
            loads.filter(is_result).map(|load| Row::by(results, load, measure)).collect()
        };
        let (ones, others) = (rows(first), rows(second));
        let pairs = pairs(&ones, &others);
        let lines: Vec<_> = pairs.iter().filter_map(|pair| pair.line(style)).collect();
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{:<37}1          2    2/1", measure.name());
        out.extend(lines);
        compared += pairs.len();
        undecided += pairs
            .iter()
            .filter(|pair| pair.change.is_some_and(|change| !change.is_different))
            .count();
    }
    if compared > 0 {
        let _ = writeln!(out, "\n{undecided} of {compared} {UNDECIDED}.");
    } else {
        out += "\nThey have no server under the same load in common.\n";
    }
    out
}

/// The cells that both benches have, compared with each other.
fn pairs<'a>(ones: &'a [Row<'a>], others: &'a [Row<'a>]) -> Vec<CellPair<'a>> {
    let mut pairs = Vec::new();
    let mut values = Vec::new();
    for row in ones {
        let Some(other) = others.iter().find(|other| other.load == row.load) else { continue };
        let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
        for (at, first) in row.entries.iter().enumerate() {
            let Some(same) = other.position(&first.cell.subject) else { continue };
            of_one.push(row.log_values(at));
            of_other.push(other.log_values(same));
            pairs.push(CellPair { row, first, second: &other.entries[same], change: None });
        }
        values.push((of_one, of_other));
    }
    let changes = compare_benches(&values).into_iter().flatten();
    for (pair, change) in pairs.iter_mut().zip(changes) {
        pair.change = change;
    }
    pairs
}

fn description(results: &Results) -> String {
    let settings = &results.settings;
    let stopped = if results.was_interrupted { ", stopped early" } else { "" };
    format!(
        "{}, {}, {}, store {}, profile {}, {} of {} s{stopped}",
        results.started,
        results.program,
        settings.path,
        settings.store,
        settings.profile,
        averaged(results),
        settings.seconds
    )
}

/// All differences of the settings, the machine and the servers, so that none is overlooked.
fn differences(first: &Results, second: &Results) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare_leaves = |what: &str, one: Leaves, other: Leaves| {
        for name in one.keys().chain(other.keys().filter(|name| !one.contains_key(*name))) {
            let value = |leaves: &Leaves| leaves.get(name).cloned().unwrap_or("not set".into());
            let (one, other) = (value(&one), value(&other));
            if one != other {
                found.push(format!("{what}{} differs: {one} | {other}", name.replace('_', " ")));
            }
        }
    };
    compare_leaves("", leaves(&first.program, "program"), leaves(&second.program, "program"));
    compare_leaves("", leaves(&first.settings, ""), leaves(&second.settings, ""));
    compare_leaves("machine: ", leaves(&first.machine, ""), leaves(&second.machine, ""));
    for subject in &first.subjects {
        let same = second.subjects.iter().find(|same| same.name == subject.name);
        if let Some(same) = same {
            compare_leaves(&format!("{}: ", subject.name), leaves(subject, ""), leaves(same, ""));
        }
    }
    found
}

/// The leaves of a JSON value, named by their path: `cores.server`.
type Leaves = BTreeMap<String, String>;

fn leaves(value: &impl Serialize, name: &str) -> Leaves {
    let mut leaves = BTreeMap::new();
    gather(serde_json::to_value(value).unwrap_or_default(), name.to_owned(), &mut leaves);
    leaves
}

fn gather(value: Value, name: String, leaves: &mut Leaves) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field } else { format!("{name}.{field}") };
                gather(value, name, leaves);
            }
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(in_words).collect();
            leaves.insert(name, items.join(", "));
        }
        value => drop(leaves.insert(name, in_words(&value))),
    }
}

fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "not known".into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        value => value.to_string(),
    }
}

/// A cell that both benches have, by one measure.
struct CellPair<'a> {
    row: &'a Row<'a>,
    first: &'a RowEntry<'a>,
    second: &'a RowEntry<'a>,
    change: Option<Change>,
}

impl CellPair<'_> {
    fn line(&self, style: Style) -> Option<String> {
        let (first, second) = (self.first.value?.value, self.second.value?.value);
        let word = match (self.first.is_ranked() && self.second.is_ranked(), self.change) {
            (false, _) => format!(
                "not ranked: {} | {}",
                limit_in_words(self.first),
                limit_in_words(self.second)
            ),
            (true, None) => UNKNOWN.into(),
            (true, Some(change)) => {
                let interval = format!("({:.2}–{:.2})", change.low, change.high);
                let word = match change.is_different {
                    false => UNDECIDED,
                    true if change.value > 1.0 => "more",
                    true => "less",
                };
                format!("{interval} {word}")
            }
        };
        let what = format!("{}, {}", self.first.cell.subject, self.row.name());
        let write = |value| self.row.measure.write(value);
        let ratio = self.change.map_or(second / first, |change| change.value);
        let text =
            format!("{what:<28}{:>10} {:>10}  {ratio:>5.2} {word}", write(first), write(second));
        let text = wrapped(&text, style.width, 4);
        let is_different = self.change.is_some_and(|change| change.is_different);
        Some(if style.in_colour && is_different {
            format!("\x1b[1m{text}\x1b[0m\n")
        } else {
            text + "\n"
        })
    }
}

/// The cell's limit, or the share of its requests that failed.
fn limit_in_words(entry: &RowEntry<'_>) -> String {
    match entry.shown() {
        CellValue::Failed(share) => format!("{} ({})", failing(share), entry.label()),
        _ => entry.label(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;
    use crate::report::style::PLAIN;

    #[test]
    fn ratios_are_shown_with_whether_they_exceed_the_noise() {
        let first = samples::row(&[("a", &[1000.0, 1010.0]), ("b", &[500.0, 505.0])]);
        let second = samples::row(&[("a", &[1005.0, 1008.0]), ("b", &[700.0, 707.0])]);
        let text = compare(&first, &second, PLAIN);
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line("a, 20 clients").ends_with("1.00 (0.96–1.05) can't be told apart"), "{text}");
        assert!(line("b, 20 clients").ends_with("1.40 (1.34–1.46) more"), "{text}");
        assert!(text.ends_with("\n9 of 10 can't be told apart.\n"), "{text}");
        assert!(!text.contains("differ"), "{text}");
    }

    #[test]
    fn every_setting_that_differs_is_listed_first() {
        let first = samples::row(&[("a", &[1000.0, 1010.0])]);
        let mut second = samples::row(&[("z", &[1000.0, 1010.0])]);
        let text = compare(&first, &second, PLAIN);
        assert!(text.contains("no server under the same load in common"), "{text}");
        second.settings.store = "redis://h/9".into();
        let text = compare(&first, &second, PLAIN);
        assert!(text.contains("but store differs: embedded | redis://h/9"), "{text}");
        assert!(
            text.ends_with("can't be compared: store decides what is measured, and differs.\n"),
            "{text}"
        );
        // This works for all settings, future ones too.
        let settings = serde_json::to_value(&first.settings).unwrap();
        for (name, value) in settings.as_object().unwrap() {
            let other = match value {
                Value::Bool(is) => Value::Bool(!is),
                Value::String(_) => "other".into(),
                Value::Number(_) => 77.into(),
                Value::Array(_) if name == "varied" => serde_json::json!(["x"]),
                Value::Array(_) => serde_json::json!([77]),
                _ => serde_json::json!({ "server": [7], "store": [8], "load": [9] }),
            };
            let mut changed = settings.clone();
            changed[name] = other;
            let mut second = first.clone();
            second.settings = serde_json::from_value(changed).unwrap();
            let text = compare(&first, &second, PLAIN);
            let name = name.replace('_', " ");
            let is_listed = text.lines().any(|line| {
                line.starts_with(&format!("   but {name}")) && line.contains(" differs: ")
            });
            assert!(is_listed, "{name}: {text}");
        }
    }

    #[test]
    fn a_server_that_was_started_with_other_options_is_listed() {
        let first = samples::row(&[("a", &[1000.0, 1010.0])]);
        let mut second = first.clone();
        second.subjects[0].keeps_alive = true;
        second.subjects[0].knobs = [("queue".to_owned(), "10".to_owned())].into();
        let text = compare(&first, &second, PLAIN);
        assert!(text.contains("but a: keeps alive differs: no | yes"), "{text}");
        assert!(text.contains("but a: knobs.queue differs: not set | 10"), "{text}");
    }
}
