//! The access log: a line for each answer.
//!
//! Each worker collects lines and writes a few at a time. The log never makes a server wait: lines
//! that a terminal or pipe does not take are dropped and counted. The supervisor opens standard
//! output anew for that purpose. It does so while it still has root's rights, because the pipe or
//! terminal can belong to root, and keeps the descriptor for later generations.

mod files;

use std::io::Write as _;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::io::Errno;
use zerohttpd_core::{AccessRecord, Now};
use zerohttpd_sys::diagnostics;
use zerohttpd_sys::output::{self, WriteMethod};
use zerohttpd_sys::say;
use zerohttpd_sys::shared_memory::Shared;

use crate::clock;
use crate::shared::counters::{Count, ThreadCounters};
pub use files::check_can_open;

/// The format of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// No log.
    Off,
    /// The common log format of NCSA httpd: host, date, request line, status, bytes.
    Common,
    /// One JSON object per line.
    Json,
}

/// Where lines go, shared by all workers: the kernel appends each write as a whole.
pub struct Sink {
    descriptor: OwnedFd,
    format: Format,
    method: WriteMethod,
    /// Two numbers: when a message about the log was last printed, and 1 if the last line in the
    /// log was cut off.
    shared: Shared,
}

/// A pipe takes writes of this size whole or not at all (`PIPE_BUF` in pipe(7)), so that the lines
/// of two processes never mingle.
const BATCH_BYTES: usize = 4096;

/// The longest time that a line waits for others to be written with it.
const DELAY_MS: u64 = 50;

/// The maximum length of a request line in the log, with its escapes, so that a line fits a batch.
const LINE_BYTES: usize = 2048;

impl Sink {
    /// A log into a file, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// Those of open(2) and mmap(2).
    pub fn open(file: &Path, format: Format) -> std::io::Result<Sink> {
        Sink::onto(files::open(file)?, format)
    }

    /// A log that writes to the descriptor from [`standard_output`]; with `None`, no log.
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

    /// A log that writes to an open descriptor.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2) and mmap(2).
    pub fn onto(descriptor: OwnedFd, format: Format) -> std::io::Result<Sink> {
        let method = WriteMethod::of(&descriptor)?;
        Ok(Sink { descriptor, format, method, shared: Shared::new(2)? })
    }

    /// The descriptor to which lines are written.
    pub fn descriptor(&self) -> &OwnedFd {
        &self.descriptor
    }

    /// Writes a batch of lines.
    ///
    /// # Errors
    ///
    /// Those of write(2). Some of the lines can have been written.
    fn write(&self, lines: &[u8]) -> Result<(), Errno> {
        // A line that was cut off is ended before others follow.
        if self.torn_flag().swap(0, Relaxed) != 0
            && self.method.write(&self.descriptor, b"\n").is_err()
        {
            self.torn_flag().store(1, Relaxed);
        }
        let mut left = lines;
        while !left.is_empty() {
            match self.method.write(&self.descriptor, left) {
                Ok(count) => left = &left[count..],
                Err(Errno::INTR) => {}
                Err(errno) => {
                    let is_cut = left.len() < lines.len();
                    self.torn_flag().fetch_or(u64::from(is_cut), Relaxed);
                    return Err(errno);
                }
            }
        }
        Ok(())
    }

    /// Reports that lines are lost, but not too often.
    fn complain(&self, errno: Errno) {
        if diagnostics::note_if_due(&self.shared[0], clock::now().ms) {
            let reason = match errno {
                Errno::AGAIN => "it has no reader".to_owned(),
                other => std::io::Error::from(other).to_string(),
            };
            say!("zerohttpd: can't write to the log: {reason}; lines are dropped and counted");
        }
    }

    /// 1 if the last line in the log was cut off; otherwise 0.
    fn torn_flag(&self) -> &AtomicU64 {
        &self.shared[1]
    }
}

/// A descriptor of standard output, opened anew if that is needed so that writes never block.
///
/// # Errors
///
/// Those of open(2): it is another user's device.
pub fn standard_output() -> Result<OwnedFd, Errno> {
    let stdout = rustix::stdio::stdout();
    let duplicate = || rustix::io::fcntl_dupfd_cloexec(stdout, 3);
    match output::reopened(stdout, "/proc/self/fd/1") {
        Ok(Some(own)) => Ok(own),
        Ok(None) => duplicate(),
        // A pipe need not be opened anew: each write to it can return at once instead of blocking.
        Err(errno) => match WriteMethod::of(stdout)? {
            WriteMethod::NoWait => duplicate(),
            _ => Err(errno),
        },
    }
}

/// A worker's part of the log.
pub struct Log<'a> {
    sink: &'a Sink,
    counters: ThreadCounters,
    /// The lines that are not written yet.
    lines: Vec<u8>,
    line_count: u64,
    /// When the first of these lines was added.
    oldest_ms: u64,
    date: Date,
}

impl<'a> Log<'a> {
    /// A log without lines.
    pub fn new(sink: &'a Sink, counters: ThreadCounters) -> Log<'a> {
        let (lines, date) = (Vec::new(), Date::default());
        Log { sink, counters, lines, line_count: 0, oldest_ms: 0, date }
    }

    /// Counts an answer, and adds its line.
    pub fn record(&mut self, record: &AccessRecord<'_>, peer: IpAddr, now: Now) {
        self.counters.count_answer(record, now.us_since(record.started));
        let start = self.lines.len();
        if start == 0 {
            self.oldest_ms = now.ms;
        }
        match self.sink.format {
            Format::Off => return,
            Format::Common => self.add_common_line(record, peer, now),
            Format::Json => self.add_json_line(record, peer, now),
        }
        self.line_count += 1;
        if self.lines.len() > BATCH_BYTES && start > 0 {
            let line = self.lines.split_off(start);
            self.line_count -= 1;
            self.flush();
            self.lines = line;
            self.line_count = 1;
            self.oldest_ms = now.ms;
        }
    }

    /// When the collected lines are to be written; `None` if there are none.
    pub fn due_ms(&self) -> Option<u64> {
        (!self.lines.is_empty()).then_some(self.oldest_ms + DELAY_MS)
    }

    /// Writes the lines that were added.
    pub fn flush(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        if let Err(errno) = self.sink.write(&self.lines) {
            self.counters.add(Count::LogLinesLost, self.line_count);
            self.sink.complain(errno);
        }
        self.lines.clear();
        self.line_count = 0;
    }

    /// `127.0.0.1 - - [23/Nov/2026:04:12:01 +0000] "GET / HTTP/1.1" 200 790`
    fn add_common_line(&mut self, record: &AccessRecord<'_>, peer: IpAddr, now: Now) {
        let date = self.date.text_at(now.unix_s);
        let _ = write!(self.lines, "{peer} - - [{date}] \"");
        escape(&mut self.lines, record.request_line);
        let _ = writeln!(self.lines, "\" {} {}", record.status, record.body_bytes);
    }

    fn add_json_line(&mut self, record: &AccessRecord<'_>, peer: IpAddr, now: Now) {
        let _ = write!(
            self.lines,
            "{{\"time_unix_s\":{},\"peer\":\"{peer}\",\"request\":\"",
            now.unix_s
        );
        escape_json(&mut self.lines, record.request_line);
        let _ = writeln!(
            self.lines,
            "\",\"status\":{},\"body_bytes\":{},\"duration_ms\":{}}}",
            record.status,
            record.body_bytes,
            now.us_since(record.started) / 1000
        );
    }
}

impl Drop for Log<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Appends a text to a line. Quotes, backslashes and everything except visible ASCII become `\xNN`,
/// so that a client can neither end the line nor control the terminal.
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

/// Like [`escape`], but with the escapes of JSON. Each byte becomes the character with its number,
/// as in Latin-1.
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

/// The date in a line. Its text is made once a second.
#[derive(Default)]
struct Date {
    unix_s: u64,
    text: String,
}

impl Date {
    fn text_at(&mut self, unix_s: u64) -> &str {
        if self.text.is_empty() || self.unix_s != unix_s {
            self.unix_s = unix_s;
            self.text = zerohttpd_core::common_log_date(unix_s);
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::counters::Counters;

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
        let counters = Counters::new().unwrap();
        let now = Now { ms: 0, us: 0, unix_s: 784_111_777 };
        let mut log = Log::new(&sink, counters.of_thread());
        let line = AccessRecord {
            request_line: b"GET / HTTP/1.1",
            status: 200,
            body_bytes: 7,
            started: now,
        };
        for _ in 0..1000 {
            log.record(&line, IpAddr::from([127, 0, 0, 1]), now);
        }
        drop(log);
        let written = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(written.lines().count(), 1000);
        let expected = "127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] \"GET / HTTP/1.1\" 200 7";
        assert!(written.lines().all(|line| line == expected));
        assert_eq!((counters.answers(200), counters.all_answers()), (1000, 1000));
    }
}
