//! The Prometheus text format, version 0.0.4.

use std::fmt::{Display, Write};

/// The media type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The type of a metric.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A number that only grows until the program is started again.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Counts of observations by size.
    Histogram,
}

/// The text of the metrics while it is written.
#[derive(Default)]
pub struct Exposition(String);

/// A metric, while its samples are written.
pub struct Metric<'a> {
    text: &'a mut String,
    name: &'a str,
}

impl Exposition {
    /// Begins a metric.
    pub fn metric<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Metric<'a> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Metric { text: &mut self.0, name }
    }

    /// The whole text.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

impl Metric<'_> {
    /// Writes a sample with labels.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.write("", labels, value)
    }

    /// Writes the only sample of a metric without labels.
    pub fn value(&mut self, value: impl Display) {
        self.write("", &[], value);
    }

    /// Writes all samples of a histogram. `counts` has the observations of each bucket: one for
    /// each bound, and one above the last bound.
    pub fn histogram(&mut self, bounds: &[&str], counts: &[u64], sum: impl Display) {
        let mut count = 0;
        for (bound, in_bucket) in bounds.iter().chain(&["+Inf"]).zip(counts) {
            count += in_bucket;
            self.write("_bucket", &[("le", bound)], count);
        }
        self.write("_sum", &[], sum).write("_count", &[], count);
    }

    fn write(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        let _ = write!(self.text, "{}{suffix}", self.name);
        for (number, (label, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let open = if number == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{label}=\"{value}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_would_end_a_value_are_escaped() {
        let mut text = Exposition::default();
        text.metric("a_total", Kind::Counter, "One\\two\nthree.")
            .sample(&[("b", "x\"y\\z\n"), ("c", "")], 7)
            .sample(&[("b", "w")], 0.25);
        let expected = "# HELP a_total One\\\\two\\nthree.\n# TYPE a_total counter\n\
            a_total{b=\"x\\\"y\\\\z\\n\",c=\"\"} 7\na_total{b=\"w\"} 0.25\n";
        assert_eq!(String::from_utf8(text.into_bytes()).unwrap(), expected);
    }

    #[test]
    fn the_buckets_of_a_histogram_add_up() {
        let mut text = Exposition::default();
        text.metric("a_seconds", Kind::Histogram, "A.").histogram(&["1", "2"], &[3, 0, 4], 5.5);
        let expected = "# HELP a_seconds A.\n# TYPE a_seconds histogram\n\
            a_seconds_bucket{le=\"1\"} 3\na_seconds_bucket{le=\"2\"} 3\n\
            a_seconds_bucket{le=\"+Inf\"} 7\na_seconds_sum 5.5\na_seconds_count 7\n";
        assert_eq!(String::from_utf8(text.into_bytes()).unwrap(), expected);
    }
}
