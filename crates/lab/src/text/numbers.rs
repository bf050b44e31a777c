//! Numbers in words: `2 cores`, `12,345`, `1.23 ms`.

/// A count with its noun, such as `2 cores`. The plural of `noun` must end in s.
pub fn counted(count: impl Into<u64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

/// The length of a slice with its noun.
pub fn counted_all<T>(all: &[T], noun: &str) -> String {
    counted(all.len() as u64, noun)
}

/// How many of some cores were used: `0.37 of 1 core`.
pub fn of_cores(used: f64, all: usize) -> String {
    format!("{used:.2} of {}", counted(all as u64, "core"))
}

/// A share, from 0 to 1, as a percentage.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent < 10.0 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

/// A number with commas, such as `12,345`; a number below 100 has digits after the point.
pub fn thousands(value: f64) -> String {
    if value < 100.0 {
        return if value < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") };
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number rounded to three significant digits.
pub fn rounded(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return value;
    }
    let unit = 10f64.powf(value.log10().floor() - 2.0);
    (value / unit).round() * unit
}

/// A ratio, rounded up: `1.04`, `1.3`, `12`.
pub fn factor(ratio: f64) -> String {
    let up = |value: f64, digits: i32| {
        let unit = 10f64.powi(digits);
        (value * unit - 1e-6).ceil() / unit
    };
    match ratio {
        ratio if ratio <= 1.1 => format!("{:.2}", up(ratio, 2)),
        ratio if ratio < 10.0 => format!("{:.1}", up(ratio, 1)),
        ratio => format!("{:.0}", up(ratio, 0)),
    }
}

/// A latency, given in microseconds, with about three digits and a unit.
pub fn latency(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.0} µs"),
        us if us < 10_000.0 => format!("{:.2} ms", us / 1e3),
        us if us < 100_000.0 => format!("{:.1} ms", us / 1e3),
        us if us < 1_000_000.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_a_singular_and_a_plural() {
        assert_eq!(
            [0_u64, 1, 2].map(|count| counted(count, "core")),
            ["0 cores", "1 core", "2 cores"]
        );
        assert_eq!(counted_all(&[(), ()], "run"), "2 runs");
    }

    #[test]
    fn cores_and_latencies_have_their_unit() {
        assert_eq!(of_cores(0.371, 1), "0.37 of 1 core");
        assert_eq!(of_cores(1.5, 2), "1.50 of 2 cores");
        let shown = [7.0, 999.0, 1_234.0, 12_345.0, 123_456.0, 1_234_567.0].map(latency);
        assert_eq!(shown, ["7 µs", "999 µs", "1.23 ms", "12.3 ms", "123 ms", "1.23 s"]);
    }

    #[test]
    fn large_numbers_have_commas_and_small_ones_decimals() {
        let shown = [0.0, 9.876, 98.76, 987.6, 12_345.6, 1_234_567.0].map(thousands);
        assert_eq!(shown, ["0.00", "9.88", "98.8", "988", "12,346", "1,234,567"]);
    }
}
