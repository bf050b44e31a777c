//! The comparison of all servers of a row.

use super::noise::{Logs, Squares, differences, pooled, residual};
use super::studentized_range::upper_quantile;
use super::thresholds::{LEAST_RATIO, LEVEL};

/// A pair whose own differences have fewer degrees of freedom than this takes the missing ones from
/// the pooled variance of the row. A pair with more uses its own variance alone. The total never
/// decreases as rounds are added, so that no power is lost.
const POOLED_FREEDOM: usize = 60;

/// The quantile of the normal distribution for a power of 80 %: a difference is found in four
/// benches of five.
const POWER: f64 = 0.842;

/// The most rounds that are proposed.
const MAX_ROUNDS: usize = 1000;

/// All servers of a row, compared with each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    estimates: Vec<Option<Estimate>>,
    ratios: Vec<Vec<Option<Ratio>>>,
    noise: Option<f64>,
}

/// The value of a server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The geometric mean of its runs.
    pub value: f64,
    /// The lower end of the comparison interval: if the intervals of two servers do not overlap,
    /// they differ. The interval is the value alone if nothing was run twice.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The ratio of two servers' values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The estimate.
    pub value: f64,
    /// The interval that holds the true ratio, with a confidence of 95 % for all pairs of the row
    /// together.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Whether the servers differ.
    pub is_different: bool,
    /// The least ratio above 1 that this bench would have detected in four of five cases.
    pub least_detectable: f64,
    spread: Spread,
}

/// The variance of a run in a pair, and what it was estimated from.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    variance: f64,
    freedom: usize,
    rounds: usize,
    /// How many servers the row compares.
    servers: usize,
    /// How many servers share their variance; 2 if the pair has its own.
    pooled: usize,
}

impl Spread {
    /// The standard error of each of the two means, for the studentized range.
    fn error(&self) -> f64 {
        (self.variance / self.rounds as f64).sqrt()
    }

    /// The least logarithm of a ratio that is significant among all pairs.
    fn significant_log(&self) -> f64 {
        upper_quantile(LEVEL, self.servers, self.freedom) * self.error()
    }

    /// The least logarithm of a ratio that is significant in four of five benches.
    fn detectable_log(&self) -> f64 {
        self.significant_log() + POWER * self.error() * std::f64::consts::SQRT_2
    }

    /// The spread that a bench with another number of rounds would have.
    fn with_rounds(&self, rounds: usize) -> Spread {
        let own = rounds - 1;
        let freedom = own.max(((self.pooled - 1) * own).min(POOLED_FREEDOM));
        Spread { rounds, freedom, ..*self }
    }
}

impl Ratio {
    /// How many rounds would detect this ratio in four of five benches; none if too many.
    pub fn rounds_for(&self, ratio: f64) -> Option<usize> {
        let goal = ratio.ln().abs();
        (2..=MAX_ROUNDS).find(|rounds| self.spread.with_rounds(*rounds).detectable_log() <= goal)
    }

    /// The least ratio above 1 that this many rounds would detect in four of five cases.
    pub fn detectable_with(&self, rounds: usize) -> f64 {
        self.spread.with_rounds(rounds.max(2)).detectable_log().exp().max(LEAST_RATIO)
    }

    /// The ratio in the other direction.
    fn inverse(&self) -> Ratio {
        Ratio { value: 1.0 / self.value, low: 1.0 / self.high, high: 1.0 / self.low, ..*self }
    }
}

impl Comparison {
    /// Compares servers, given the value of each in each round; none if a run is missing or was
    /// left out. Values are positive.
    pub fn of(servers: &[Vec<Option<f64>>]) -> Comparison {
        let logs: Vec<Logs> = servers.iter().map(|values| logs_of(values)).collect();
        let means: Vec<_> = logs.iter().map(mean).collect();
        let compared: Vec<usize> =
            (0..logs.len()).filter(|index| logs[*index].iter().flatten().count() > 1).collect();
        let compared_logs: Vec<Logs> = compared.iter().map(|index| logs[*index].clone()).collect();
        let row = Compared::new(&compared_logs);
        let mut ratios = vec![vec![None; logs.len()]; logs.len()];
        for (at, one) in compared.iter().enumerate() {
            for (other_at, other) in compared.iter().enumerate().skip(at + 1) {
                let ratio = row.ratio(at, other_at);
                ratios[*one][*other] = ratio;
                ratios[*other][*one] = ratio.as_ref().map(Ratio::inverse);
            }
        }
        let mut estimates: Vec<_> = means.into_iter().map(|mean| mean.map(alone)).collect();
        for (index, width) in compared.iter().zip(row.widths()) {
            if let Some(estimate) = &mut estimates[*index] {
                estimate.low = estimate.value / width.exp();
                estimate.high = estimate.value * width.exp();
            }
        }
        let noise = row.pool.variance().map(f64::sqrt);
        Comparison { estimates, ratios, noise }
    }

    /// The value of a server; none without a run that counts.
    pub fn estimate(&self, server: usize) -> Option<Estimate> {
        self.estimates[server]
    }

    /// The value of a server as a multiple of another's; none if one of them has fewer than two
    /// runs, or they share fewer than two rounds.
    pub fn ratio(&self, server: usize, other: usize) -> Option<Ratio> {
        self.ratios[server][other]
    }

    /// The noise of the row: the standard deviation of a run as a share of its value, without the
    /// servers that vary plainly more. None if nothing was run twice.
    pub fn noise(&self) -> Option<f64> {
        self.noise
    }

    /// The ratios of all pairs, each once.
    pub fn pairs(&self) -> impl Iterator<Item = &Ratio> {
        self.ratios.iter().enumerate().flat_map(|(at, row)| row[at + 1..].iter().flatten())
    }
}

fn logs_of(values: &[Option<f64>]) -> Logs {
    let log = |value: &Option<f64>| value.filter(|value| *value > 0.0).map(f64::ln);
    values.iter().map(log).collect()
}

fn mean(logs: &Logs) -> Option<f64> {
    let count = logs.iter().flatten().count();
    (count > 0).then(|| logs.iter().flatten().sum::<f64>() / count as f64)
}

/// The estimate of a value whose noise is not known.
fn alone(log: f64) -> Estimate {
    let value = log.exp();
    Estimate { value, low: value, high: value }
}

/// The pair of two servers, in the order of their indices.
#[derive(Clone, Copy, Debug)]
struct PairTest {
    /// The mean difference of the logarithms.
    difference: f64,
    spread: Option<Spread>,
    is_significant: bool,
}

/// The servers that have several runs.
struct Compared {
    pairs: Vec<Vec<Option<PairTest>>>,
    pooled: Vec<bool>,
    pool: Squares,
}

impl Compared {
    fn new(logs: &[Logs]) -> Compared {
        let pooled = pooled(logs);
        let members: Vec<_> = (0..logs.len()).filter(|index| pooled[*index]).collect();
        let pool = residual(&members.iter().map(|index| &logs[*index]).collect::<Vec<_>>());
        let mut compared =
            Compared { pairs: vec![vec![None; logs.len()]; logs.len()], pooled, pool };
        for one in 0..logs.len() {
            for other in one + 1..logs.len() {
                compared.pairs[one][other] = compared.pair(logs, one, other);
            }
        }
        compared.step_down_test(logs, &members);
        compared
    }

    fn pair(&self, logs: &[Logs], one: usize, other: usize) -> Option<PairTest> {
        let (difference, rounds, own) = differences(&logs[one], &logs[other]);
        let (servers, is_pooled) = (logs.len(), self.pooled[one] && self.pooled[other]);
        let pooled = if is_pooled { self.pooled.iter().filter(|is| **is).count() } else { 2 };
        let rest = if is_pooled { self.pool.without(own) } else { Squares::default() };
        let (variance, freedom) = blend(own, rest)?;
        let spread = Spread { variance, freedom, rounds, servers, pooled };
        // Pairs of the pool are tested by `step_down_test`.
        let is_significant = !is_pooled && difference.abs() > spread.significant_log();
        Some(PairTest { difference, spread: Some(spread), is_significant })
    }

    /// Decides which servers of the pool differ. They are sorted by their means, and each group of
    /// neighbours is tested, the largest first. The two ends of a group differ if their difference
    /// exceeds the studentized range for that number of means, and if the ends of every larger
    /// group that contains it differ.
    fn step_down_test(&mut self, logs: &[Logs], members: &[usize]) {
        let mut order: Vec<_> = members.to_vec();
        let mean = |index: &usize| mean(&logs[*index]).unwrap_or(0.0);
        order.sort_by(|one, other| mean(one).total_cmp(&mean(other)));
        let count = order.len();
        let mut differ = vec![vec![false; count]; count];
        for means in (2..=count).rev() {
            for first in 0..=count - means {
                let last = first + means - 1;
                let wider_differ = (first == 0 || differ[first - 1][last])
                    && (last == count - 1 || differ[first][last + 1]);
                let (one, other) = (order[first].min(order[last]), order[first].max(order[last]));
                let Some(pair) = &mut self.pairs[one][other] else { continue };
                let Some(spread) = pair.spread else { continue };
                let range = critical_range(means, count, spread.freedom) * spread.error();
                differ[first][last] = wider_differ && pair.difference.abs() > range;
                pair.is_significant = differ[first][last];
            }
        }
    }

    fn ratio(&self, one: usize, other: usize) -> Option<Ratio> {
        let pair = self.pairs[one][other]?;
        let spread = pair.spread?;
        let width = spread.significant_log();
        let (mut low, mut high) = (pair.difference - width, pair.difference + width);
        // If only the step-down test finds a difference, the interval ends at a ratio of 1: only
        // the direction is known.
        if pair.is_significant && pair.difference > 0.0 {
            low = low.max(0.0);
        } else if pair.is_significant {
            high = high.min(0.0);
        }
        Some(Ratio {
            value: pair.difference.exp(),
            low: low.exp(),
            high: high.exp(),
            is_different: pair.is_significant && pair.difference.abs() >= LEAST_RATIO.ln(),
            least_detectable: spread.detectable_log().exp().max(LEAST_RATIO),
            spread,
        })
    }

    /// The half widths of the comparison intervals, in logarithms: if two intervals do not overlap,
    /// the servers differ by more than is significant for the pair.
    fn widths(&self) -> Vec<f64> {
        let count = self.pairs.len();
        let threshold = |one: usize, other: usize| -> Option<f64> {
            let pair = self.pairs[one.min(other)][one.max(other)]?;
            Some(pair.spread?.significant_log().max(LEAST_RATIO.ln()))
        };
        let widest = |index: usize, is_pooled: bool, share: &dyn Fn(usize, f64) -> f64| {
            let others =
                (0..count).filter(|other| *other != index && self.pooled[*other] == is_pooled);
            let widths = others.filter_map(|other| Some(share(other, threshold(index, other)?)));
            widths.fold(0.0, f64::max)
        };
        let half = |_: usize, width: f64| width / 2.0;
        let in_pool: Vec<_> = (0..count).map(|index| widest(index, true, &half)).collect();
        let set_aside = |index: usize| {
            let against_pool = widest(index, true, &|other, width| width - in_pool[other]);
            against_pool.max(widest(index, false, &half))
        };
        (0..count)
            .map(|index| if self.pooled[index] { in_pool[index] } else { set_aside(index) })
            .collect()
    }
}

/// The variance of a pair and its degrees of freedom (Satterthwaite), from the pair's own squares
/// and those of the rest of the row. None if nothing was run twice.
fn blend(own: Squares, rest: Squares) -> Option<(f64, usize)> {
    let weight = POOLED_FREEDOM.saturating_sub(own.freedom).min(rest.freedom) as f64;
    let total = own.freedom as f64 + weight;
    if own.freedom == 0 {
        return None;
    }
    let Some(variance) = rest.variance() else { return Some((own.sum / total, own.freedom)) };
    let spent = own.freedom as f64 + weight * weight / rest.freedom as f64;
    Some(((own.sum + weight * variance) / total, (total * total / spent) as usize))
}

/// The studentized range that is significant for a group of `means` out of `all`. The level is
/// lower for smaller groups, because there are more of them (Ryan, Einot, Gabriel and Welsch).
fn critical_range(means: usize, all: usize, freedom: usize) -> f64 {
    let level = |means: usize| match means + 1 >= all {
        true => LEVEL,
        false => 1.0 - (1.0 - LEVEL).powf(means as f64 / all as f64),
    };
    let ranges = (2..=means).map(|means| upper_quantile(level(means), means, freedom));
    ranges.fold(0.0, f64::max)
}
