//! One run: a server is started, warmed up, measured and stopped.
//!
//! ```text
//!   start ──► warm up, by as many clients ──► let the clients in ──► measure ──► stop
//!             its size is looked at             census at the start, and at the end
//! ```
//!
//! Memory is looked at while the server warms up, since that takes time on the cores of the load.

use std::path::Path;

use super::census::{Census, Size, Whom};
use super::cli::Plan;
use super::contestant::Entry;
use super::interrupt::{Interrupt, Stop};
use super::load::{self, Event, Length, Order, Point, Report};
use super::server::{Place, Server};
use crate::lab::proc;
use crate::lab::results::{Contestant, EMBEDDED, Load, Run, Settings};
use crate::lab::verdict::{self, Conditions};

/// The latency curve in the results has no more points than are told apart on a screen.
const CURVE_POINTS: usize = 60;

/// Where a run takes place.
pub struct Bench<'a> {
    /// What is measured.
    pub plan: &'a Plan,
    /// A folder for what servers write.
    pub folder: &'a Path,
    /// Who may tell us to stop.
    pub interrupt: &'a Interrupt,
}

impl Bench<'_> {
    /// Does one run.
    ///
    /// # Errors
    ///
    /// The server or the load can't be had; or Ctrl-C.
    pub fn run(&self, entry: &Entry, load: Load, round: usize) -> Result<Run, Stop> {
        let settings = &self.plan.settings;
        let server = Server::start(entry, &settings.path, &self.place())?;
        let whom = Whom { server: server.id(), store: self.plan.store.processes() };
        let mut order = Order {
            url: &server.url,
            clients: load.clients,
            rate_per_s: load.rate_asked_per_second,
            length: Length::Seconds(settings.warm_up_s),
            threads: settings.load_threads.min(load.clients),
            keep_alive: entry.contestant.keeps_alive,
            post: None,
            cores: &settings.cores.load,
        };
        let mut size = Size::default();
        load::run(&order, self.interrupt, &mut |event| {
            // In the end clients may be leaving already.
            if event != Event::Ending {
                size = size.max(Size::take(&whom));
            }
        })?;
        order.length = Length::Seconds(settings.seconds);
        let drops = proc::listen_drops();
        let measured = self.measure(&order, &whom);
        let dropped = proc::listen_drops().zip(drops).map(|(now, then)| now.saturating_sub(then));
        server.stop();
        let (report, counted) = measured?;
        let cost = counted.and_then(|(start, end)| {
            end.since(&start, report.requests_per_second, report.generator_cpu_us_per_request)
        });
        let mut run = Run { cost, listen_drops: dropped, ..of_report(report, round) };
        (run.memory_peak_kib, run.processes_peak, run.threads_peak) =
            (size.memory_kib, size.processes, size.threads);
        run.verdict = verdict::judge(&run, &conditions(settings, &entry.contestant, load));
        Ok(run)
    }

    /// Has somebody sign the guestbook, by way of this server.
    ///
    /// # Errors
    ///
    /// It can't be signed; or Ctrl-C.
    pub fn sign(&self, entry: &Entry, remarks: u64) -> Result<(), Stop> {
        let server = Server::start(entry, &self.plan.settings.path, &self.place())?;
        let order = Order {
            url: &server.url,
            clients: 1,
            rate_per_s: None,
            length: Length::Requests(remarks),
            threads: 1,
            keep_alive: true,
            post: Some("guest-name=A+visitor&guest-remarks=What+a+pleasant+place."),
            cores: &self.plan.settings.cores.load,
        };
        let report = load::run(&order, self.interrupt, &mut |_| {})?;
        server.stop();
        match report.requests {
            signed if signed == remarks => Ok(()),
            signed => Err(Stop::Trouble(format!("only {signed} of {remarks} remarks were taken"))),
        }
    }

    fn place(&self) -> Place<'_> {
        Place {
            folder: self.folder,
            store: &self.plan.store,
            cores: &self.plan.settings.cores,
            interrupt: self.interrupt,
        }
    }

    fn measure(&self, order: &Order<'_>, whom: &Whom) -> Result<(Report, Option<Pair>), Stop> {
        let (mut start, mut end) = (None, None);
        let report = load::run(order, self.interrupt, &mut |event| match event {
            Event::Begun => start = Some(Census::take(whom)),
            Event::Ending => end = Some(Census::take(whom)),
            Event::Glance => {}
        })?;
        Ok((report, start.zip(end)))
    }
}

/// What was used in the beginning and in the end.
type Pair = (Census, Census);

/// What a run was to be, for the verdict.
fn conditions(settings: &Settings, contestant: &Contestant, load: Load) -> Conditions {
    let cores = &settings.cores;
    Conditions {
        clients: load.clients,
        rate_per_s: load.rate_asked_per_second,
        // A machine with one core has it for all.
        server_cores: cores.server.len().max(1),
        store_shares_cores: settings.store == EMBEDDED && cores.store_is_with_server(),
        pool: contestant.pool,
        uses_store: contestant.uses_store,
    }
}

fn of_report(report: Report, round: usize) -> Run {
    let mut failures = report.failures;
    for (kind, count) in report.failures_before {
        *failures.entry(kind).or_default() += count;
    }
    failures.retain(|_, count| *count > 0);
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
        latency_mean_us: report.latency_mean_us,
        latency_p50_us: report.latency_p50_us,
        latency_p90_us: report.latency_p90_us,
        latency_p99_us: report.latency_p99_us,
        latency_p999_us: report.latency_p999_us,
        latency_max_us: report.latency_max_us,
        latency_curve: thinned(&report.latency_curve),
        failures_total: report.failures_total,
        failures,
        unsent: report.unsent,
        load_busy_share: report.generator_busy_share,
        load_waited_share: report.generator_waited_share,
        listen_overflows: report.listen_overflows,
        accept_queue_mean: report.accept_queue_mean,
        descriptors_left: report.server.and_then(|server| server.descriptors_left),
        ..Run::default()
    }
}

/// The curve with points that say the same left out, and some of the others if they are many.
fn thinned(curve: &[Point]) -> Vec<(f64, u64)> {
    let step = curve.len().div_ceil(CURVE_POINTS).max(1);
    let last = curve.len().saturating_sub(1);
    let kept = curve.iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last);
    let mut points: Vec<_> =
        kept.map(|(_, point)| (rounded(point.percentile), point.latency_us)).collect();
    points.dedup_by_key(|(_, latency_us)| *latency_us);
    points
}

/// With five digits after the point, which is one of ten million.
fn rounded(percentile: f64) -> f64 {
    (percentile * 1e5).round() / 1e5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_keeps_its_ends_and_few_points() {
        let point = |at: u64| Point { percentile: at as f64 / 10.0, latency_us: 10 * at };
        let curve: Vec<_> = (0..=1000).map(point).collect();
        let thin = thinned(&curve);
        assert!(thin.len() <= CURVE_POINTS + 1, "{}", thin.len());
        assert_eq!((thin[0], thin[thin.len() - 1]), ((0.0, 0), (100.0, 10_000)));
        assert_eq!(thinned(&[]), []);
    }

    #[test]
    fn failures_of_both_parts_are_added() {
        let failures = |count| [("reset".to_owned(), count), ("short".to_owned(), 0)].into();
        let report = Report {
            failures: failures(2),
            failures_before: failures(3),
            requests_per_second: 2.0,
            bytes_received_per_second: 200.0,
            ..Report::default()
        };
        let run = of_report(report, 4);
        assert_eq!(run.failures, [("reset".to_owned(), 5)].into());
        assert_eq!((run.round, run.bytes_per_answer), (4, 100.0));
    }
}
