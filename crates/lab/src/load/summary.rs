//! The outcome of a load, for a reader at a terminal.

use std::fmt::Write as _;

use super::observer::ObservedServer;
use super::outcome::{LoadOutcome, LoopMode};
use crate::text::numbers::{counted, latency, of_cores};

/// The summary, in lines of at most this many columns.
pub fn summary(outcome: &LoadOutcome, columns: usize) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    let _ = write_summary(&mut out, outcome);
    let lines = out.lines().map(|line| wrapped(line, columns) + "\n");
    lines.collect()
}

/// The width of the summary in columns: that of the terminal, within bounds.
pub fn columns(terminal: Option<usize>) -> usize {
    const WIDEST: usize = 78;
    const NARROWEST: usize = 40;
    terminal.map_or(WIDEST, |columns| columns.clamp(NARROWEST, WIDEST))
}

fn write_summary(out: &mut String, outcome: &LoadOutcome) -> std::fmt::Result {
    let total = outcome.failures_total;
    writeln!(out, "{}", headline(outcome))?;
    writeln!(
        out,
        "\n  requests   {} good, {total} failed; {} good ones a second",
        outcome.requests,
        number(outcome.requests_per_second)
    )?;
    let (bytes, bytes_per_s) = (outcome.bytes_received as f64, outcome.bytes_received_per_second);
    writeln!(out, "  received   {}, {} a second", size(bytes), size(bytes_per_s))?;
    writeln!(
        out,
        "  clients    {} asked for, {} connected at the same time, {} got an answer; {}",
        outcome.clients,
        outcome.clients_connected_peak,
        outcome.clients_answered,
        counted(outcome.connections, "connection")
    )?;
    if outcome.requests > 0 {
        write_latency(out, outcome)?;
    }
    write_failures(out, outcome)?;
    write_oddities(out, outcome)?;
    write_processors(out, outcome)?;
    writeln!(out)?;
    for finding in &outcome.verdict {
        writeln!(out, "{}", finding.text)?;
    }
    if outcome.requests > 0 {
        writeln!(out, "{}", meaning(outcome.mode))?;
    }
    Ok(())
}

/// What the latencies of this kind of loop mean.
fn meaning(mode: LoopMode) -> &'static str {
    match mode {
        LoopMode::Closed => {
            "Closed loop: a client sends nothing while it waits, so a server that stalls gets \
             fewer requests, and the delay of those that were not sent is not counted. --rate \
             shows it."
        }
        LoopMode::Open => {
            "Open loop: requests were due at fixed times, and latency counts from these, not from \
             when a client was free to send. So a stall counts for each request that it delayed."
        }
    }
}

fn headline(outcome: &LoadOutcome) -> String {
    let clients = counted(outcome.clients as u64, "client");
    let kept = if outcome.keep_alive { "kept alive" } else { "a connection per request" };
    let how = match outcome.rate_asked_per_second {
        Some(1.0) => "open loop of 1 request a second".to_owned(),
        Some(rate) => format!("open loop of {rate} requests a second"),
        None if outcome.think_ms > 0 => format!("closed loop, {} ms think time", outcome.think_ms),
        None => "closed loop".to_owned(),
    };
    let threads = counted(outcome.threads as u64, "thread");
    let stopped = if outcome.was_interrupted { ", then stopped" } else { "" };
    format!(
        "{}: {clients}, {kept}, {how}, {:.1} s{stopped}, {threads}",
        outcome.url, outcome.elapsed_s
    )
}

fn write_latency(out: &mut String, outcome: &LoadOutcome) -> std::fmt::Result {
    let from = match outcome.mode {
        LoopMode::Closed => "from the start of a request",
        LoopMode::Open => "from when a request was due",
    };
    writeln!(out, "  latency    {from} to the last byte of its answer")?;
    let of = &outcome.latency;
    let rows = [
        [("p50", of.latency_p50_us), ("p99", of.latency_p99_us)],
        [("p75", of.latency_p75_us), ("p99.9", of.latency_p999_us)],
        [("p90", of.latency_p90_us), ("p99.99", of.latency_p9999_us)],
        [("mean", of.latency_mean_us as u64), ("max", of.latency_max_us)],
    ];
    for [(left, left_us), (right, right_us)] in rows {
        let (left_us, right_us) = (latency(left_us as f64), latency(right_us as f64));
        writeln!(out, "             {left:6}{left_us:>9}    {right:8}{right_us:>9}")?;
    }
    Ok(())
}

fn write_failures(out: &mut String, outcome: &LoadOutcome) -> std::fmt::Result {
    let before = outcome.failures_before_total;
    for (kind, count) in outcome.all_failures.by_frequency() {
        writeln!(out, "  failed     {}", kind.counted(count))?;
    }
    if before > 0 {
        writeln!(out, "             {before} of these began before the measured time")?;
    }
    if let Some(why) = &outcome.protocol_error {
        writeln!(out, "             the first answer that can't be read: {why}")?;
    }
    if outcome.failures_total > 1 {
        let median = latency(outcome.failed_latency_p50_us as f64);
        let max = latency(outcome.failed_latency_max_us as f64);
        writeln!(out, "             half of them failed within {median}, all within {max}")?;
    }
    for (status, count) in outcome.bad_statuses() {
        writeln!(out, "             {count} with status {status}")?;
    }
    Ok(())
}

/// Rare events, reported only if they have happened.
fn write_oddities(out: &mut String, outcome: &LoadOutcome) -> std::fmt::Result {
    let rows = [
        (outcome.late, "late", "began more than 1 ms after they were due"),
        (
            outcome.generator_late,
            "",
            "of these because the load generator was late, although a client was free",
        ),
        (outcome.unsent, "unsent", "were due and never began"),
        (outcome.unfinished, "open", "without an answer at the end"),
        (outcome.answered_early, "early", "answered before all of the request was sent"),
        (outcome.asked_again, "again", "sent again: the server was closing the connection"),
    ];
    for (count, name, what) in rows.into_iter().filter(|(count, ..)| *count > 0) {
        writeln!(out, "  {name:11}{count} {what}")?;
    }
    Ok(())
}

fn write_processors(out: &mut String, outcome: &LoadOutcome) -> std::fmt::Result {
    let used = outcome.generator_busy_share * outcome.threads as f64;
    let each = outcome.generator_cpu_us_per_request;
    let spun = match outcome.generator_spun_share * outcome.threads as f64 {
        spun if spun < 0.01 => String::new(),
        spun => format!("; {spun:.2} more to poll the clock"),
    };
    let used = of_cores(used, outcome.threads);
    writeln!(out, "  generator  {used}, {each:.1} µs a request{spun}")?;
    if outcome.mode == LoopMode::Open && outcome.generator_lateness_max_us > 0 {
        let of = [
            outcome.generator_lateness_p50_us,
            outcome.generator_lateness_p99_us,
            outcome.generator_lateness_max_us,
        ];
        let [p50, p99, max] = of.map(|us| latency(us as f64));
        writeln!(out, "             its own lateness: p50 {p50}, p99 {p99}, max {max}")?;
    }
    if let Some(server) = &outcome.seen.server {
        let each = outcome.server_cpu_us_per_request.unwrap_or_default();
        let used = of_cores(server.cores_used, server.cores_allowed);
        let processes = processes(server);
        writeln!(out, "  server     {used}, {each:.1} µs a request: {processes}")?;
    }
    Ok(())
}

/// The processes of the server that used most processor time, with the cores that they used.
fn processes(server: &ObservedServer) -> String {
    const MAX: usize = 3;
    let groups = server.processes.iter().take(MAX).map(|group| match group.processes {
        1 => format!("{} {:.2}", group.name, group.cores_used),
        count => format!("{count} × {} {:.2}", group.name, group.cores_used),
    });
    groups.collect::<Vec<_>>().join(", ")
}

fn number(value: f64) -> String {
    if value < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

fn size(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes, 0);
    while value >= 1024.0 && unit < UNITS.len() - 1 {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if unit == 0 { 0 } else { 1 };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A line, broken between words to fit. Continuation lines of a row are indented by the width of
/// the row's label.
fn wrapped(line: &str, columns: usize) -> String {
    const LABEL_WIDTH: usize = 13;
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    let is_row = line.starts_with("  ");
    let indent = if is_row { " ".repeat(LABEL_WIDTH) } else { String::new() };
    let (name, rest) =
        if is_row { line.split_at_checked(LABEL_WIDTH).unwrap_or(("", line)) } else { ("", line) };
    let mut out = name.to_owned();
    let mut at = if is_row { LABEL_WIDTH } else { 0 };
    let mut is_first = true;
    for word in rest.split(' ') {
        let len = word.chars().count();
        if !is_first && at + 1 + len > columns {
            out.push('\n');
            out.push_str(&indent);
            at = indent.len();
        } else if !is_first {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += len;
        is_first = false;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_that_fits() {
        let shown = [0.0, 1023.0, 1024.0, 1_572_864.0].map(size);
        assert_eq!(shown, ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 MiB"]);
    }

    #[test]
    fn lines_fit_a_terminal_and_no_word_is_lost() {
        let text = "word ".repeat(100);
        for columns in [40, 60, 78] {
            let lines = wrapped(text.trim(), columns);
            assert!(lines.lines().all(|line| line.chars().count() <= columns), "{lines}");
            assert_eq!(lines.split_whitespace().count(), 100);
        }
        let row = "  clients    50 asked for, 50 connected at the same time";
        let lines =
            "  clients    50 asked for, 50\n             connected at the\n             same time";
        assert_eq!(wrapped(row, 30), lines);
        assert_eq!(wrapped(row, 78), row);
    }

    #[test]
    fn a_summary_is_as_wide_as_its_terminal_up_to_a_bound() {
        assert_eq!([None, Some(60), Some(200), Some(0)].map(columns), [78, 60, 78, 40]);
    }
}
