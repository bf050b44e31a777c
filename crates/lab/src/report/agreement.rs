//! An A/A bench: the same server under several names. It shows what the machine adds by itself.

use super::ranking::Row;
use crate::results::Results;
use crate::text::numbers::{counted, factor, percent};

/// The machine is quiet enough if this many rounds tell [`USEFUL`] apart: so many take some ten
/// minutes for seven servers under four loads.
const ROUNDS: usize = 5;

/// A ratio that can decide between two servers.
const USEFUL: f64 = 1.1;

/// How far the runs of one server agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Under how many names the server was measured.
    pub names: usize,
    /// The standard deviation of a run, as a share of its value.
    pub noise: f64,
    /// The greatest value of a name, as a multiple of the least.
    pub band: f64,
    /// How many pairs of names were called different, which all are wrong.
    pub called: usize,
    /// The ratio that [`ROUNDS`] rounds tell apart in four of five cases.
    pub least_ratio: f64,
    /// How many rounds tell [`USEFUL`] apart.
    pub rounds_wanted: Option<usize>,
}

impl Agreement {
    /// How far the runs of an A/A bench agree; none for another bench, or without two runs of each.
    pub fn of(results: &Results) -> Option<Agreement> {
        if !results.settings.is_aa {
            return None;
        }
        let row = Row::of(results, *results.loads().first()?);
        let values = || row.entries.iter().filter_map(|entry| Some(entry.value?.value));
        let (least, most) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
        let widest = row.pairs().max_by(|one, other| one.least.total_cmp(&other.least))?;
        Some(Agreement {
            names: row.entries.len(),
            noise: row.noise()?,
            band: most / least,
            called: row.pairs().filter(|ratio| ratio.is_called).count(),
            least_ratio: widest.least_with(ROUNDS),
            rounds_wanted: widest.rounds_for(USEFUL),
        })
    }

    /// Whether a bench on this machine tells useful differences in a reasonable time.
    pub fn is_quiet(&self) -> bool {
        self.least_ratio <= USEFUL
    }

    /// The findings in a few words: `a run varies by 2.1 %; 5 rounds tell 1.06 apart`.
    pub fn in_short(&self) -> String {
        let (noise, least) = (percent(self.noise), factor(self.least_ratio));
        format!("a run varies by {noise}; {ROUNDS} rounds tell {least} apart")
    }

    /// The findings in sentences.
    pub fn in_words(&self) -> String {
        let called = match self.called {
            0 => "no pair was called different".to_owned(),
            called => format!("{} called different", counted(called as u64, "pair")),
        };
        let found = format!(
            "One server under {} names: a run varies by {} (standard deviation), the best name has \
             {:.2} times what the worst has, and {called}; one such bench in twenty calls some \
             pair, by chance.",
            self.names,
            percent(self.noise),
            self.band
        );
        let least = factor(self.least_ratio);
        let told = match (self.is_quiet(), self.rounds_wanted) {
            (true, _) => {
                format!("This machine is quiet enough now: {ROUNDS} rounds tell {least} apart.")
            }
            (false, Some(rounds)) => format!(
                "This machine is not quiet enough now: {ROUNDS} rounds tell only {least} apart; {} \
                 would tell {USEFUL}.",
                counted(rounds as u64, "round")
            ),
            (false, None) => format!(
                "This machine is not quiet enough now: {ROUNDS} rounds tell only {least} apart."
            ),
        };
        format!("{found} {told}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn agreement(rates: [[f64; 3]; 4]) -> Agreement {
        let names = ["a", "a #2", "a #3", "a #4"];
        let rates: Vec<_> =
            names.into_iter().zip(&rates).map(|(name, rates)| (name, &rates[..])).collect();
        let mut results = samples::row(&rates);
        assert_eq!(Agreement::of(&results), None);
        results.settings.is_aa = true;
        Agreement::of(&results).unwrap()
    }

    #[test]
    fn a_quiet_machine_is_told_from_a_noisy_one() {
        let quiet = agreement([
            [100.0, 101.0, 100.5],
            [100.6, 100.1, 100.2],
            [101.0, 100.0, 100.9],
            [100.2, 100.8, 100.1],
        ]);
        assert!(quiet.is_quiet() && quiet.called == 0, "{quiet:?}");
        let told = quiet.in_words();
        assert!(
            told.contains("no pair was called different") && told.contains(" is quiet "),
            "{told}"
        );
        let noisy = agreement([
            [100.0, 150.0, 80.0],
            [120.0, 90.0, 130.0],
            [70.0, 100.0, 140.0],
            [130.0, 80.0, 100.0],
        ]);
        assert!(!noisy.is_quiet(), "{noisy:?}");
        let told = noisy.in_words();
        assert!(told.contains("not quiet enough now: 5 rounds tell only "), "{told}");
        assert!(told.contains(" rounds would tell 1.1."), "{told}");
    }
}
