//! An A/A bench: the same server under several names. It shows how much the machine itself varies.

use super::ranking::Row;
use crate::results::Results;
use crate::text::numbers::{counted, factor, percent};

/// The machine is quiet enough if this many rounds detect [`USEFUL_RATIO`]. With seven servers
/// under four loads they take some ten minutes.
const ROUNDS: usize = 5;

/// A ratio that is large enough to decide between two servers.
const USEFUL_RATIO: f64 = 1.1;

/// How far the runs of one server agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Under how many names the server was measured.
    pub names: usize,
    /// The standard deviation of a run, as a share of its value.
    pub noise: f64,
    /// The greatest value of a name, as a multiple of the least.
    pub max_ratio: f64,
    /// How many pairs of names were found to differ, all of them wrongly.
    pub wrong_pairs: usize,
    /// The ratio that [`ROUNDS`] rounds detect in four of five cases.
    pub least_ratio: f64,
    /// How many rounds detect [`USEFUL_RATIO`]; none if too many.
    pub rounds_needed: Option<usize>,
}

impl Agreement {
    /// How far the runs of an A/A bench agree; none for another bench, or without two runs of each.
    pub fn of(results: &Results) -> Option<Agreement> {
        if !results.settings.is_aa {
            return None;
        }
        let row = Row::of(results, *results.loads().first()?);
        let values = || row.entries.iter().filter_map(|entry| Some(entry.value?.value));
        let (min, max) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
        let widest = row
            .pairs()
            .max_by(|one, other| one.least_detectable.total_cmp(&other.least_detectable))?;
        Some(Agreement {
            names: row.entries.len(),
            noise: row.noise()?,
            max_ratio: max / min,
            wrong_pairs: row.pairs().filter(|ratio| ratio.is_different).count(),
            least_ratio: widest.detectable_with(ROUNDS),
            rounds_needed: widest.rounds_for(USEFUL_RATIO),
        })
    }

    /// Whether a bench on this machine detects useful differences in a reasonable time.
    pub fn is_quiet(&self) -> bool {
        self.least_ratio <= USEFUL_RATIO
    }

    /// The findings in a few words: `a run varies by 2.1 %; 5 rounds detect a factor of 1.06`.
    pub fn in_short(&self) -> String {
        let (noise, least) = (percent(self.noise), factor(self.least_ratio));
        format!("a run varies by {noise}; {ROUNDS} rounds detect a factor of {least}")
    }

    /// The findings in sentences.
    pub fn in_words(&self) -> String {
        let pairs = match self.wrong_pairs {
            0 => "no pair seemed to differ".to_owned(),
            wrong => format!("{} seemed to differ", counted(wrong as u64, "pair")),
        };
        let found = format!(
            "One server under {} names: a run varies by {} (standard deviation), the best value is \
             {:.2} times the worst, and {pairs}; by chance alone, a pair seems to differ in one \
             such bench of twenty.",
            self.names,
            percent(self.noise),
            self.max_ratio
        );
        let least = format!("a factor of {}", factor(self.least_ratio));
        let conclusion = match (self.is_quiet(), self.rounds_needed) {
            (true, _) => {
                format!("This machine is quiet enough now: {ROUNDS} rounds detect {least}.")
            }
            (false, Some(rounds)) => format!(
                "This machine is not quiet enough now: {ROUNDS} rounds detect only {least}; {} \
                 would detect a factor of {USEFUL_RATIO}.",
                counted(rounds as u64, "round")
            ),
            (false, None) => {
                format!(
                    "This machine is not quiet enough now: {ROUNDS} rounds detect only {least}."
                )
            }
        };
        format!("{found} {conclusion}")
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
        assert!(quiet.is_quiet() && quiet.wrong_pairs == 0, "{quiet:?}");
        let words = quiet.in_words();
        assert!(
            words.contains("no pair seemed to differ") && words.contains(" is quiet "),
            "{words}"
        );
        let noisy = agreement([
            [100.0, 150.0, 80.0],
            [120.0, 90.0, 130.0],
            [70.0, 100.0, 140.0],
            [130.0, 80.0, 100.0],
        ]);
        assert!(!noisy.is_quiet(), "{noisy:?}");
        let words = noisy.in_words();
        assert!(words.contains("not quiet enough now: 5 rounds detect only "), "{words}");
        assert!(words.contains(" rounds would detect a factor of 1.1."), "{words}");
    }
}
