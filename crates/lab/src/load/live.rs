//! The progress line: one line on a terminal, which is overwritten twice a second.

use std::io::Write;

use hdrhistogram::Histogram;
use zerohttpd_sys::diagnostics::Terminal;

use super::latency::histogram;
use super::meter::now_ns;
use super::run::LoadProgress;
use crate::console;
use crate::text::numbers::latency;

/// The least time between two writes of the line.
const INTERVAL_NS: u64 = 500_000_000;

/// The progress line.
pub struct Live {
    is_on_terminal: bool,
    /// The width in columns of the line that is on the terminal.
    written: usize,
    /// When it was last written.
    written_ns: u64,
    /// Latencies since it was last written.
    since: Histogram<u64>,
}

impl Live {
    /// A line that is written only if standard error is a terminal that can move its cursor.
    pub fn new() -> Live {
        let is_on_terminal = Terminal::of(&std::io::stderr()).moves_cursor;
        Live { is_on_terminal, written: 0, written_ns: now_ns(), since: histogram() }
    }

    /// Adds progress, and writes the line if it is due.
    pub fn show(&mut self, progress: &LoadProgress) {
        if !self.is_on_terminal {
            return;
        }
        // This can't fail: all histograms have the same bounds.
        let _ = self.since.add(&progress.latency);
        let now_ns = now_ns();
        let elapsed_ns = now_ns.saturating_sub(self.written_ns);
        if elapsed_ns >= INTERVAL_NS {
            self.write(&line(progress, &self.since, elapsed_ns as f64 / 1e9));
            self.written_ns = now_ns;
            self.since.reset();
        }
    }

    /// Writes a line, if it is due.
    pub fn show_line(&mut self, line: impl FnOnce() -> String) {
        let now_ns = now_ns();
        if self.is_on_terminal && now_ns.saturating_sub(self.written_ns) >= INTERVAL_NS {
            self.write(&line());
            self.written_ns = now_ns;
        }
    }

    /// Erases the line.
    pub fn clear(&mut self) {
        if self.is_on_terminal {
            self.write("");
        }
    }

    fn write(&mut self, line: &str) {
        let (text, written) = overwrite(line, self.written, console::columns(std::io::stderr()));
        self.written = written;
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// The text that overwrites a line of `written` columns with `line`, and the width of `line`. The
/// text is padded with blanks, because not every terminal has an escape code to erase a line. The
/// last column stays free: after it a terminal would go to the next row.
fn overwrite(line: &str, written: usize, columns: Option<usize>) -> (String, usize) {
    let max = columns.map_or(usize::MAX, |columns| columns.saturating_sub(1));
    let line: String = line.chars().take(max).collect();
    let len = line.chars().count();
    let blanks = written.min(max).saturating_sub(len);
    match len {
        0 => (format!("\r{:blanks$}\r", ""), 0),
        _ => (format!("\r{line}{:blanks$}", ""), len),
    }
}

fn line(progress: &LoadProgress, since: &Histogram<u64>, interval_s: f64) -> String {
    let (connected, failed) = (progress.connected, progress.failed);
    let Some(elapsed_s) = progress.elapsed_s else {
        return format!("  connecting clients: {connected} connected, {failed} failed");
    };
    let at = |quantile| latency(since.value_at_quantile(quantile).min(since.max()) as f64);
    format!(
        "  {elapsed_s:.1} s  {:.0} requests/s  p50 {}  p99 {}  {connected} connected  \
         {failed} failed",
        since.len() as f64 / interval_s,
        at(0.5),
        at(0.99),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_the_last_interval() {
        let mut since = histogram();
        (1..=100).for_each(|ms| since.saturating_record(ms * 1000));
        let progress =
            LoadProgress { elapsed_s: Some(2.5), latency: histogram(), connected: 50, failed: 3 };
        let expected = "  2.5 s  200 requests/s  p50 50.0 ms  p99 99.0 ms  50 connected  3 failed";
        assert_eq!(line(&progress, &since, 0.5), expected);
        let before = LoadProgress { elapsed_s: None, ..progress };
        let expected = "  connecting clients: 50 connected, 3 failed";
        assert_eq!(line(&before, &since, 0.5), expected);
    }

    #[test]
    fn a_line_overwrites_the_one_before_and_fits_the_terminal() {
        assert_eq!(overwrite("abcdef", 0, Some(5)), ("\rabcd".into(), 4));
        assert_eq!(overwrite("ab", 4, Some(5)), ("\rab  ".into(), 2));
        assert_eq!(overwrite("ab", 4, Some(4)), ("\rab ".into(), 2));
        assert_eq!(overwrite("", 2, Some(5)), ("\r  \r".into(), 0));
        assert_eq!(overwrite("abcdef", 0, None), ("\rabcdef".into(), 6));
    }
}
