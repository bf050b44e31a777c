//! Messages to the operator: lines on standard error.
//!
//! A server never waits for the reader of these lines. If possible, the server reopens standard
//! error without blocking. It drops and counts lines that can't be written at once. Other commands
//! wait, so a reader that pauses their output still gets all of it.

use std::ffi::OsStr;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::io::Errno;

use crate::output::{self, WriteMethod};
use crate::shared_memory::Shared;

/// Prints a line. Unlike `eprintln!`, it does not panic on an error, so that the server goes on.
pub fn say(line: fmt::Arguments<'_>) {
    let line = format!("{line}\n");
    match LOST_LINES.get() {
        None => drop(std::io::stderr().write_all(line.as_bytes())),
        Some(lost) => lost.say(line),
    }
}

/// Makes this process and its children drop and count lines that can't be written at once.
pub fn never_wait() {
    let Ok(numbers) = Shared::new(3) else { return };
    // Children and the next program inherit the new open file, even without the right to open it.
    if let Ok(Some(own)) = output::reopened(rustix::stdio::stderr(), "/proc/self/fd/2") {
        let _ = rustix::stdio::dup2_stderr(own);
    }
    let _ = LOST_LINES.set(LostLines(numbers.leak()));
}

/// Prints how many lines were lost, if any were and standard error takes lines again. Returns
/// whether lost lines are still to be reported.
pub fn report_lost() -> bool {
    LOST_LINES.get().is_some_and(|lost| lost.has_unreported() && !lost.report())
}

/// How many lines were lost.
pub fn lost() -> u64 {
    LOST_LINES.get().map_or(0, |lost| lost.all().load(Relaxed))
}

static LOST_LINES: OnceLock<LostLines> = OnceLock::new();

/// The lines that were lost, counted by all processes of a server.
struct LostLines(&'static [AtomicU64]);

/// A pipe takes a line of this size whole or not at all (`PIPE_BUF` in pipe(7)).
const LINE_BYTES: usize = 4096;

impl LostLines {
    /// How many lost lines were not reported yet.
    fn unreported(&self) -> &AtomicU64 {
        &self.0[0]
    }

    /// How many lines were lost in all.
    fn all(&self) -> &AtomicU64 {
        &self.0[1]
    }

    /// 1 if the last line that was written was cut off; otherwise 0.
    fn torn(&self) -> &AtomicU64 {
        &self.0[2]
    }

    fn has_unreported(&self) -> bool {
        self.unreported().load(Relaxed) > 0
    }

    fn say(&self, line: String) {
        let can_write = !self.has_unreported() || self.report();
        if !(can_write && self.write(line)) {
            self.unreported().fetch_add(1, Relaxed);
            self.all().fetch_add(1, Relaxed);
        }
    }

    /// Prints how many lines were lost; false if this can't be written either.
    fn report(&self) -> bool {
        let count = self.unreported().swap(0, Relaxed);
        let lines = if count == 1 { "line was" } else { "lines were" };
        let is_reported = count == 0
            || self.write(format!("zerohttpd: {count} {lines} lost here: nothing took them\n"));
        if !is_reported {
            self.unreported().fetch_add(count, Relaxed);
        }
        is_reported
    }

    /// Writes a line; false if it could not be written whole.
    fn write(&self, mut line: String) -> bool {
        if line.len() >= LINE_BYTES {
            while line.len() >= LINE_BYTES - 1 {
                line.pop();
            }
            line.push('\n');
        }
        if self.torn().load(Relaxed) != 0 {
            line.insert(0, '\n');
        }
        let written = write(line.as_bytes());
        if written > 0 {
            self.torn().store((written < line.len()).into(), Relaxed);
        }
        written == line.len()
    }
}

/// Writes as much as standard error takes now. Returns how many bytes it took.
fn write(line: &[u8]) -> usize {
    let stderr = rustix::stdio::stderr();
    let Ok(method) = WriteMethod::of(stderr) else { return 0 };
    loop {
        match method.write(stderr, line) {
            Err(Errno::INTR) => {}
            // On an older kernel, if standard error is a pipe of another user.
            Err(Errno::OPNOTSUPP) => return WriteMethod::Polled.write(stderr, line).unwrap_or(0),
            written => return written.unwrap_or(0),
        }
    }
}

/// What an output stream accepts besides plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Colours and bold type.
    pub takes_colour: bool,
    /// Sequences that move the cursor, to overwrite lines.
    pub moves_cursor: bool,
}

impl Terminal {
    /// What a stream accepts. `NO_COLOR` in the environment (no-color.org) turns off colours, and
    /// `TERM=dumb` turns off all escape sequences.
    pub fn of(stream: &impl IsTerminal) -> Terminal {
        let variable = std::env::var_os;
        Terminal::new(stream.is_terminal(), variable("NO_COLOR"), variable("TERM"))
    }

    fn new(
        is_terminal: bool,
        no_color: Option<impl AsRef<OsStr>>,
        term: Option<impl AsRef<OsStr>>,
    ) -> Terminal {
        let is_dumb = term.is_some_and(|term| term.as_ref() == "dumb");
        let is_plain = no_color.is_some_and(|value| !value.as_ref().is_empty());
        let moves_cursor = is_terminal && !is_dumb;
        Terminal { takes_colour: moves_cursor && !is_plain, moves_cursor }
    }
}

/// The shortest time between two messages about the same event.
const QUIET_MS: u64 = 30_000;

/// Returns whether to print a message now, and sets `last_ms` to `now_ms` if so. `last_ms` is when
/// a process last printed the message, or 0.
pub fn note_if_due(last_ms: &AtomicU64, now_ms: u64) -> bool {
    let last = last_ms.load(Relaxed);
    let is_recent = last != 0 && now_ms < last + QUIET_MS;
    !is_recent && last_ms.compare_exchange(last, now_ms.max(1), Relaxed, Relaxed).is_ok()
}

/// [`say`](crate::diagnostics::say()) with a format.
#[macro_export]
macro_rules! say {
    ($($words:tt)*) => { $crate::diagnostics::say(format_args!($($words)*)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_go_to_terminals_that_want_them() {
        let of = |is_terminal, no_color: Option<&str>, term: Option<&str>| {
            let terminal = Terminal::new(is_terminal, no_color, term);
            (terminal.takes_colour, terminal.moves_cursor)
        };
        assert_eq!(of(true, None, Some("xterm")), (true, true));
        assert_eq!(of(true, Some(""), None), (true, true));
        assert_eq!(of(true, Some("1"), Some("xterm")), (false, true));
        assert_eq!(of(true, None, Some("dumb")), (false, false));
        assert_eq!(of(false, None, Some("xterm")), (false, false));
    }
}
