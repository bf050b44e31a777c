//! The residual variance of a row: how much runs of the same server vary within rounds.

use statrs::distribution::{ContinuousCDF, FisherSnedecor};

/// The significance level: a server is set aside if the probability that its variance exceeds the
/// others' by so much only by chance is below this.
/// A stricter test would leave a server with five times the noise among the others in most benches
/// of three rounds; a laxer one sets alike servers aside, and the rest seem less noisy than they
/// are.
const SET_ASIDE_LEVEL: f64 = 0.005;

/// A sum of squared deviations of logarithms, and its degrees of freedom.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Squares {
    /// The sum.
    pub sum: f64,
    /// The degrees of freedom.
    pub freedom: usize,
}

impl Squares {
    /// The variance; none without a degree of freedom.
    pub fn variance(self) -> Option<f64> {
        (self.freedom > 0).then(|| self.sum / self.freedom as f64)
    }

    /// What is left of these squares without others that they contain.
    pub fn without(self, others: Squares) -> Squares {
        Squares {
            sum: (self.sum - others.sum).max(0.0),
            freedom: self.freedom.saturating_sub(others.freedom),
        }
    }
}

/// The logarithms of a server's values by round; none for a round without a run that counts.
pub type Logs = Vec<Option<f64>>;

/// The differences of two servers within the rounds that both have: their mean, their number, and
/// half their squared deviations, which estimate the variance of a single run.
pub fn differences(one: &Logs, other: &Logs) -> (f64, usize, Squares) {
    let both = || one.iter().zip(other).filter_map(|(one, other)| Some((*one)? - (*other)?));
    let count = both().count();
    let mean = both().sum::<f64>() / count.max(1) as f64;
    let sum = both().map(|difference| (difference - mean).powi(2)).sum::<f64>() / 2.0;
    (mean, count, Squares { sum, freedom: count.saturating_sub(1) })
}

/// The residual squares of these servers, after those of servers and rounds are taken out.
///
/// They are computed from the differences of all pairs. If each server has a run in each round, the
/// result is that of a two-way analysis of variance; unlike that, runs can be missing.
pub fn residual(servers: &[&Logs]) -> Squares {
    let mut pairs = Squares::default();
    for (at, one) in servers.iter().enumerate() {
        for other in &servers[at + 1..] {
            let (_, _, squares) = differences(one, other);
            pairs.sum += squares.sum;
            pairs.freedom += squares.freedom;
        }
    }
    let rounds = servers.iter().map(|logs| logs.len()).max().unwrap_or(0);
    let present = |round: usize| {
        servers.iter().filter(|logs| logs.get(round).copied().flatten().is_some()).count()
    };
    let (mut values, mut blocks) = (0, 0);
    for count in (0..rounds).map(present).filter(|count| *count > 1) {
        (values, blocks) = (values + count, blocks + 1);
    }
    let freedom = (values + 1usize).saturating_sub(blocks + servers.len());
    let freedom = freedom.min(pairs.freedom);
    Squares { sum: pairs.variance().unwrap_or(0.0) * freedom as f64, freedom }
}

/// Which servers share the residual variance: all but those that plainly vary more.
///
/// The server with the largest variance is compared with the rest, and set aside if it varies
/// plainly more; then the next one. At most half of the servers are set aside.
pub fn pooled(servers: &[Logs]) -> Vec<bool> {
    let mut pooled = vec![true; servers.len()];
    let members = |pooled: &[bool]| -> Vec<usize> {
        (0..servers.len()).filter(|index| pooled[*index]).collect()
    };
    for _ in 0..servers.len().saturating_sub(1) / 2 {
        let group = members(&pooled);
        let squares = |without: Option<usize>| {
            let logs = group.iter().filter(|index| Some(**index) != without);
            residual(&logs.map(|index| &servers[*index]).collect::<Vec<_>>())
        };
        let all = squares(None);
        let excess = group.iter().filter_map(|index| {
            let rest = squares(Some(*index));
            let own = all.without(rest);
            let ratio = own.variance()? / rest.variance()?;
            let distribution = FisherSnedecor::new(own.freedom as f64, rest.freedom as f64).ok()?;
            let p_value = || if ratio.is_infinite() { 0.0 } else { distribution.sf(ratio) };
            // Runs that are all equal leave nothing to compare with.
            (!ratio.is_nan()).then(|| (*index, p_value()))
        });
        match excess.min_by(|one, other| one.1.total_cmp(&other.1)) {
            Some((index, p_value)) if p_value < SET_ASIDE_LEVEL => pooled[index] = false,
            _ => break,
        }
    }
    pooled
}
