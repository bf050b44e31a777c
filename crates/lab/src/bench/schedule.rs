//! The order of the runs of a bench, and which runs and rows are measured again.
//!
//! A round is a block. It holds each server under each load once: the rows in random order, and
//! within a row the servers in random order, one after another. A slow change of the machine then
//! affects all servers of a row alike.

use crate::report::ranking::{Row, disturbance};
use crate::results::{Cell, Load, Results, Run, Settings};

/// A disturbed run is measured again at most this many times.
const MAX_REPEATS: usize = 2;

/// In all, at most one repeat for this many planned runs: on a machine that is never quiet, a bench
/// would otherwise take three times as long without better results.
const RUNS_FOR_EACH_REPEAT: usize = 4;

/// The rows that a round measures; none if the bench is over. The first round is 1.
pub fn rows_of_round(results: &Results, round: usize) -> Vec<Load> {
    let settings = &results.settings;
    match (settings.until_percent, settings.max_rounds) {
        _ if round <= settings.rounds => results.loads(),
        (Some(percent), Some(max)) if round <= max => {
            let rows = Row::all(results).into_iter();
            rows.filter(|row| row.is_wider_than(percent)).map(|row| row.load).collect()
        }
        _ => Vec::new(),
    }
}

/// The indices of the cells of a round, in the order of their runs.
pub fn block_order(cells: &[Cell], rows: &[Load], random: &mut fastrand::Rng) -> Vec<usize> {
    let mut rows = rows.to_vec();
    random.shuffle(&mut rows);
    let mut order = Vec::new();
    for row in rows {
        let mut servers: Vec<_> =
            (0..cells.len()).filter(|index| cells[*index].load == row).collect();
        random.shuffle(&mut servers);
        order.extend(servers);
    }
    order
}

/// How many more disturbed runs can be repeated.
pub struct Repeats {
    left: usize,
}

impl Repeats {
    /// The repeats of a bench with these settings and this many cells.
    pub fn new(settings: &Settings, cells: usize) -> Repeats {
        Repeats { left: (cells * settings.rounds).div_ceil(RUNS_FOR_EACH_REPEAT) }
    }

    /// Whether to measure the cell of `run` again. It has `runs` runs in this round already.
    pub fn grant(&mut self, run: &Run, runs: usize) -> bool {
        let is_granted = disturbance(run) > 0.0 && runs <= MAX_REPEATS && self.left > 0;
        self.left -= usize::from(is_granted);
        is_granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Finding;
    use crate::finding::limit::Limit;
    use crate::report::samples;

    #[test]
    fn a_round_holds_each_cell_once_and_its_rows_one_after_another() {
        let rates: [(&str, &[f64]); 3] = [("a", &[]), ("b", &[]), ("c", &[])];
        let results = samples::grid(&[20, 100, 500], &rates);
        let mut random = fastrand::Rng::with_seed(1);
        let mut orders = Vec::new();
        for _ in 0..20 {
            let order = block_order(&results.cells, &results.loads(), &mut random);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..9).collect::<Vec<_>>());
            for row in order.chunks(3) {
                let load = results.cells[row[0]].load;
                assert!(row.iter().all(|index| results.cells[*index].load == load), "{order:?}");
            }
            orders.push(order);
        }
        orders.sort();
        orders.dedup();
        assert!(orders.len() > 15, "{orders:?}");
    }

    #[test]
    fn only_wide_rows_are_measured_until_the_cap() {
        let steady: [(&str, &[f64]); 2] =
            [("a", &[100.0, 100.1, 99.9]), ("b", &[80.0, 80.1, 80.0])];
        let mut results = samples::grid(&[20, 100], &steady);
        assert_eq!(rows_of_round(&results, 3).len(), 2);
        assert!(rows_of_round(&results, 4).is_empty());
        results.settings.until_percent = Some(5.0);
        results.settings.max_rounds = Some(6);
        assert!(rows_of_round(&results, 4).is_empty());
        for (run, rate) in results.cells[2].runs.iter_mut().zip([50.0, 100.0, 140.0]) {
            run.requests_per_second = rate;
        }
        let wide: Vec<_> = rows_of_round(&results, 4).iter().map(|load| load.clients).collect();
        assert_eq!(wide, [100]);
        assert_eq!(rows_of_round(&results, 6).len(), 1);
        assert!(rows_of_round(&results, 7).is_empty());
    }

    #[test]
    fn disturbed_runs_are_repeated_within_bounds() {
        let results = samples::grid(&[20], &[("a", &[100.0])]);
        let quiet = results.cells[0].runs[0].clone();
        let mut disturbed = quiet.clone();
        disturbed.verdict.push(Finding { kind: Limit::Neighbours, text: String::new() });
        let mut repeats = Repeats::new(&results.settings, 3);
        assert!(!repeats.grant(&quiet, 1));
        assert!(repeats.grant(&disturbed, 1) && repeats.grant(&disturbed, 2));
        assert!(!repeats.grant(&disturbed, 3));
        // Nine planned runs allow three repeats.
        assert!(repeats.grant(&disturbed, 1) && !repeats.grant(&disturbed, 1));
    }
}
