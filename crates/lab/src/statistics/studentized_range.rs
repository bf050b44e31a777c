//! The studentized range: the range of several normal means, in units of their estimated standard
//! error. Its distribution is integrated numerically: the crates that were found are inaccurate
//! with few degrees of freedom, or are under the GPL.

use std::collections::BTreeMap;
use std::sync::Mutex;

use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::gamma::ln_gamma;

/// More degrees of freedom than this make no difference.
const MAX_FREEDOM: usize = 1000;

/// The range that is exceeded with this probability.
///
/// `means` is the number of compared means, at least 2; `freedom` the degrees of freedom of the
/// estimated variance, at least 1.
pub fn upper_quantile(probability: f64, means: usize, freedom: usize) -> f64 {
    static KNOWN: Mutex<BTreeMap<(u64, usize, usize), f64>> = Mutex::new(BTreeMap::new());
    let freedom = freedom.clamp(1, MAX_FREEDOM);
    let key = (probability.to_bits(), means, freedom);
    let known = |known: &BTreeMap<_, f64>| known.get(&key).copied();
    let lock = || KNOWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(quantile) = known(&lock()) {
        return quantile;
    }
    let quantile = search(|range| exceeded(range, means, freedom) > probability);
    lock().insert(key, quantile);
    quantile
}

/// The value at which a condition ceases to hold.
fn search(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 4.0);
    while holds(high) && high < 1e6 {
        (low, high) = (high, high * 2.0);
    }
    while high - low > 1e-5 * high {
        let middle = (low + high) / 2.0;
        if holds(middle) { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The probability of a larger studentized range.
///
/// The outer integral is over the logarithm of the estimated standard deviation. Both integrands
/// are smooth and vanish at the ends, where the trapezoidal rule converges exponentially.
fn exceeded(range: f64, means: usize, freedom: usize) -> f64 {
    const STEPS: usize = 90;
    let freedom = freedom as f64;
    let width = 1.0 / (2.0 * freedom).sqrt();
    let (from, to) = (-(20.0 / freedom + 5.0 * width), 5.0 * width);
    let step = (to - from) / STEPS as f64;
    // The density of u, the logarithm of a chi variable divided by the square root of its degrees
    // of freedom.
    let scale = 2.0f64.ln() + freedom / 2.0 * (freedom / 2.0).ln() - ln_gamma(freedom / 2.0);
    let density = |u: f64| (scale + freedom * u - freedom / 2.0 * (2.0 * u).exp()).exp();
    let normal_range = NormalRange::new(means);
    let points = (0..=STEPS).map(|at| from + step * at as f64);
    let sum: f64 = points.map(|u| density(u) * normal_range.exceeded(range * u.exp())).sum();
    sum * step
}

/// The range of independent standard normal variables.
struct NormalRange {
    normal: Normal,
    variables: usize,
    /// Points of the lowest variable, each with its density and distribution function.
    lowest: Vec<(f64, f64, f64)>,
}

impl NormalRange {
    const STEP: f64 = 0.2;

    fn new(variables: usize) -> NormalRange {
        let normal = Normal::standard();
        let point = |at: i32| {
            let z = f64::from(at) * NormalRange::STEP;
            let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            (z, density, normal.cdf(z))
        };
        NormalRange { normal, variables, lowest: (-40..=40).map(point).collect() }
    }

    /// The probability of a larger range.
    fn exceeded(&self, range: f64) -> f64 {
        let others = self.variables as i32 - 1;
        let within = |(z, density, below): &(f64, f64, f64)| {
            density * (self.normal.cdf(z + range) - below).max(0.0).powi(others)
        };
        let sum: f64 = self.lowest.iter().map(within).sum();
        (1.0 - self.variables as f64 * NormalRange::STEP * sum).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantiles of scipy.stats.studentized_range (scipy 1.17.1).
    #[test]
    fn quantiles_agree_with_those_of_scipy() {
        for (probability, means, freedom, expected) in [
            (0.05, 2, 1, 17.9693),
            (0.05, 7, 1, 43.1186),
            (0.04, 2, 2, 6.8571),
            (0.04, 7, 2, 13.9525),
            (0.05, 3, 3, 5.9096),
            (0.04, 7, 12, 5.1400),
            (0.04, 6, 10, 5.1194),
            (0.0116, 2, 12, 4.2068),
            (0.0174, 3, 24, 4.2088),
            (0.05, 7, 24, 4.5413),
            (0.04, 10, 60, 4.7650),
            (0.05, 20, 10, 6.4670),
            (0.01, 4, 120, 4.4970),
            (0.04, 7, 600, 4.2929),
        ] {
            let quantile = upper_quantile(probability, means, freedom);
            let error = (quantile / expected - 1.0).abs();
            assert!(error < 2e-4, "{means} means, freedom {freedom}: {quantile}, not {expected}");
        }
    }
}
