//! The values of options: times, sizes, and numbers of workers.

use std::fmt;
use std::ops::RangeInclusive;

use crate::admission::MOST_WORKERS;

/// A value of `--workers`.
#[derive(Clone, Copy)]
pub enum WorkerCount {
    /// This many.
    Number(usize),
    /// One for each core.
    Auto,
}

/// Parses a number of workers, or `auto`.
pub fn worker_count(text: &str) -> Result<WorkerCount, String> {
    match text {
        "auto" => Ok(WorkerCount::Auto),
        digits => match digits.parse() {
            Ok(count) if (1..=MOST_WORKERS).contains(&count) => Ok(WorkerCount::Number(count)),
            _ => Err(format!("it must be auto, or a number from 1 to {MOST_WORKERS}")),
        },
    }
}

/// A parser of a whole number in this range.
pub fn whole<N: TryFrom<u64> + fmt::Display + PartialOrd + Clone + Send + Sync + 'static>(
    range: RangeInclusive<N>,
) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse::<u64>().ok().and_then(|number| N::try_from(number).ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            format!("it must be a whole number from {} to {}", range.start(), range.end())
        })
    }
}

/// A number of seconds, kept in milliseconds.
#[derive(Clone, Copy)]
pub struct Seconds(pub u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 as f64 / 1000.0)
    }
}

/// Parses a number of seconds, from 0 to a year.
pub fn seconds(text: &str) -> Result<Seconds, String> {
    const YEAR_S: f64 = 31_536_000.0;
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=YEAR_S).contains(&seconds) => {
            Ok(Seconds((seconds * 1000.0).ceil() as u64))
        }
        _ => Err("it must be a number of seconds, such as 15 or 0.5".into()),
    }
}

/// Parses a number of seconds that is more than 0.
pub fn positive_seconds(text: &str) -> Result<Seconds, String> {
    match seconds(text)? {
        Seconds(0) => Err("it must be more than 0".into()),
        seconds => Ok(seconds),
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(pub usize);

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes > 0 && bytes % MIB == 0 => write!(f, "{}m", bytes / MIB),
            bytes if bytes > 0 && bytes % KIB == 0 => write!(f, "{}k", bytes / KIB),
            bytes => write!(f, "{bytes}"),
        }
    }
}

/// A parser of a number of bytes in this range: digits, and k or m for KiB or MiB, as in nginx.
pub fn byte_size(
    within: RangeInclusive<usize>,
) -> impl Fn(&str) -> Result<ByteSize, String> + Clone + Send + Sync + 'static {
    move |text| {
        let (digits, unit) = match text.as_bytes().last() {
            Some(b'k' | b'K') => (&text[..text.len() - 1], KIB),
            Some(b'm' | b'M') => (&text[..text.len() - 1], MIB),
            _ => (text, 1),
        };
        // The standard library's parser would accept a sign.
        let has_only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse::<usize>().ok().filter(|_| has_only_digits);
        match number.and_then(|number| number.checked_mul(unit)) {
            Some(bytes) if within.contains(&bytes) => Ok(ByteSize(bytes)),
            _ => {
                let (least, most) = (ByteSize(*within.start()), ByteSize(*within.end()));
                Err(format!(
                    "it must be a number of bytes from {least} to {most}, such as 8192 or 8k"
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_bounds() {
        let size = byte_size(100..=16 * MIB);
        for (text, bytes) in [
            ("100", 100),
            ("8k", 8192),
            ("8K", 8192),
            ("1m", MIB),
            ("16M", 16 * MIB),
            ("16777216", 16 * MIB),
            ("0100", 100),
        ] {
            assert_eq!(size(text), Ok(ByteSize(bytes)), "{text}");
        }
        for text in [
            "",
            "k",
            "99",
            "0",
            "17m",
            "16777217",
            "8kb",
            "8 k",
            "+8k",
            "-1",
            "1.5k",
            "8g",
            "é",
            "18446744073709551615m",
            "99999999999999999999",
        ] {
            let wrong = size(text).expect_err(text);
            assert_eq!(wrong, "it must be a number of bytes from 100 to 16m, such as 8192 or 8k");
        }
    }

    #[test]
    fn a_size_is_displayed_as_it_can_be_typed() {
        for (bytes, text) in [
            (0, "0"),
            (500, "500"),
            (1024, "1k"),
            (1025, "1025"),
            (65536, "64k"),
            (MIB, "1m"),
            (1536 * KIB, "1536k"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }
}
