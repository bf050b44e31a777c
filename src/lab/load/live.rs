//! One line on a terminal that tells how it goes, written over again and again.

use std::io::{IsTerminal, Write};

use hdrhistogram::Histogram;

use super::meter::now_ns;
use super::run::Progress;
use super::summary::latency;
use super::tally::histogram;

/// How often the line is written.
const INTERVAL_NS: u64 = 500_000_000;

/// The line.
pub struct Live {
    is_watched: bool,
    /// When it was last written, and what came since.
    written_ns: u64,
    since: Histogram<u64>,
}

impl Live {
    /// Nothing is written where nobody looks.
    pub fn new() -> Live {
        let is_watched = std::io::stderr().is_terminal();
        Live { is_watched, written_ns: now_ns(), since: histogram() }
    }

    /// Tells how it goes, if it is time for that.
    pub fn show(&mut self, progress: &Progress) {
        if !self.is_watched {
            return;
        }
        // The bounds of all histograms are the same.
        let _ = self.since.add(&progress.latency);
        let now_ns = now_ns();
        let past_ns = now_ns.saturating_sub(self.written_ns);
        if past_ns >= INTERVAL_NS {
            self.write(&line(progress, &self.since, past_ns as f64 / 1e9));
            self.written_ns = now_ns;
            self.since.reset();
        }
    }

    /// Writes a line, if it is time for that.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        let now_ns = now_ns();
        if self.is_watched && now_ns.saturating_sub(self.written_ns) >= INTERVAL_NS {
            self.write(&line());
            self.written_ns = now_ns;
        }
    }

    /// Takes the line away.
    pub fn clear(&self) {
        if self.is_watched {
            self.write("");
        }
    }

    fn write(&self, line: &str) {
        // Back to the first column, and nothing after the line (console_codes(4)).
        let _ = std::io::stderr().write_all(format!("\r{line}\x1b[K").as_bytes());
    }
}

fn line(progress: &Progress, since: &Histogram<u64>, past_s: f64) -> String {
    let (connected, failed) = (progress.connected, progress.failed);
    let Some(elapsed_s) = progress.elapsed_s else {
        return format!("  letting clients in: {connected} connected, {failed} failed");
    };
    let at = |quantile| latency(since.value_at_quantile(quantile).min(since.max()));
    format!(
        "  {elapsed_s:.1} s  {:.0} requests/s  p50 {}  p99 {}  {connected} connected  \
         {failed} failed",
        since.len() as f64 / past_s,
        at(0.5),
        at(0.99),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_of_the_last_interval() {
        let mut since = histogram();
        (1..=100).for_each(|ms| since.saturating_record(ms * 1000));
        let progress =
            Progress { elapsed_s: Some(2.5), latency: histogram(), connected: 50, failed: 3 };
        let expected = "  2.5 s  200 requests/s  p50 50.0 ms  p99 99.0 ms  50 connected  3 failed";
        assert_eq!(line(&progress, &since, 0.5), expected);
        let before = Progress { elapsed_s: None, ..progress };
        let expected = "  letting clients in: 50 connected, 3 failed";
        assert_eq!(line(&before, &since, 0.5), expected);
    }
}
