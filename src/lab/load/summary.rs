//! What a load has shown, for who reads it in a terminal.

use std::fmt::Write as _;

use super::outcome::{Mode, Outcome};
use super::witness::ServerSeen;

/// The summary, a few lines long.
pub fn summary(outcome: &Outcome) -> String {
    let mut out = String::new();
    // A string takes whatever is written.
    let _ = write_summary(&mut out, outcome);
    out
}

fn write_summary(out: &mut String, outcome: &Outcome) -> std::fmt::Result {
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
        "  clients    {} asked for, {} connected at once, {} got an answer; {} connections",
        outcome.clients,
        outcome.clients_connected_peak,
        outcome.clients_answered,
        outcome.connections
    )?;
    if outcome.requests > 0 {
        write_latency(out, outcome)?;
    }
    write_failures(out, outcome)?;
    write_oddities(out, outcome)?;
    write_processors(out, outcome)?;
    writeln!(out)?;
    for finding in &outcome.verdict {
        writeln!(out, "{}", wrapped(&finding.text))?;
    }
    if outcome.requests > 0 {
        writeln!(out, "{}", wrapped(meaning(outcome.mode)))?;
    }
    Ok(())
}

/// What latency means, and why it matters from where it counts.
fn meaning(mode: Mode) -> &'static str {
    match mode {
        Mode::Closed => {
            "Closed loop: a client that waits asks nothing, so a server that stalls is asked less, \
             and what would have been held up meanwhile is not counted. --rate shows it."
        }
        Mode::Open => {
            "Open loop: requests were due at fixed times, and latency counts from there, not from \
             when a client was free to send them. So a stall counts for all whom it held up."
        }
    }
}

fn headline(outcome: &Outcome) -> String {
    let clients = match outcome.clients {
        1 => "1 client".to_owned(),
        clients => format!("{clients} clients"),
    };
    let kept = if outcome.keep_alive { "kept alive" } else { "a connection a request" };
    let how = match outcome.rate_asked_per_second {
        Some(rate) => format!("open loop of {rate} requests a second"),
        None if outcome.think_ms > 0 => format!("closed loop, {} ms of thought", outcome.think_ms),
        None => "closed loop".to_owned(),
    };
    let threads = if outcome.threads == 1 { "thread" } else { "threads" };
    let stopped = if outcome.was_interrupted { ", then stopped" } else { "" };
    format!(
        "{}: {clients}, {kept}, {how}, {:.1} s{stopped}, {} {threads}",
        outcome.url, outcome.elapsed_s, outcome.threads
    )
}

fn write_latency(out: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let from = match outcome.mode {
        Mode::Closed => "from the start of a request",
        Mode::Open => "from when a request was due",
    };
    writeln!(out, "  latency    {from} to the last byte of its answer")?;
    let of = &outcome.latency;
    let rows = [
        [("p50", of.latency_p50_us), ("p99", of.latency_p99_us)],
        [("p75", of.latency_p75_us), ("p99.9", of.latency_p999_us)],
        [("p90", of.latency_p90_us), ("p99.99", of.latency_p9999_us)],
        [("mean", of.latency_mean_us as u64), ("most", of.latency_max_us)],
    ];
    for [(left, left_us), (right, right_us)] in rows {
        let (left_us, right_us) = (latency(left_us), latency(right_us));
        writeln!(out, "             {left:6}{left_us:>9}    {right:8}{right_us:>9}")?;
    }
    Ok(())
}

fn write_failures(out: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let before = outcome.failures_before_total;
    for (kind, count) in outcome.counted.by_frequency() {
        writeln!(out, "  failed     {count} {}", kind.words())?;
    }
    if before > 0 {
        writeln!(out, "             {before} of these while the clients were let in")?;
    }
    if let Some(why) = outcome.protocol_error {
        writeln!(out, "             not HTTP/1.1: {why}")?;
    }
    if outcome.failures_total > 0 {
        let median = latency(outcome.failed_latency_p50_us);
        let most = latency(outcome.failed_latency_max_us);
        writeln!(out, "             half of them within {median}, all within {most}")?;
    }
    let bad = outcome.statuses.iter().filter(|(status, _)| !(200..400).contains(*status));
    for (status, count) in bad {
        writeln!(out, "             {count} with status {status}")?;
    }
    Ok(())
}

/// What happens seldom, and is told when it does.
fn write_oddities(out: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let rows = [
        (outcome.late, "late", "begun more than 1 ms after they were due"),
        (outcome.unsent, "unsent", "due, and never begun"),
        (outcome.unfinished, "open", "begun, and not waited for"),
        (outcome.asked_again, "again", "asked again: the kept connection was being closed"),
    ];
    for (count, name, what) in rows.into_iter().filter(|(count, ..)| *count > 0) {
        writeln!(out, "  {name:11}{count} {what}")?;
    }
    Ok(())
}

fn write_processors(out: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let cores = outcome.generator_busy_share * outcome.threads as f64;
    let each = outcome.generator_cpu_us_per_request;
    writeln!(out, "  this load  {cores:.2} of {} cores, {each:.1} µs a request", outcome.threads)?;
    if let Some(server) = &outcome.seen.server {
        let each = outcome.server_cpu_us_per_request.unwrap_or_default();
        let (used, allowed) = (server.cores_used, server.cores_allowed);
        let who = processes(server);
        writeln!(out, "  server     {used:.2} of {allowed} cores, {each:.1} µs a request: {who}")?;
    }
    Ok(())
}

/// The processes that did most of it.
fn processes(server: &ServerSeen) -> String {
    const MOST: usize = 3;
    let groups = server.processes.iter().take(MOST).map(|group| match group.processes {
        1 => format!("{} {:.2}", group.name, group.cores_used),
        count => format!("{count} × {} {:.2}", group.name, group.cores_used),
    });
    groups.collect::<Vec<_>>().join(", ")
}

/// A latency with three digits and a unit.
pub fn latency(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{:.2} ms", us as f64 / 1e3),
        10_000..100_000 => format!("{:.1} ms", us as f64 / 1e3),
        100_000..1_000_000 => format!("{:.0} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
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

/// Lines that fit a terminal.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 78;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let is_full = lines.last().is_some_and(|line| {
            !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH
        });
        if is_full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_three_digits() {
        let shown = [7, 999, 1_234, 12_345, 123_456, 1_234_567].map(latency);
        assert_eq!(shown, ["7 µs", "999 µs", "1.23 ms", "12.3 ms", "123 ms", "1.23 s"]);
    }

    #[test]
    fn sizes_have_a_unit_that_fits() {
        let shown = [0.0, 1023.0, 1024.0, 1_572_864.0].map(size);
        assert_eq!(shown, ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 MiB"]);
    }

    #[test]
    fn lines_fit_a_terminal_and_no_word_is_lost() {
        let text = "word ".repeat(100);
        let lines = wrapped(text.trim());
        assert!(lines.lines().all(|line| line.chars().count() <= 78));
        assert_eq!(lines.split_whitespace().count(), 100);
    }
}
