//! What came of clients that were held: numbers whose names carry their units, and what is said of
//! them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::super::failure::Failures;
use super::super::summary::latency;
use super::super::tally::histogram;
use super::Plan;
use super::report::Report;

/// Who is asked after is to be answered within this.
pub const LATE_US: u32 = 1_000_000;

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// The URL.
    pub url: String,
    /// Where it led.
    pub address: String,
    /// How many clients there were to be.
    pub clients: u32,
    /// How many had a first answer, and were held from then on.
    pub clients_answered: u32,
    /// How many of these were held to the end, or are held now.
    pub clients_held: u32,
    /// How many processes of ours there were.
    pub processes: u32,
    /// How long it took until all had come in.
    pub opening_s: f64,
    /// How long they were held after that.
    pub elapsed_s: f64,
    /// Whether it was stopped: before its time, if it had one.
    pub was_interrupted: bool,
    /// How often one of them was asked after, and answered.
    pub samples: u64,
    /// How many of these answers took more than a second.
    pub samples_late: u64,
    /// How many had waited for more than a second, in vain, when it ended.
    pub samples_unanswered: u64,
    /// The latencies of the answers.
    #[serde(flatten)]
    pub latency: Latency,
    /// Clients that did not come in, by the way in which that failed.
    #[serde(serialize_with = "by_kind")]
    pub failed: Failures,
    /// Those that did, and were lost.
    #[serde(serialize_with = "by_kind")]
    pub lost: Failures,
    #[serde(skip)]
    recorded: Histogram<u64>,
}

/// Latencies of those who were asked after, all of them, from the first client on.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Latency {
    pub sample_p50_us: u64,
    pub sample_p99_us: u64,
    pub sample_max_us: u64,
}

fn by_kind<S: serde::Serializer>(failures: &Failures, to: S) -> Result<S::Ok, S::Error> {
    let counts = failures.by_frequency().into_iter().map(|(kind, count)| (kind.key(), count));
    counts.collect::<BTreeMap<_, _>>().serialize(to)
}

impl Account {
    /// Nobody has come yet.
    pub fn new(plan: &Plan, processes: u32) -> Account {
        Account {
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
            latency: Latency::default(),
            failed: Failures::default(),
            lost: Failures::default(),
            recorded: histogram(),
        }
    }

    /// Takes a report.
    pub fn note(&mut self, report: Report) {
        match report {
            Report::In => {
                self.clients_answered += 1;
                self.clients_held += 1;
            }
            Report::Failed(failure) => self.failed.count(failure),
            Report::Answered(us) => {
                self.samples += 1;
                self.samples_late += u64::from(us > LATE_US);
                self.recorded.saturating_record(us.into());
            }
            Report::Lost(failure) => {
                self.clients_held -= 1;
                self.lost.count(failure);
            }
            Report::Unanswered => self.samples_unanswered += 1,
        }
    }

    /// Computes what is told of latencies.
    pub fn sum_up(&mut self) {
        let at = |quantile| self.recorded.value_at_quantile(quantile).min(self.recorded.max());
        self.latency = Latency {
            sample_p50_us: at(0.5),
            sample_p99_us: at(0.99),
            sample_max_us: self.recorded.max(),
        };
    }

    /// Whether every client has had a first answer, or never will.
    pub fn are_all_in(&self) -> bool {
        u64::from(self.clients_answered) + self.failed.total() == u64::from(self.clients)
    }

    /// Whether all were held to the end, and answered in time.
    pub fn is_good(&self) -> bool {
        self.clients_held == self.clients
            && self.samples > 0
            && self.samples_late + self.samples_unanswered == 0
    }

    /// A line that tells how it goes.
    pub fn line(&self) -> String {
        let (held, clients) = (self.clients_held, self.clients);
        let (failed, lost) = (self.failed.total(), self.lost.total());
        format!(
            "  {held} of {clients} clients held, {failed} failed, {lost} lost; {} asked after, {} \
             late",
            self.samples, self.samples_late
        )
    }

    /// The summary.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        // A string takes whatever is written.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let (url, clients, processes) = (&self.url, self.clients, self.processes);
        let of = if processes == 1 { "process" } else { "processes" };
        writeln!(out, "{url}: {clients} idle clients of {processes} {of}\n")?;
        let (answered, held) = (self.clients_answered, self.clients_held);
        writeln!(out, "  clients    {answered} came in, {held} were held to the end")?;
        for (kind, count) in self.failed.by_frequency() {
            writeln!(out, "  failed     {count} {}", kind.words())?;
        }
        for (kind, count) in self.lost.by_frequency() {
            writeln!(out, "  lost       {count} {}", kind.words())?;
        }
        let (opening_s, elapsed_s) = (self.opening_s, self.elapsed_s);
        writeln!(out, "  time       {opening_s:.1} s to come in, {elapsed_s:.1} s held then")?;
        let (samples, late) = (self.samples, self.samples_late + self.samples_unanswered);
        writeln!(out, "  asked      {samples} in turn, of whom {late} waited more than a second")?;
        let of = &self.latency;
        let [p50, p99, max] = [of.sample_p50_us, of.sample_p99_us, of.sample_max_us].map(latency);
        writeln!(out, "  latency    p50 {p50}, p99 {p99}, most {max}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::failure::Failure;
    use super::super::super::target::{Extras, Target};
    use super::*;
    use std::time::Duration;

    fn account(reports: &[Report]) -> Account {
        let target = Target::new("http://127.0.0.1:1/", &Extras::default()).unwrap();
        let plan = Plan { target, clients: 2, time: None, timeout: Duration::from_secs(1) };
        let mut account = Account::new(&plan, 1);
        reports.iter().for_each(|report| account.note(*report));
        account.sum_up();
        account
    }

    #[test]
    fn it_is_good_when_all_are_held_and_answered_in_time() {
        let held = [Report::In, Report::In];
        assert!(!account(&held).is_good(), "nobody was asked after");
        let good = account(&[held.as_slice(), &[Report::Answered(LATE_US)]].concat());
        assert!(good.is_good() && good.are_all_in());
        // As exact as the histogram is: three digits.
        let max_us = good.latency.sample_max_us;
        assert!((LATE_US.into()..u64::from(LATE_US) * 1001 / 1000).contains(&max_us), "{max_us}");
        for bad in [Report::Answered(LATE_US + 1), Report::Lost(Failure::Reset), Report::Unanswered]
        {
            let reports = [held.as_slice(), &[Report::Answered(1), bad]].concat();
            assert!(!account(&reports).is_good(), "{bad:?}");
        }
        let missing = account(&[Report::In, Report::Failed(Failure::Refused), Report::Answered(1)]);
        assert!(missing.are_all_in() && !missing.is_good());
        assert!(missing.summary().contains("1 connections refused"));
    }
}
