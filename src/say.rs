//! What the server has to say to whoever runs it: lines on standard error.

use std::fmt;
use std::io::Write;

/// Says a line, to whom it may concern: that nobody reads it any more is no reason to stop serving,
/// as it would be with `eprintln!`.
pub fn say(line: fmt::Arguments<'_>) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// [`say`](say()) with a format.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::say(format_args!($($words)*)) };
}
