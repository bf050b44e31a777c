//! One run: a server is started, warmed up, measured and stopped.
//!
//! ```text
//!   start ──► warm up, with the same number of clients ──► connect clients ──► measure ──► stop
//!             samples the server's size                    samples its usage, at start and end
//! ```
//!
//! Memory is sampled during the warm-up, because sampling takes time on the load generator's cores.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use super::descendants::Descendants;
use super::interrupt::{Aborted, Interrupt};
use super::load::{self, LoadArguments, LoadEvent};
use super::plan::BenchPlan;
use super::sampler::{LoadUse, Sampler, ServerSize, UsageSample};
use super::server::{RunningServer, Testbed};
use super::subject::SubjectPlan;
use crate::host::cores;
use crate::host::proc;
use crate::load::latency::CurvePoint;
use crate::load::outcome::LoadOutcome;
use crate::load::plan::Length;
use crate::results::{Load, Run, Settings, Subject};
use crate::verdict::conditions::Conditions;
use crate::verdict::run::judge;

/// The most points of the latency curve that the results keep, in addition to its last one. A
/// screen does not show more.
const CURVE_POINTS: usize = 60;

/// What all runs of a bench need.
pub struct Bench<'a> {
    /// What is measured.
    pub plan: &'a BenchPlan,
    /// A folder for the servers' files.
    pub folder: &'a Path,
    /// The processes that servers have started.
    pub descendants: &'a Descendants,
    /// The signals that stop the bench.
    pub interrupt: &'a Interrupt,
}

impl Bench<'_> {
    /// Does one run.
    ///
    /// # Errors
    ///
    /// The server or the load generator can't be started, or fails; or Ctrl-C.
    pub fn run(&self, entry: &SubjectPlan, load: Load, round: usize) -> Result<Run, Aborted> {
        let server = RunningServer::start(entry, &self.plan.settings.path, self.testbed())?;
        let run = self.warm_up_and_measure(&server, entry, load, round);
        // If the server or its store has ended, the run has failed, even if there are numbers.
        match (run, server.failure()) {
            (Err(Aborted::Interrupted), _) => Err(Aborted::Interrupted),
            (_, Some(failure)) => Err(Aborted::Failed(failure)),
            (run, None) => run,
        }
    }

    fn warm_up_and_measure(
        &self,
        server: &RunningServer<'_>,
        entry: &SubjectPlan,
        load: Load,
        round: usize,
    ) -> Result<Run, Aborted> {
        let settings = &self.plan.settings;
        let sampler = Sampler {
            server: server.id(),
            store: self.plan.store.processes(),
            load_cores: match settings.cores.are_separate() {
                true => settings.cores.load.clone(),
                false => cores::allowed(),
            },
        };
        let mut arguments = LoadArguments {
            url: &server.url,
            clients: load.clients,
            rate_per_s: load.rate_asked_per_second,
            length: Length::Time(Duration::from_secs_f64(settings.warm_up_s)),
            threads: settings.load_threads.min(load.clients),
            keep_alive: entry.subject.keeps_alive,
            post: None,
            cores: &settings.cores.load,
        };
        let mut size = ServerSize::default();
        load::run(&arguments, server.as_fd(), self.interrupt, &mut |event| {
            // At the end, clients can have left already.
            if event != LoadEvent::Ending {
                size = size.max(sampler.size());
            }
        })?;
        arguments.length = Length::Time(Duration::from_secs_f64(settings.seconds));
        let drops = proc::listen_drops();
        let (report, samples) = self.measure(&arguments, server, &sampler)?;
        let dropped = proc::listen_drops().zip(drops).map(|(now, then)| now.saturating_sub(then));
        let cost = samples.and_then(|(start, end)| {
            let load = LoadUse {
                requests_per_s: report.requests_per_second,
                us_per_request: report.generator_cpu_us_per_request,
                cores: (report.generator_busy_share + report.generator_spun_share)
                    * report.threads as f64,
            };
            end.since(&start, load)
        });
        let mut run = Run { cost, listen_drops: dropped, ..of_report(report, round) };
        (run.memory_peak_kib, run.processes_peak, run.threads_peak) =
            (size.memory_kib, size.processes, size.threads);
        run.verdict = judge(&run, &conditions(settings, &entry.subject, load));
        Ok(run)
    }

    /// Starts a server and writes this number of remarks to the guestbook through it.
    ///
    /// # Errors
    ///
    /// The guestbook can't be signed; or Ctrl-C.
    pub fn sign(&self, entry: &SubjectPlan, remarks: u64) -> Result<(), Aborted> {
        let server = RunningServer::start(entry, &self.plan.settings.path, self.testbed())?;
        let arguments = LoadArguments {
            url: &server.url,
            clients: 1,
            rate_per_s: None,
            length: Length::Requests(remarks),
            threads: 1,
            keep_alive: true,
            post: Some("guest-name=A+visitor&guest-remarks=What+a+pleasant+place."),
            cores: &self.plan.settings.cores.load,
        };
        let report = load::run(&arguments, server.as_fd(), self.interrupt, &mut |_| {})?;
        match report.requests {
            signed if signed == remarks => Ok(()),
            signed => {
                Err(Aborted::Failed(format!("only {signed} of {remarks} remarks were accepted")))
            }
        }
    }

    fn testbed(&self) -> Testbed<'_> {
        Testbed {
            folder: self.folder,
            store: &self.plan.store,
            cores: &self.plan.settings.cores,
            descendants: self.descendants,
            interrupt: self.interrupt,
        }
    }

    fn measure(
        &self,
        arguments: &LoadArguments<'_>,
        server: &RunningServer<'_>,
        sampler: &Sampler,
    ) -> Result<(LoadOutcome, Option<SamplePair>), Aborted> {
        let (mut start, mut end) = (None, None);
        let report =
            load::run(arguments, server.as_fd(), self.interrupt, &mut |event| match event {
                LoadEvent::Started => start = Some(sampler.usage()),
                LoadEvent::Ending => end = Some(sampler.usage()),
                LoadEvent::Tick => {}
            })?;
        Ok((report, start.zip(end)))
    }
}

/// The samples at the start and at the end of a measurement.
type SamplePair = (UsageSample, UsageSample);

/// The conditions of a run, for the verdict.
fn conditions(settings: &Settings, subject: &Subject, load: Load) -> Conditions {
    let cores = &settings.cores;
    Conditions {
        clients: load.clients,
        rate_per_s: load.rate_asked_per_second,
        // On a machine with one core, which all processes share, the list is empty.
        server_cores: cores.server.len().max(1),
        pool: subject.pool,
        uses_store: subject.uses_store,
    }
}

fn of_report(report: LoadOutcome, round: usize) -> Run {
    let (kept_up, latency) = (report.kept_up(), report.latency);
    let mut failures = report.failures;
    for (kind, count) in report.failures_before {
        *failures.entry(kind).or_default() += count;
    }
    failures.retain(|_, count| *count > 0);
    let mut statuses = report.statuses;
    for (status, count) in report.statuses_before {
        *statuses.entry(status).or_default() += count;
    }
    let bytes = report.bytes_received_per_second;
    let answers_per_s = report.requests_per_second;
    Run {
        round,
        measured_s: report.elapsed_s,
        opening_s: report.opening_s,
        requests: report.requests,
        requests_per_second: answers_per_s,
        bytes_per_answer: if answers_per_s > 0.0 { (bytes / answers_per_s).round() } else { 0.0 },
        clients_answered: report.clients_answered,
        latency_mean_us: latency.latency_mean_us,
        latency_p50_us: latency.latency_p50_us,
        latency_p90_us: latency.latency_p90_us,
        latency_p99_us: latency.latency_p99_us,
        latency_p999_us: latency.latency_p999_us,
        latency_max_us: latency.latency_max_us,
        latency_curve: thinned(&report.latency_curve),
        failures_total: report.failures_total,
        failures,
        statuses,
        kept_up,
        unsent: report.unsent,
        load_busy_share: report.generator_busy_share,
        load_waited_share: report.generator_waited_share,
        load_threads: report.threads,
        listen_overflows: report.seen.listen_overflows,
        accept_queue_mean: report.seen.accept_queue_mean,
        descriptors_left: report.seen.server.and_then(|server| server.descriptors_left),
        ..Run::default()
    }
}

/// Some points of the curve, evenly chosen, without points that repeat the latency before them.
fn thinned(curve: &[CurvePoint]) -> Vec<(f64, u64)> {
    let step = curve.len().div_ceil(CURVE_POINTS).max(1);
    let last = curve.len().saturating_sub(1);
    let kept = curve.iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last);
    let mut points: Vec<_> =
        kept.map(|(_, point)| (rounded(point.percentile), point.latency_us)).collect();
    points.dedup_by_key(|(_, latency_us)| *latency_us);
    points
}

/// Rounded to five digits after the point, a resolution of one in ten million.
fn rounded(percentile: f64) -> f64 {
    (percentile * 1e5).round() / 1e5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_keeps_its_ends_and_few_points() {
        let point = |at: u64| CurvePoint { percentile: at as f64 / 10.0, latency_us: 10 * at };
        let curve: Vec<_> = (0..=1000).map(point).collect();
        let thin = thinned(&curve);
        assert!(thin.len() <= CURVE_POINTS + 1, "{}", thin.len());
        assert_eq!((thin[0], thin[thin.len() - 1]), ((0.0, 0), (100.0, 10_000)));
        assert_eq!(thinned(&[]), []);
    }

    #[test]
    fn failures_before_and_within_the_window_are_added() {
        let failures = |count| [("reset".to_owned(), count), ("short".to_owned(), 0)].into();
        let report = LoadOutcome {
            failures: failures(2),
            failures_before: failures(3),
            requests_per_second: 2.0,
            bytes_received_per_second: 200.0,
            ..LoadOutcome::default()
        };
        let run = of_report(report, 4);
        assert_eq!(run.failures, [("reset".to_owned(), 5)].into());
        assert_eq!((run.round, run.bytes_per_answer), (4, 100.0));
    }
}
