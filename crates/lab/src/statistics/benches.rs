//! The comparison of two benches, cell by cell.
//!
//! Their rounds are not the same blocks, so the variance between rounds counts as well (Welch's
//! test). Holm's procedure decides over all cells which differences are significant; it holds for
//! any dependence between the cells (S. Holm, *A simple sequentially rejective multiple test
//! procedure*, Scandinavian Journal of Statistics 6, 1979).

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::noise::{Logs, Squares, pooled, residual};
use super::thresholds::{LEAST_RATIO, LEVEL};

/// The same cell in two benches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The second value as a multiple of the first: the estimate.
    pub value: f64,
    /// The interval that holds the true ratio, with a confidence of 95 % for all cells together.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Whether the benches differ.
    pub is_different: bool,
}

/// The mean of a cell's logarithms.
#[derive(Clone, Copy, Debug)]
struct Mean {
    log: f64,
    /// The squared standard error.
    error: f64,
    freedom: f64,
}

/// Compares the cells of two benches. Each row holds, for each server that both benches have, its
/// values by round in the first and in the second bench. The result has a change for each cell;
/// none if a bench has fewer than two runs of the cell.
pub fn compare_benches(rows: &[(Vec<Logs>, Vec<Logs>)]) -> Vec<Vec<Option<Change>>> {
    let tests: Vec<Vec<Option<Welch>>> = rows
        .iter()
        .map(|(first, second)| {
            let pairs = means(first).into_iter().zip(means(second));
            pairs.map(|(first, second)| Some(Welch::of(first?, second?))).collect()
        })
        .collect();
    let mut p_values: Vec<_> = tests.iter().flatten().flatten().map(Welch::p_value).collect();
    p_values.sort_by(f64::total_cmp);
    // Holm's procedure accepts differences in the order of their p-values, up to the first p-value
    // that is too large.
    let count = p_values.len();
    let is_small = |(at, p_value): &(usize, &f64)| **p_value <= LEVEL / (count - at) as f64;
    let last = p_values.iter().enumerate().take_while(is_small).last().map(|(_, p_value)| *p_value);
    let change = |test: &Welch| test.change(last.is_some_and(|last| test.p_value() <= last), count);
    tests.iter().map(|row| row.iter().map(|test| test.as_ref().map(change)).collect()).collect()
}

/// The means of the servers of a row in one bench.
fn means(servers: &[Logs]) -> Vec<Option<Mean>> {
    let pooled = pooled(servers);
    let members = || servers.iter().zip(&pooled).filter(|(_, is)| **is).map(|(logs, _)| logs);
    let within = members().map(deviations).fold(Squares::default(), |sum, own| Squares {
        sum: sum.sum + own.sum,
        freedom: sum.freedom + own.freedom,
    });
    let pooled_variance = run_variance(within, residual(&members().collect::<Vec<_>>()));
    let mean = |(logs, is_pooled): (&Logs, &bool)| {
        let values: Vec<f64> = logs.iter().flatten().copied().collect();
        let own = deviations(logs);
        let (variance, freedom) = match is_pooled {
            true => pooled_variance?,
            false => (own.variance()?, own.freedom as f64),
        };
        let (log, count) = (values.iter().sum::<f64>() / values.len() as f64, values.len());
        (count > 1).then(|| Mean { log, error: variance / count as f64, freedom })
    };
    servers.iter().zip(&pooled).map(mean).collect()
}

/// The squares of a server's own runs, the changes from round to round included.
fn deviations(logs: &Logs) -> Squares {
    let values: Vec<f64> = logs.iter().flatten().copied().collect();
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    Squares {
        sum: values.iter().map(|value| (value - mean).powi(2)).sum(),
        freedom: values.len().saturating_sub(1),
    }
}

/// The variance of a run with its round, and its degrees of freedom (Satterthwaite): the rounds are
/// few, and all servers of the row share their changes.
fn run_variance(within: Squares, residual: Squares) -> Option<(f64, f64)> {
    let between = within.without(residual);
    let variance = within.variance()?;
    let part = |squares: Squares| match squares.freedom {
        0 => 0.0,
        freedom => (squares.sum / within.freedom as f64).powi(2) / freedom as f64,
    };
    let spent = part(between) + part(residual);
    Some((variance, if spent > 0.0 { variance * variance / spent } else { within.freedom as f64 }))
}

/// Welch's test of two means.
struct Welch {
    difference: f64,
    error: f64,
    freedom: f64,
}

impl Welch {
    fn of(first: Mean, second: Mean) -> Welch {
        let error = first.error + second.error;
        let spent = first.error.powi(2) / first.freedom + second.error.powi(2) / second.freedom;
        let freedom = if spent > 0.0 { error * error / spent } else { first.freedom };
        Welch { difference: second.log - first.log, error: error.sqrt(), freedom }
    }

    fn student(&self) -> StudentsT {
        StudentsT::new(0.0, 1.0, self.freedom.max(1.0)).expect("positive degrees of freedom")
    }

    /// The probability of such a difference between benches that are alike.
    fn p_value(&self) -> f64 {
        match self.difference.abs() / self.error {
            distance if distance.is_nan() => 1.0,
            distance if distance.is_infinite() => 0.0,
            distance => 2.0 * self.student().sf(distance),
        }
    }

    fn change(&self, is_significant: bool, cells: usize) -> Change {
        let width = self.student().inverse_cdf(1.0 - LEVEL / 2.0 / cells as f64) * self.error;
        let (mut low, mut high) = (self.difference - width, self.difference + width);
        // If only Holm's procedure finds a difference, the interval ends at a ratio of 1: only the
        // direction is known.
        if is_significant && self.difference > 0.0 {
            low = low.max(0.0);
        } else if is_significant {
            high = high.min(0.0);
        }
        Change {
            value: self.difference.exp(),
            low: low.exp(),
            high: high.exp(),
            is_different: is_significant && self.difference.abs() >= LEAST_RATIO.ln(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(values: &[f64]) -> Logs {
        values.iter().map(|value| Some(value.ln())).collect()
    }

    #[test]
    fn what_has_changed_by_more_than_the_rounds_vary_is_different() {
        let first = vec![logs(&[100.0, 102.0, 98.0]), logs(&[50.0, 51.0, 49.0])];
        let second = vec![logs(&[150.0, 153.0, 147.0]), logs(&[50.2, 51.0, 49.2])];
        let changes = compare_benches(&[(first, second)]);
        let [faster, same] = [changes[0][0].unwrap(), changes[0][1].unwrap()];
        assert!(faster.is_different && (1.49..1.51).contains(&faster.value), "{faster:?}");
        assert!(faster.low > 1.3 && faster.high < 1.7, "{faster:?}");
        assert!(!same.is_different && same.low < 1.0 && same.high > 1.0, "{same:?}");
    }

    #[test]
    fn a_cell_with_a_single_run_has_no_change() {
        let twice = vec![logs(&[100.0, 102.0])];
        let once = vec![logs(&[100.0])];
        assert_eq!(compare_benches(&[(twice, once)]), [[None]]);
        assert!(compare_benches(&[]).is_empty());
    }

    /// Benches whose rounds change by more than their runs, all alike.
    #[test]
    fn benches_that_are_alike_seldom_differ() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut normal = || (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        let mut bench = || {
            let changes: Vec<f64> = (0..3).map(|_| 0.1 * normal()).collect();
            let server = |_| changes.iter().map(|change| Some(change + 0.05 * normal())).collect();
            (0..7).map(server).collect::<Vec<Logs>>()
        };
        let is_wrong = |_: &usize| {
            let changes = compare_benches(&[(bench(), bench())]);
            changes[0].iter().flatten().any(|change| change.is_different)
        };
        let wrong = (0..1000).filter(is_wrong).count();
        assert!(wrong <= 60, "{wrong} of 1000");
    }
}
