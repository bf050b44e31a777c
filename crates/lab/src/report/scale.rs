//! Axes: positions of values, and the values that are labelled.

/// An axis of a plot, from a lowest to a highest value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    is_log: bool,
    /// The positions of `low` and `high`.
    from: f64,
    to: f64,
}

impl Scale {
    /// A linear axis from 0 to somewhat above these values, with easily read steps.
    pub fn linear(values: &[f64], from: f64, to: f64) -> Scale {
        let max = values.iter().copied().fold(0.0, f64::max);
        let step = nice_step(max);
        let high = if max > 0.0 { (max / step).ceil() * step } else { 1.0 };
        Scale { low: 0.0, high, is_log: false, from, to }
    }

    /// A logarithmic axis, rounded to hold these values.
    pub fn log(values: &[f64], from: f64, to: f64) -> Scale {
        let positive = || values.iter().copied().filter(|value| *value > 0.0);
        let (min, max) = (positive().fold(f64::MAX, f64::min), positive().fold(0.0, f64::max));
        if max == 0.0 {
            return Scale { low: 1.0, high: 10.0, is_log: true, from, to };
        }
        let (low, high) = (rounded_down(min), rounded_up(max));
        let high = if high > low { high } else { low * 10.0 };
        Scale { low, high, is_log: true, from, to }
    }

    /// A logarithmic axis from `low` to `high`, not rounded. The caller chooses its labels, such as
    /// numbers of clients.
    pub fn log_between(low: f64, high: f64, from: f64, to: f64) -> Scale {
        Scale { low, high: if high > low { high } else { low * 10.0 }, is_log: true, from, to }
    }

    /// The position of a value.
    pub fn at(&self, value: f64) -> f64 {
        let share = match self.is_log {
            true => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        };
        self.from + share * (self.to - self.from)
    }

    /// The values that are labelled.
    pub fn ticks(&self) -> Vec<f64> {
        if !self.is_log {
            let step = nice_step(self.high);
            let count = (self.high / step).round() as usize;
            return (0..=count).map(|at| at as f64 * step).collect();
        }
        let decades = (self.high / self.low).log10();
        let steps: &[f64] = if decades > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let first = self.low.log10().floor() as i32;
        let powers = first..=self.high.log10().ceil() as i32;
        let all = powers.flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
        let within = self.low * 0.999..=self.high * 1.001;
        all.filter(|value| within.contains(value)).collect()
    }
}

/// 1, 2 or 5 times a power of ten, about a fifth of this value.
fn nice_step(max: f64) -> f64 {
    if max <= 0.0 {
        return 1.0;
    }
    let raw = max / 5.0;
    let power = 10_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= raw * 0.999);
    factor.unwrap_or(10.0) * power
}

/// The largest of the numbers .., 1, 2, 5, 10, .. that is at most this value.
fn rounded_down(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let factors = [5.0, 2.0, 1.0];
    factors.into_iter().find(|factor| factor * power <= value * 1.001).unwrap_or(1.0) * power
}

/// The smallest of the numbers .., 1, 2, 5, 10, .. that is at least this value.
fn rounded_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    factors.into_iter().find(|factor| factor * power >= value * 0.999).unwrap_or(10.0) * power
}

/// Selects labels that do not touch each other, given the middle and the width of each: the first,
/// the last, and as many of the others as have room.
pub fn without_overlap(numbers: &[(f64, f64)]) -> Vec<usize> {
    let touch = |a: (f64, f64), b: (f64, f64)| (b.0 - a.0).abs() < (a.1 + b.1) / 2.0;
    let mut shown: Vec<usize> = Vec::new();
    let Some((last, before)) = numbers.split_last() else { return shown };
    for (index, number) in before.iter().enumerate() {
        let previous = shown.last().map(|index| numbers[*index]);
        let is_free = previous.is_none_or(|previous| !touch(previous, *number));
        if index == 0 || is_free && !touch(*number, *last) {
            shown.push(index);
        }
    }
    shown.push(before.len());
    shown
}

/// Moves labels apart that are closer than `gap`, within bounds and in their order. Takes and
/// returns their positions.
pub fn spread(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<_> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut placed = wanted.to_vec();
    let mut min = top;
    for &index in &order {
        placed[index] = placed[index].max(min);
        min = placed[index] + gap;
    }
    let mut max = bottom;
    for &index in order.iter().rev() {
        placed[index] = placed[index].min(max);
        max = placed[index] - gap;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_begins_at_zero_and_ends_above_all() {
        let scale = Scale::linear(&[9300.0, 120.0], 100.0, 0.0);
        assert_eq!(scale.ticks(), [0.0, 2000.0, 4000.0, 6000.0, 8000.0, 10_000.0]);
        assert_eq!((scale.at(0.0), scale.at(10_000.0), scale.at(5000.0)), (100.0, 0.0, 50.0));
        assert_eq!(Scale::linear(&[], 0.0, 1.0).ticks().len(), 6);
    }

    #[test]
    fn a_logarithmic_axis_has_equal_ratios() {
        let scale = Scale::log(&[30.0, 700.0, 0.0], 0.0, 100.0);
        assert_eq!(scale.ticks(), [20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]);
        let (a, b, c) = (scale.at(50.0), scale.at(100.0), scale.at(200.0));
        assert!((b - a - (c - b)).abs() < 1e-9);
        assert_eq!(Scale::log(&[5.0, 80_000.0], 0.0, 1.0).ticks().first(), Some(&10.0));
        assert!(Scale::log(&[], 0.0, 1.0).ticks().len() >= 2);
        assert!(Scale::log(&[7.0], 0.0, 1.0).at(7.0).is_finite());
    }

    #[test]
    fn numbers_beside_an_axis_do_not_touch_and_its_ends_are_labelled() {
        let numbers = [0.0, 10.0, 20.0, 31.0, 80.0, 95.0, 100.0].map(|at| (at, 20.0));
        assert_eq!(without_overlap(&numbers), [0, 2, 4, 6]);
        assert_eq!((without_overlap(&[]), without_overlap(&[(1.0, 1.0)])), (vec![], vec![0]));
    }

    #[test]
    fn labels_do_not_overlap() {
        let placed = spread(&[50.0, 51.0, 10.0, 99.0, 98.0], 10.0, 0.0, 100.0);
        assert_eq!(placed[2], 10.0);
        let mut sorted = placed.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= 10.0), "{sorted:?}");
        assert!(sorted[4] <= 100.0 && placed[0] < placed[1]);
    }
}
