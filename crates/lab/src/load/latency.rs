//! Latencies: a summary of a histogram.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest latency that the histogram holds, an hour. Longer latencies count as an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// The decimal digits of a latency that the histogram keeps.
const DIGITS: u8 = 3;

/// A histogram of latencies in microseconds.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("bounds that are constant and right")
}

/// Latencies, measured to the last byte of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The shortest.
    pub latency_min_us: u64,
    /// The mean.
    pub latency_mean_us: f64,
    /// The standard deviation.
    pub latency_stdev_us: f64,
    /// The median.
    pub latency_p50_us: u64,
    /// The 75th percentile.
    pub latency_p75_us: u64,
    /// The 90th percentile.
    pub latency_p90_us: u64,
    /// The 99th percentile.
    pub latency_p99_us: u64,
    /// The 99.9th percentile.
    pub latency_p999_us: u64,
    /// The 99.99th percentile.
    pub latency_p9999_us: u64,
    /// The longest.
    pub latency_max_us: u64,
}

impl Latency {
    /// Summarises a histogram.
    pub fn of(histogram: &Histogram<u64>) -> Latency {
        let at = |quantile| histogram.value_at_quantile(quantile).min(histogram.max());
        Latency {
            latency_min_us: histogram.min(),
            latency_mean_us: histogram.mean(),
            latency_stdev_us: histogram.stdev(),
            latency_p50_us: at(0.5),
            latency_p75_us: at(0.75),
            latency_p90_us: at(0.9),
            latency_p99_us: at(0.99),
            latency_p999_us: at(0.999),
            latency_p9999_us: at(0.9999),
            latency_max_us: histogram.max(),
        }
    }
}

/// A point of the curve: this percentage of the latencies is at most this long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The percentage.
    pub percentile: f64,
    /// The latency.
    pub latency_us: u64,
}

/// The curve has this many points from 50 % to 75 %, the same number from there to 87.5 %, and so
/// on.
const POINTS_TO_HALF: u32 = 5;

/// The latencies as a curve.
pub fn curve(histogram: &Histogram<u64>) -> Vec<CurvePoint> {
    let steps = histogram.iter_quantiles(POINTS_TO_HALF);
    let points = steps.map(|step| CurvePoint {
        percentile: step.quantile() * 100.0,
        latency_us: step.value_iterated_to().min(histogram.max()),
    });
    let mut points: Vec<_> = points.collect();
    // With few requests, the far end of the curve repeats the longest latency.
    points.dedup_by_key(|point| point.latency_us);
    points
}
