//! The results of holding idle clients: numbers with their units in their names, and a summary.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::event::ClientEvent;
use super::plan::IdlePlan;
use crate::failure::Failures;
use crate::load::latency::Latency;
use crate::load::latency::histogram;
use crate::text::numbers::latency;

/// A probe is late if its answer takes longer than this.
pub const LATE_US: u32 = 1_000_000;

/// The results.
#[derive(Clone, Debug, Serialize)]
pub struct IdleOutcome {
    /// The URL.
    pub url: String,
    /// The address.
    pub address: String,
    /// How many clients were asked for.
    pub clients: u32,
    /// How many had a first answer. They were held from then on.
    pub clients_answered: u32,
    /// How many are held now; at the end, how many were held to the end.
    pub clients_held: u32,
    /// How many processes held them.
    pub processes: u32,
    /// How long it took until every client had a first answer or had failed.
    pub opening_s: f64,
    /// How long the clients were held after that.
    pub elapsed_s: f64,
    /// Whether a signal stopped the load before the end of its time, if it had one.
    pub was_interrupted: bool,
    /// How many probes were answered.
    pub samples: u64,
    /// How many of these answers took more than a second.
    pub samples_late: u64,
    /// How many probes had waited for more than a second without an answer at the end.
    pub samples_unanswered: u64,
    /// The median latency of the probes.
    pub sample_p50_us: u64,
    /// The 99th percentile.
    pub sample_p99_us: u64,
    /// The longest latency.
    pub sample_max_us: u64,
    /// Clients that failed before their first answer, by kind of failure.
    #[serde(serialize_with = "by_kind")]
    pub failed: Failures,
    /// Clients that were held and were lost, by kind of failure.
    #[serde(serialize_with = "by_kind")]
    pub lost: Failures,
    #[serde(skip)]
    recorded: Histogram<u64>,
}

fn by_kind<S: serde::Serializer>(failures: &Failures, to: S) -> Result<S::Ok, S::Error> {
    let counts = failures.by_frequency().into_iter().map(|(kind, count)| (kind.key(), count));
    counts.collect::<BTreeMap<_, _>>().serialize(to)
}

impl IdleOutcome {
    /// Results without any client.
    pub fn new(plan: &IdlePlan, processes: u32) -> IdleOutcome {
        IdleOutcome {
            url: plan.target.url.clone(),
            address: plan.target.address.to_string(),
            clients: plan.clients,
            clients_answered: 0,
            clients_held: 0,
            processes,
            opening_s: 0.0,
            elapsed_s: 0.0,
            was_interrupted: false,
            samples: 0,
            samples_late: 0,
            samples_unanswered: 0,
            sample_p50_us: 0,
            sample_p99_us: 0,
            sample_max_us: 0,
            failed: Failures::default(),
            lost: Failures::default(),
            recorded: histogram(),
        }
    }

    /// Counts an event.
    pub fn note(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::FirstAnswer => {
                self.clients_answered += 1;
                self.clients_held += 1;
            }
            ClientEvent::Failed(failure) => self.failed.count(failure),
            ClientEvent::Answered(us) => {
                self.samples += 1;
                self.samples_late += u64::from(us > LATE_US);
                self.recorded.saturating_record(us.into());
            }
            ClientEvent::Lost(failure) => {
                self.clients_held -= 1;
                self.lost.count(failure);
            }
            ClientEvent::Unanswered => self.samples_unanswered += 1,
        }
    }

    /// Computes the percentiles, once all events are counted.
    pub fn sum_up(&mut self) {
        let of = Latency::of(&self.recorded);
        (self.sample_p50_us, self.sample_p99_us, self.sample_max_us) =
            (of.latency_p50_us, of.latency_p99_us, of.latency_max_us);
    }

    /// Whether every client has had a first answer, or has failed.
    pub fn is_opened(&self) -> bool {
        u64::from(self.clients_answered) + self.failed.total() == u64::from(self.clients)
    }

    /// Whether all clients were held to the end and answered in time.
    pub fn is_good(&self) -> bool {
        self.clients_held == self.clients
            && self.samples > 0
            && self.samples_late + self.samples_unanswered == 0
    }

    /// The progress line.
    pub fn line(&self) -> String {
        let (held, clients) = (self.clients_held, self.clients);
        let (failed, lost) = (self.failed.total(), self.lost.total());
        format!(
            "  {held} of {clients} clients held, {failed} failed, {lost} lost; {} probed, {} late",
            self.samples, self.samples_late
        )
    }

    /// The summary.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        // Writing to a string can't fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let (url, clients, processes) = (&self.url, self.clients, self.processes);
        let of = if processes == 1 { "process" } else { "processes" };
        let idle = if clients == 1 { "client" } else { "clients" };
        writeln!(out, "{url}: {clients} idle {idle} in {processes} {of}\n")?;
        let (answered, held) = (self.clients_answered, self.clients_held);
        writeln!(out, "  clients    {answered} had a first answer, {held} were held to the end")?;
        for (kind, count) in self.failed.by_frequency() {
            writeln!(out, "  failed     {}", kind.counted(count))?;
        }
        for (kind, count) in self.lost.by_frequency() {
            writeln!(out, "  lost       {}", kind.counted(count))?;
        }
        let (opening_s, elapsed_s) = (self.opening_s, self.elapsed_s);
        writeln!(out, "  time       {opening_s:.1} s to connect, then {elapsed_s:.1} s held")?;
        let (samples, late) = (self.samples, self.samples_late + self.samples_unanswered);
        writeln!(out, "  probes     {samples} answered; {late} took more than a second")?;
        let [p50, p99, max] = [self.sample_p50_us, self.sample_p99_us, self.sample_max_us]
            .map(|us| latency(us as f64));
        writeln!(out, "  latency    p50 {p50}, p99 {p99}, max {max}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use crate::load::target::{LoadTarget, RequestOptions};
    use std::time::Duration;

    fn outcome(events: &[ClientEvent]) -> IdleOutcome {
        let target = LoadTarget::new("http://127.0.0.1:1/", &RequestOptions::default()).unwrap();
        let plan = IdlePlan { target, clients: 2, time: None, timeout: Duration::from_secs(1) };
        let mut outcome = IdleOutcome::new(&plan, 1);
        events.iter().for_each(|event| outcome.note(*event));
        outcome.sum_up();
        outcome
    }

    #[test]
    fn an_outcome_is_good_if_all_clients_are_held_and_answered_in_time() {
        let held = [ClientEvent::FirstAnswer, ClientEvent::FirstAnswer];
        assert!(!outcome(&held).is_good(), "no client was probed");
        let good = outcome(&[held.as_slice(), &[ClientEvent::Answered(LATE_US)]].concat());
        assert!(good.is_good() && good.is_opened());
        // The histogram keeps three digits.
        let max_us = good.sample_max_us;
        assert!((LATE_US.into()..u64::from(LATE_US) * 1001 / 1000).contains(&max_us), "{max_us}");
        for bad in [
            ClientEvent::Answered(LATE_US + 1),
            ClientEvent::Lost(Failure::Reset),
            ClientEvent::Unanswered,
        ] {
            let events = [held.as_slice(), &[ClientEvent::Answered(1), bad]].concat();
            assert!(!outcome(&events).is_good(), "{bad:?}");
        }
        let missing = outcome(&[
            ClientEvent::FirstAnswer,
            ClientEvent::Failed(Failure::Refused),
            ClientEvent::Answered(1),
        ]);
        assert!(missing.is_opened() && !missing.is_good());
        assert!(missing.summary().contains("1 connection refused"));
    }
}
