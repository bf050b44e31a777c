//! What can be said of numbers that vary: a middle, an interval, and whether two differ.
//!
//! Every server is started and measured several times, so each is run against itself. How much
//! those runs of one and the same server differ is the noise, taken over all servers that had the
//! same load. Two servers *tie* if
//!
//! - their intervals, from the least run to the best, overlap; or
//! - their medians differ by less than about three standard errors of that difference, more if
//!   little was run ([`Noise::certain`]); or
//! - by less than [`NEVER_REAL`], which where things lie in memory can do alone.
//!
//! What does not tie is then a difference that one server under two names shows in fewer than one
//! of a hundred cases: a test draws them.

/// A difference below this share is none.
const NEVER_REAL: f64 = 0.01;

/// The runs of one server under one load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The middle one.
    pub median: f64,
    /// The least.
    pub low: f64,
    /// The best.
    pub high: f64,
    count: usize,
    /// The standard deviation of their logarithms: that of a run, as a share of its value.
    deviation: f64,
}

impl Sample {
    /// Of these; none if there are none, or if any is not positive.
    pub fn of(values: &[f64]) -> Option<Sample> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let is_positive = low > 0.0 && high.is_finite();
        is_positive.then(|| Sample {
            median: middle(&sorted),
            low,
            high,
            count: sorted.len(),
            deviation: Noise::of([values]).map_or(0.0, |noise| noise.share),
        })
    }

    /// How uncertain the median is, as a share of it, if a run varies by so much.
    fn error(&self, noise: f64) -> f64 {
        // The median of many is less certain than their mean, by the root of pi / 2.
        let excess = if self.count > 2 { std::f64::consts::FRAC_PI_2.sqrt() } else { 1.0 };
        noise.max(self.deviation) * excess / (self.count as f64).sqrt()
    }
}

fn middle(sorted: &[f64]) -> f64 {
    let (half, is_odd) = (sorted.len() / 2, sorted.len() % 2 == 1);
    if is_odd { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 }
}

/// By how much one and the same server varies from run to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// The standard deviation of a run, as a share of its value.
    pub share: f64,
    /// Of how many differences that is known.
    freedom: usize,
}

impl Noise {
    /// That of all groups together, each around its own mean. None if nothing was run twice.
    pub fn of<'a>(groups: impl IntoIterator<Item = &'a [f64]>) -> Option<Noise> {
        let (mut squares, mut freedom) = (0.0, 0);
        for group in groups {
            let positive = group.iter().filter(|value| **value > 0.0);
            let logs: Vec<_> = positive.map(|value| value.ln()).collect();
            let mean = logs.iter().sum::<f64>() / logs.len() as f64;
            squares += logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>();
            freedom += logs.len().saturating_sub(1);
        }
        let share = (squares / freedom as f64).sqrt();
        (freedom > 0).then_some(Noise { share, freedom })
    }

    /// The greater of both.
    pub fn max(self, other: Noise) -> Noise {
        if other.share > self.share { other } else { self }
    }

    /// So many standard errors are exceeded by accident in one of a hundred cases: 2.6 if the noise
    /// is well known, more if it is estimated of few runs (Student's distribution, roughly).
    fn certain(self) -> f64 {
        2.6 * (1.0 + 3.0 / self.freedom as f64)
    }
}

/// How two compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The difference is noise, as far as anybody can tell.
    Tie,
    /// The first is less.
    Less,
    /// The first is more.
    More,
    /// Nothing was run twice, so the noise is not known.
    Unknown,
}

/// Compares two, given the noise of a run.
pub fn compare(one: &Sample, other: &Sample, noise: Option<Noise>) -> Comparison {
    let Some(noise) = noise else { return Comparison::Unknown };
    let difference = (one.median / other.median).ln();
    let overlap = one.low <= other.high && other.low <= one.high;
    if overlap || difference.abs() < least_difference(one, other, noise) {
        Comparison::Tie
    } else if difference < 0.0 {
        Comparison::Less
    } else {
        Comparison::More
    }
}

/// The least difference of the medians, as a share, that is not taken for noise.
pub fn least_difference(one: &Sample, other: &Sample, noise: Noise) -> f64 {
    let error = one.error(noise.share).hypot(other.error(noise.share));
    (noise.certain() * error).max(NEVER_REAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_a_middle_and_ends() {
        let sample = Sample::of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((sample.median, sample.low, sample.high), (2.0, 1.0, 3.0));
        assert_eq!(Sample::of(&[1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(Sample::of(&[]), None);
        assert_eq!(Sample::of(&[1.0, 0.0]), None);
    }

    #[test]
    fn noise_is_that_within_groups_not_between_them() {
        let one = [100.0, 101.0, 99.0];
        let other = [900.0, 909.0, 891.0];
        let noise = Noise::of([&one[..], &other[..]]).unwrap();
        assert!((0.009..0.011).contains(&noise.share), "{noise:?}");
        assert_eq!(Noise::of([&one[..1], &other[..1]]), None);
    }

    #[test]
    fn what_overlaps_or_is_close_ties() {
        let sample = |values: &[f64]| Sample::of(values).unwrap();
        let noise = |share: f64| Some(Noise { share, freedom: 20 });
        let (low, high) = (sample(&[100.0, 101.0, 102.0]), sample(&[120.0, 121.0, 122.0]));
        assert_eq!(compare(&low, &high, noise(0.01)), Comparison::Less);
        assert_eq!(compare(&high, &low, noise(0.01)), Comparison::More);
        // The same distance is nothing where everything varies by a tenth.
        assert_eq!(compare(&low, &high, noise(0.1)), Comparison::Tie);
        assert_eq!(compare(&low, &high, None), Comparison::Unknown);
        assert_eq!(compare(&low, &sample(&[102.0, 130.0, 140.0]), noise(0.01)), Comparison::Tie);
        // However steady: less than one in a hundred.
        let (one, other) = (sample(&[1000.0, 1000.0]), sample(&[1005.0, 1005.0]));
        assert_eq!(compare(&one, &other, noise(0.0)), Comparison::Tie);
    }

    /// A number from a normal distribution, more or less.
    fn normal(random: &mut fastrand::Rng) -> f64 {
        (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
    }

    /// How many of so many pairs are not called a tie, if the second of each is better by this
    /// share; every tenth run is disturbed.
    fn told_apart(better: f64, rounds: usize, pairs: usize) -> usize {
        let mut random = fastrand::Rng::with_seed(7);
        let mut run = |level: f64| {
            let disturbed = if random.u32(0..10) == 0 { 0.93 } else { 1.0 };
            level * disturbed * (0.02 * normal(&mut random)).exp()
        };
        let mut apart = 0;
        for _ in 0..pairs {
            let mut of = |level: f64| (0..rounds).map(|_| run(level)).collect::<Vec<_>>();
            let row = [of(5000.0), of(5000.0 * (1.0 + better)), of(7000.0), of(900.0), of(4000.0)];
            let noise = Noise::of(row.iter().map(Vec::as_slice));
            let (one, other) = (Sample::of(&row[0]).unwrap(), Sample::of(&row[1]).unwrap());
            apart += usize::from(compare(&one, &other, noise) != Comparison::Tie);
        }
        apart
    }

    #[test]
    fn one_server_under_two_names_is_a_tie() {
        for rounds in [2, 3, 5] {
            let apart = told_apart(0.0, rounds, 2000);
            assert!(apart <= 20, "{apart} of 2000 with {rounds} rounds");
        }
    }

    #[test]
    fn what_is_better_by_far_is_no_tie() {
        let apart = told_apart(0.25, 3, 1000);
        assert!(apart >= 950, "only {apart} of 1000");
    }
}
