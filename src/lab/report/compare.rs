//! Two benches beside each other: the ratio of their numbers, and whether it is more than noise.

use std::fmt::Write as _;

use super::standing::{Entry, Row};
use super::table::{Style, thousands};
use crate::lab::limit::Limit;
use crate::lab::results::Results;
use crate::lab::statistics::{self, Comparison, Noise, Sample, least_difference};

/// Compares: what the second is in terms of the first.
pub fn compare(first: &Results, second: &Results, style: Style) -> String {
    let mut out = format!("{}  {}\n{}  {}\n", "1:", told(first), "2:", told(second));
    for difference in differences(first, second) {
        let _ = writeln!(out, "   but {difference}");
    }
    out.push('\n');
    let (mut compared, mut ties) = (0, 0);
    for row in Row::all(first) {
        let other = Row::of(second, row.load);
        for entry in &row.entries {
            let same =
                other.entries.iter().find(|same| same.cell.contestant == entry.cell.contestant);
            let Some(line) = same.and_then(|same| line(&row, entry, &other, same, style)) else {
                continue;
            };
            if compared == 0 {
                out += "                                     1          2    2/1\n";
            }
            ties += usize::from(line.ends_with("  tie\n"));
            out += &line;
            compared += 1;
        }
    }
    if compared > 0 {
        let _ = writeln!(out, "\n{ties} of {compared} tie.");
    } else {
        out += "They have no server under the same load in common.\n";
    }
    out
}

fn told(results: &Results) -> String {
    let settings = &results.settings;
    format!(
        "{}, {}, {}, store {}, profile {}, {} of {} s",
        results.started,
        results.program,
        settings.path,
        settings.store,
        settings.profile,
        super::median(settings.rounds),
        settings.seconds
    )
}

/// What is not the same, so that it is not forgotten.
fn differences(first: &Results, second: &Results) -> Vec<String> {
    let (one, other) = (&first.settings, &second.settings);
    let machines = |results: &Results| {
        let machine = &results.machine;
        format!("{}, {} cores, {}", machine.cpu_model, machine.cores, machine.kernel)
    };
    let commands = |results: &Results| {
        let of = results.contestants.iter().map(|contestant| contestant.command.clone());
        of.collect::<Vec<_>>().join("; ")
    };
    let pairs = [
        ("the machines", machines(first), machines(second)),
        ("what was asked for", one.path.clone(), other.path.clone()),
        ("the stores", one.store.clone(), other.store.clone()),
        ("the profiles", one.profile.clone(), other.profile.clone()),
        ("who ran where", one.who_ran_where(), other.who_ran_where()),
        ("the commands", commands(first), commands(second)),
    ];
    let differing = pairs.into_iter().filter(|(_, one, other)| one != other);
    differing.map(|(what, one, other)| format!("{what} differ: {one} | {other}")).collect()
}

fn line(
    row: &Row<'_>,
    entry: &Entry<'_>,
    other: &Row<'_>,
    same: &Entry<'_>,
    style: Style,
) -> Option<String> {
    let (first, second) = (entry.rate?, same.rate?);
    let noise = row.noise.zip(other.noise).map(|(one, other)| one.max(other));
    let is_fair = entry.is_of_the_server() && same.is_of_the_server();
    let is_tie = statistics::compare(&second, &first, noise) == Comparison::Tie;
    let word = match is_fair || is_tie {
        true => word(&second, &first, noise),
        false => format!("not ranked: {} | {}", label(entry), label(same)),
    };
    let open = row.load.rate_asked_per_second;
    let rate = open.map_or(String::new(), |rate| format!(", {rate}/s"));
    let what = format!("{}, {} clients{rate}", entry.cell.contestant, row.load.clients);
    let ratio = second.median / first.median;
    let text = format!(
        "{what:<28}{:>10} {:>10}  {ratio:>5.2}  {word}",
        thousands(first.median),
        thousands(second.median)
    );
    let is_change = is_fair && !matches!(word.as_str(), "tie" | "one round: noise unknown");
    let bold = style == Style::Terminal && is_change;
    Some(if bold { format!("\x1b[1m{text}\x1b[0m\n") } else { text + "\n" })
}

fn label(entry: &Entry<'_>) -> &'static str {
    entry.limit.map_or("failed", Limit::label)
}

fn word(second: &Sample, first: &Sample, noise: Option<Noise>) -> String {
    let beyond = |noise| least_difference(second, first, noise) * 100.0;
    match (statistics::compare(second, first, noise), noise) {
        (Comparison::More, Some(noise)) => format!("more (noise: {:.0} %)", beyond(noise)),
        (Comparison::Less, Some(noise)) => format!("less (noise: {:.0} %)", beyond(noise)),
        (Comparison::Tie, _) => "tie".into(),
        _ => "one round: noise unknown".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::report::samples;

    #[test]
    fn ratios_stand_beside_whether_they_are_noise() {
        let first = samples::row(&[("a", &[1000.0, 1010.0]), ("b", &[500.0, 505.0])]);
        let second = samples::row(&[("a", &[1005.0, 1008.0]), ("b", &[700.0, 707.0])]);
        let text = compare(&first, &second, Style::Plain);
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line("a, 20 clients").ends_with("1.00  tie"), "{text}");
        assert!(line("b, 20 clients").contains("1.40  more (noise: "), "{text}");
        assert!(text.ends_with("\n1 of 2 tie.\n") && !text.contains("differ"), "{text}");
    }

    #[test]
    fn what_is_not_alike_is_said_first() {
        let first = samples::row(&[("a", &[1000.0, 1010.0])]);
        let mut second = samples::row(&[("z", &[1000.0, 1010.0])]);
        second.settings.store = "redis://h/9".into();
        let text = compare(&first, &second, Style::Plain);
        assert!(text.contains("but the stores differ: embedded | redis://h/9"), "{text}");
        assert!(text.contains("no server under the same load in common"), "{text}");
    }
}
