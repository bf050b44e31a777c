//! A journal of what a run does.

use std::thread;
use std::time::Instant;

/// Notes with their times. They are printed if the test panics.
pub(crate) struct Journal {
    title: String,
    began: Instant,
    lines: Vec<String>,
}

impl Journal {
    pub(crate) fn new(title: String) -> Journal {
        Journal { title, began: Instant::now(), lines: Vec::new() }
    }

    pub(crate) fn last(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }

    pub(crate) fn note(&mut self, what: impl Into<String>) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.lines.push(format!("{seconds:8.3} s  {}", what.into()));
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}\n{}", self.title, self.lines.join("\n"));
        }
    }
}
