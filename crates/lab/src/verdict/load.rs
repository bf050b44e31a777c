//! The verdict of a load: what limited the numbers, and what else a reader has to know before
//! believing them. It depends on the observations only.

use std::fmt::Write as _;

use super::bottleneck::{disturbed, nothing_limits, server_limits, shortages};
use super::observations::Observations;
use super::thresholds::{BUSY, SHARED};
use crate::failure::Failure;
use crate::finding::diagnosis::Diagnosis;
use crate::finding::{Finding, finding};
use crate::text::numbers::latency;

/// Judges a load. The first finding says what limited the numbers. In an open loop, a finding
/// about the rate comes before it.
pub fn judge(seen: &Observations) -> Vec<Finding<Diagnosis>> {
    if seen.requests == 0 {
        return vec![finding(Diagnosis::NothingMeasured, nothing_measured(seen))];
    }
    let mut found = Vec::new();
    let kept_up = seen.rate_asked.is_some_and(|rate| seen.has_kept_up(rate));
    if let Some(rate) = seen.rate_asked {
        found.push(open_loop(seen, rate, kept_up));
    }
    let generator = generator(seen);
    let is_generator = !generator.is_empty();
    found.extend(generator);
    found.extend(shortages(seen));
    // A server that keeps up with the rate was not limited.
    if !kept_up {
        found.extend(server_limits(seen));
        let had_to_wait = seen.rate_asked.is_none() || seen.unsent + seen.late > seen.own_late;
        if had_to_wait && found.iter().all(|earlier| earlier.kind == Diagnosis::FellBehind) {
            found.push(disturbed(seen).unwrap_or_else(|| nothing_limits(seen)));
        }
    }
    if seen.generator_waited >= SHARED && !is_generator {
        let text = format!(
            "The load generator waited {:.0} % of the time for a core that another process had, \
             which lengthens the latencies. Pin it and the server to different cores with taskset \
             -c.",
            seen.generator_waited * 100.0
        );
        found.push(finding(Diagnosis::GeneratorStarved, text));
    }
    found.extend(failed(seen));
    found
}

/// Findings about failed requests and early answers.
fn failed(seen: &Observations) -> Vec<Finding<Diagnosis>> {
    let mut found = Vec::new();
    let failed = seen.failures.total();
    if failed > 0 {
        let text = format!(
            "{} failed: {}. The latencies are those of the good requests alone.",
            requests(failed),
            failures(seen)
        );
        found.push(finding(Diagnosis::SomeFailed, text));
    }
    if seen.early > 0 {
        let text = format!(
            "{} answered before the whole body was sent: the server did not wait for it, and the \
             connection could not be kept alive.",
            if seen.early == 1 {
                "1 request was".into()
            } else {
                format!("{} requests were", seen.early)
            }
        );
        found.push(finding(Diagnosis::AnsweredEarly, text));
    }
    found
}

fn requests(count: u64) -> String {
    if count == 1 { "1 request".into() } else { format!("{count} requests") }
}

/// The failures in words, with their statuses.
fn failures(seen: &Observations) -> String {
    let statuses = seen.bad_statuses.iter().map(|(status, count)| format!("{count} × {status}"));
    match statuses.collect::<Vec<_>>().join(", ") {
        statuses if statuses.is_empty() => seen.failures.in_words(),
        statuses => format!("{} ({statuses})", seen.failures.in_words()),
    }
}

fn nothing_measured(seen: &Observations) -> String {
    match seen.failures.by_frequency()[..] {
        [] => "Nothing was measured: no request was answered in time.".into(),
        [(Failure::Refused, _)] => {
            "Nothing was measured: connections are refused. Is the server running, and at this \
             port?"
                .into()
        }
        _ => format!("Nothing was measured: {}.", failures(seen)),
    }
}

fn open_loop(seen: &Observations, rate: f64, kept_up: bool) -> Finding<Diagnosis> {
    let (kind, mut text) = match kept_up {
        true => (Diagnosis::KeptUp, format!("The rate of {rate} a second was kept up")),
        false => (Diagnosis::FellBehind, format!("The rate of {rate} a second was not kept up")),
    };
    let _ = write!(
        text,
        ": {} of {} had a good answer, and good answers came at {:.1} a second.",
        seen.requests,
        requests(seen.due()),
        seen.rate_achieved
    );
    let clients = match seen.clients {
        1 => "the only client was".to_owned(),
        clients => format!("all {clients} clients were"),
    };
    // A slow load generator can leave answers unread, so that clients are not free although they
    // have an answer.
    let waited = match seen.generator_is_slow() {
        true => "waiting for answers or for the load generator to read them",
        false => "waiting for answers",
    };
    if seen.unsent > 0 {
        let _ = write!(
            text,
            " {} never begun, because {clients} {waited}; their latencies are missing.",
            if seen.unsent == 1 { "1 was".into() } else { format!("{} were", seen.unsent) }
        );
    }
    let late = seen.late.saturating_sub(seen.own_late);
    if late > 0 {
        let _ = write!(
            text,
            " {} begun more than 1 ms late, because {clients} {waited}; latencies count from the \
             time at which requests were due.",
            if late == 1 { "1 was".into() } else { format!("{late} were") }
        );
    }
    finding(kind, text)
}

/// Findings about processor time that the load generator lacked, so that it was slow or late.
fn generator(seen: &Observations) -> Vec<Finding<Diagnosis>> {
    let (busy, waited) = (seen.generator_busy, seen.generator_waited);
    let (busy_percent, waited_percent) = (busy * 100.0, waited * 100.0);
    let threads = threads(seen.threads);
    let mut found = Vec::new();
    if busy >= BUSY {
        let limit = match seen.server_is_busy() {
            true => "the server was busy too, and either may be the limit",
            false => "the load generator was the limit, not the server",
        };
        let text = format!(
            "The {threads} of the load generator ran {busy_percent:.0} % of the time: {limit}. \
             Give the generator more --threads and cores, or another machine."
        );
        found.push(finding(Diagnosis::GeneratorBusy, text));
    } else if busy + waited >= BUSY && waited >= SHARED {
        let text = format!(
            "The load generator had to share its cores: its {threads} ran {busy_percent:.0} % of \
             the time and waited {waited_percent:.0} % for a core that another process had. Pin it \
             and the server to different cores with taskset -c.",
        );
        found.push(finding(Diagnosis::GeneratorStarved, text));
    }
    if seen.rate_asked.is_some() && seen.generator_is_late() {
        let (p99, max) = seen.own_lateness_us;
        let text = format!(
            "The load generator itself was late: {} left more than 1 ms after {} due although a \
             client was free (99 % of all left within {}, all within {}). The latencies include \
             that; the server did not cause it.",
            requests(seen.own_late),
            if seen.own_late == 1 { "it was" } else { "they were" },
            latency(p99 as f64),
            latency(max as f64)
        );
        found.push(finding(Diagnosis::GeneratorLate, text));
    }
    found
}

fn threads(count: usize) -> String {
    if count == 1 { "thread".into() } else { format!("{count} threads") }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
