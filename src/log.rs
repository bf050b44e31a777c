//! The access log: a line for each answer.
//!
//! Lines are gathered by each worker and written a few at a time. The log never makes a server
//! wait: where it goes to a terminal or a pipe that nobody reads, lines are dropped and counted.
//! Standard output is opened for that by a supervisor that still has its rights, and then kept: its
//! pipe or terminal may belong to root, and servers to somebody else.

use std::io::{IoSlice, Write as _};
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::{Errno, ReadWriteFlags};
use rustix::net::{self, SendFlags};
use zero_core::{Moment, Served};

use crate::clock;
use crate::say;
use crate::sys::session;
use crate::sys::shared_memory::Shared;
use crate::tally::{Count, Tally};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// No log
    Off,
    /// The common log format of NCSA httpd: host, date, request line, status, bytes
    Common,
    /// A JSON object in each line
    Json,
}

/// Where lines go. All workers share it: the kernel appends each write whole.
pub struct Sink {
    descriptor: OwnedFd,
    format: Format,
    way: Way,
    /// When something was last said of it, and whether its last line was cut off.
    shared: Shared,
}

/// How something is written without waiting for its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// write(2): it is a file, or was opened not to wait.
    Write,
    /// send(2), which can be told so each time.
    Send,
    /// pwritev2(2), which can be told so of a pipe, by Linux 6.5 and later. Before that it writes
    /// nothing at all.
    NoWait,
}

/// A pipe takes writes of this size whole or not at all (`PIPE_BUF` in pipe(7)), so that the lines
/// of two processes never mingle.
const BATCH_BYTES: usize = 4096;

/// A line waits at most this long for others to be written with.
const DELAY_MS: u64 = 50;

/// A request line is cut to this in the log, escapes included, so that a line fits a batch.
const LINE_BYTES: usize = 2048;

impl Sink {
    /// A log into a file, which is made if need be.
    ///
    /// # Errors
    ///
    /// Those of open(2) and mmap(2).
    pub fn open(file: &Path, format: Format) -> std::io::Result<Sink> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOCTTY;
        let mode = Mode::from_raw_mode(0o640);
        // A file never makes one wait, but this may be the name of a pipe.
        let flags = flags | OFlags::CREATE | OFlags::NONBLOCK;
        Sink::onto(rustix::fs::open(file, flags, mode)?, format)
    }

    /// A log onto what [`standard_output`] has opened, or nowhere at all.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2) and mmap(2).
    pub fn onto_output(output: Option<&OwnedFd>, format: Format) -> std::io::Result<Sink> {
        match output {
            Some(output) => Sink::onto(output.try_clone()?, format),
            None => Sink::onto(rustix::stdio::stdout().try_clone_to_owned()?, Format::Off),
        }
    }

    fn onto(descriptor: OwnedFd, format: Format) -> std::io::Result<Sink> {
        let way = way_to_write(&descriptor)?;
        Ok(Sink { descriptor, format, way, shared: Shared::new(2)? })
    }

    /// Writes a batch of lines.
    ///
    /// # Errors
    ///
    /// Those of write(2): they can't be taken now, all or the last of them.
    fn write(&self, lines: &[u8]) -> Result<(), Errno> {
        // A line that was cut off is ended before others follow.
        if self.is_torn().swap(0, Relaxed) != 0 && self.write_once(b"\n").is_err() {
            self.is_torn().store(1, Relaxed);
        }
        let mut left = lines;
        while !left.is_empty() {
            match self.write_once(left) {
                Ok(count) => left = &left[count..],
                Err(Errno::INTR) => {}
                Err(errno) => {
                    let is_cut = left.len() < lines.len();
                    self.is_torn().fetch_or(u64::from(is_cut), Relaxed);
                    return Err(errno);
                }
            }
        }
        Ok(())
    }

    fn write_once(&self, lines: &[u8]) -> Result<usize, Errno> {
        match self.way {
            Way::Write => rustix::io::write(&self.descriptor, lines),
            Way::Send => {
                net::send(&self.descriptor, lines, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
            }
            Way::NoWait => {
                // Where a file would be written to next; a pipe has no other place.
                const HERE: u64 = u64::MAX;
                let lines = [IoSlice::new(lines)];
                rustix::io::pwritev2(&self.descriptor, &lines, HERE, ReadWriteFlags::NOWAIT)
            }
        }
    }

    /// Says that lines are lost, once in a while.
    fn complain(&self, errno: Errno) {
        if say::is_due(&self.shared[0], clock::now().ms) {
            let why = match errno {
                Errno::AGAIN => "nobody reads it".to_owned(),
                other => std::io::Error::from(other).to_string(),
            };
            say!("zerohttpd: can't write to the log: {why}; its lines are dropped, and counted");
        }
    }

    /// Whether the last line in the log was cut off: 1 if so.
    fn is_torn(&self) -> &AtomicU64 {
        &self.shared[1]
    }
}

fn way_to_write(descriptor: impl AsFd) -> Result<Way, Errno> {
    let may_wait = !rustix::fs::fcntl_getfl(&descriptor)?.contains(OFlags::NONBLOCK);
    Ok(match FileType::from_raw_mode(rustix::fs::fstat(descriptor)?.st_mode) {
        FileType::Socket => Way::Send,
        FileType::Fifo if may_wait => Way::NoWait,
        _ => Way::Write,
    })
}

/// Standard output, such that writing never waits for a reader. A terminal or a pipe is opened
/// anew for that: not to wait is our affair, not that of all who share it. A file never makes one
/// wait, and has to keep the place that it shares with others; a socket can't be opened.
///
/// # Errors
///
/// Those of open(2): it is a device of somebody else's.
pub fn standard_output() -> Result<OwnedFd, Errno> {
    let stdout = rustix::stdio::stdout();
    let duplicate = || rustix::io::fcntl_dupfd_cloexec(stdout, 3);
    let open = |path| {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        rustix::fs::open(path, flags, Mode::empty())
    };
    match FileType::from_raw_mode(rustix::fs::fstat(stdout)?.st_mode) {
        // Another user's pipe can't be opened; that of which nobody reads never makes one wait.
        FileType::Fifo => open("/proc/self/fd/1").or_else(|_| duplicate()),
        // Nor can another user's terminal, unless by the name that each process has for its own.
        FileType::CharacterDevice => open("/proc/self/fd/1").or_else(|errno| {
            let own = open("/dev/tty").map_err(|_| errno)?;
            // It is ours if it is our session's.
            if session::is_of_terminal(stdout) { Ok(own) } else { Err(errno) }
        }),
        _ => duplicate(),
    }
}

/// A worker's part of the log.
pub struct Log<'a> {
    sink: &'a Sink,
    tally: Tally,
    lines: Vec<u8>,
    count: u64,
    oldest_ms: u64,
    date: Date,
}

impl<'a> Log<'a> {
    /// Nothing is logged yet.
    pub fn new(sink: &'a Sink, tally: Tally) -> Log<'a> {
        Log { sink, tally, lines: Vec::new(), count: 0, oldest_ms: 0, date: Date::default() }
    }

    /// An answer was given: counts it, and notes its line.
    pub fn record(&mut self, served: &Served<'_>, peer: IpAddr, now: Moment) {
        self.tally.answer(served, now.ms.saturating_sub(served.started_ms));
        let start = self.lines.len();
        if start == 0 {
            self.oldest_ms = now.ms;
        }
        match self.sink.format {
            Format::Off => return,
            Format::Common => self.common(served, peer, now),
            Format::Json => self.json(served, peer, now),
        }
        self.count += 1;
        if self.lines.len() > BATCH_BYTES && start > 0 {
            let line = self.lines.split_off(start);
            self.count -= 1;
            self.flush();
            self.lines = line;
            self.count = 1;
            self.oldest_ms = now.ms;
        }
    }

    /// When there are lines to flush, and since when they should be.
    pub fn due_ms(&self) -> Option<u64> {
        (!self.lines.is_empty()).then_some(self.oldest_ms + DELAY_MS)
    }

    /// Writes what was noted.
    pub fn flush(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        if let Err(errno) = self.sink.write(&self.lines) {
            self.tally.add(Count::LogLinesLost, self.count);
            self.sink.complain(errno);
        }
        self.lines.clear();
        self.count = 0;
    }

    /// `127.0.0.1 - - [23/Nov/2026:04:12:01 +0000] "GET / HTTP/1.1" 200 790`
    fn common(&mut self, served: &Served<'_>, peer: IpAddr, now: Moment) {
        let date = self.date.of(now.unix_s);
        let _ = write!(self.lines, "{peer} - - [{date}] \"");
        escape(&mut self.lines, served.request_line);
        let _ = writeln!(self.lines, "\" {} {}", served.status, served.body_bytes);
    }

    fn json(&mut self, served: &Served<'_>, peer: IpAddr, now: Moment) {
        let _ = write!(
            self.lines,
            "{{\"time_unix_s\":{},\"peer\":\"{peer}\",\"request\":\"",
            now.unix_s
        );
        escape_json(&mut self.lines, served.request_line);
        let _ = writeln!(
            self.lines,
            "\",\"status\":{},\"body_bytes\":{},\"duration_ms\":{}}}",
            served.status,
            served.body_bytes,
            now.ms.saturating_sub(served.started_ms)
        );
    }
}

impl Drop for Log<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Quotes, backslashes and everything that is not visible ASCII as `\xNN`: what a client sends can
/// neither end the line nor reach the terminal.
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let end = out.len() + LINE_BYTES;
    for &byte in text {
        match byte {
            _ if out.len() >= end => break,
            b'"' | b'\\' | ..b' ' | 0x7f.. => drop(write!(out, "\\x{byte:02x}")),
            _ => out.push(byte),
        }
    }
}

/// Likewise, with the escapes that JSON has; each byte is taken for the character of that number.
fn escape_json(out: &mut Vec<u8>, text: &[u8]) {
    let end = out.len() + LINE_BYTES;
    for &byte in text {
        match byte {
            _ if out.len() >= end => break,
            b'"' | b'\\' | ..b' ' | 0x7f.. => drop(write!(out, "\\u{byte:04x}")),
            _ => out.push(byte),
        }
    }
}

/// The date of a line, written once a second.
#[derive(Default)]
struct Date {
    unix_s: u64,
    text: String,
}

impl Date {
    fn of(&mut self, unix_s: u64) -> &str {
        if self.text.is_empty() || self.unix_s != unix_s {
            self.unix_s = unix_s;
            self.text = zero_core::common_log_date(unix_s);
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Tallies;

    #[test]
    fn a_client_cannot_forge_a_line() {
        let mut out = Vec::new();
        escape(&mut out, b"GET /\" 200 1\n127.0.0.1 \x1b[31m\\ \xff");
        assert_eq!(out, br"GET /\x22 200 1\x0a127.0.0.1 \x1b[31m\x5c \xff");
        out.clear();
        escape(&mut out, &[0xff; 9000]);
        assert_eq!(out.len(), LINE_BYTES, "a line is bounded as it is written");
        out.clear();
        escape_json(&mut out, b"\"}\n");
        assert_eq!(out, br"\u0022}\u000a");
    }

    #[test]
    fn lines_are_written_in_batches_and_none_is_lost() {
        let path = std::env::temp_dir().join(format!("zerohttpd-log-{}", std::process::id()));
        let sink = Sink::open(&path, Format::Common).unwrap();
        let tallies = Tallies::new().unwrap();
        let now = Moment { ms: 0, unix_s: 784_111_777 };
        let mut log = Log::new(&sink, tallies.of_thread());
        let line =
            Served { request_line: b"GET / HTTP/1.1", status: 200, body_bytes: 7, started_ms: 0 };
        for _ in 0..1000 {
            log.record(&line, IpAddr::from([127, 0, 0, 1]), now);
        }
        drop(log);
        let written = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(written.lines().count(), 1000);
        let expected = "127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] \"GET / HTTP/1.1\" 200 7";
        assert!(written.lines().all(|line| line == expected));
        assert_eq!((tallies.answers(200), tallies.all_answers()), (1000, 1000));
    }
}
