//! Standard output and the terminal behind it.

use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

/// The exit status after Ctrl-C, as in a shell: 128 plus the signal's number.
pub const INTERRUPTED: u8 = 130;

/// How wide a terminal is.
pub fn columns(terminal: impl AsFd) -> Option<usize> {
    tcgetwinsize(terminal).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Writes to standard output.
///
/// # Errors
///
/// Those of write(2). A closed pipe is no error: its reader needs no more.
pub fn print(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
