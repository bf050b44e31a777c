//! The measures by which servers are compared.

use crate::finding::limit::Limit;
use crate::results::{Load, Run};
use crate::text::numbers::{latency, thousands};
use crate::verdict::thresholds::FAILED;

/// A number of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Good requests a second.
    Throughput,
    /// The median latency, in microseconds.
    P50,
    /// The 99th percentile of the latency, in microseconds.
    P99,
    /// Processor time of the server per request, in microseconds.
    Cpu,
    /// Memory of the server at its peak, in MiB.
    Memory,
    /// Threads of the server at their peak, in all its processes.
    Threads,
}

impl Measure {
    /// The measure that a row of the table shows: an open loop has a given rate, and is judged by
    /// its latency.
    pub fn of_table(load: Load) -> Measure {
        match load.rate_asked_per_second {
            None => Measure::Throughput,
            Some(_) => Measure::P99,
        }
    }

    /// The number of a run; none if it was not measured.
    pub fn of(self, run: &Run) -> Option<f64> {
        let value = match self {
            Measure::Throughput => run.requests_per_second,
            Measure::P50 => run.latency_p50_us as f64,
            Measure::P99 => run.latency_p99_us as f64,
            Measure::Cpu => run.cost.as_ref()?.server_cpu_us_per_request,
            Measure::Memory => run.memory_peak_kib? as f64 / 1024.0,
            Measure::Threads => run.threads_peak as f64,
        };
        (value > 0.0).then_some(value)
    }

    /// Whether the run counts in comparisons: not if too many of its requests failed.
    pub fn accepts(self, run: &Run) -> bool {
        let limit = run.verdict.first().map(|finding| finding.kind);
        let is_failing = matches!(limit, Some(Limit::NothingMeasured | Limit::Errors));
        !is_failing && run.failed_share() <= FAILED
    }

    /// Whether a server with this limit can be compared by this measure.
    pub fn allows(self, limit: Limit) -> bool {
        !self.depends_on_time() || limit.is_of_the_server() || limit == Limit::Neighbours
    }

    /// Whether the number depends on the speed of the load generator and of the machine. What a
    /// request costs does not.
    pub fn depends_on_time(self) -> bool {
        matches!(self, Measure::Throughput | Measure::P50 | Measure::P99)
    }

    /// Whether a lower number is better.
    pub fn less_is_better(self) -> bool {
        self != Measure::Throughput
    }

    /// The name, after a number or at the head of a column.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Throughput => "requests a second",
            Measure::P50 => "median latency",
            Measure::P99 => "p99 latency",
            Measure::Cpu => "CPU time per request",
            Measure::Memory => "memory",
            Measure::Threads => "threads",
        }
    }

    /// A number with its unit; requests a second have none.
    pub fn write(self, value: f64) -> String {
        match self {
            Measure::Throughput => thousands(value),
            Measure::Cpu if value < 99.95 => format!("{value:.1} µs"),
            Measure::P50 | Measure::P99 | Measure::Cpu => latency(value),
            Measure::Memory => format!("{} MiB", thousands(value)),
            Measure::Threads => format!("{value:.0}"),
        }
    }
}
