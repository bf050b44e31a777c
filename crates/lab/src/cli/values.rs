//! The values of options.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// A parser of a whole number in this range.
pub fn whole<N: TryFrom<u64> + Display + PartialOrd + Copy + Send + Sync + 'static>(
    range: RangeInclusive<N>,
) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse::<u64>().ok().and_then(|number| N::try_from(number).ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            format!("it must be a whole number from {} to {}", range.start(), range.end())
        })
    }
}
