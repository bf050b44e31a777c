//! What the server has to say to whoever runs it: lines on standard error.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Says a line, to whom it may concern: that nobody reads it any more is no reason to stop serving,
/// as it would be with `eprintln!`.
pub fn say(line: fmt::Arguments<'_>) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// What may happen again and again is not said again for so long.
const QUIET_MS: u64 = 30_000;

/// Whether something is to be said now that was last said, by whichever process, at `last_ms`; 0 if
/// it never was.
pub fn is_due(last_ms: &AtomicU64, now_ms: u64) -> bool {
    let last = last_ms.load(Relaxed);
    let is_quiet = last != 0 && now_ms < last + QUIET_MS;
    !is_quiet && last_ms.compare_exchange(last, now_ms.max(1), Relaxed, Relaxed).is_ok()
}

/// [`say`](say()) with a format.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::say(format_args!($($words)*)) };
}
