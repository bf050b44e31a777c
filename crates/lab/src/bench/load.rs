//! The load on a server: `zerohttpd load` as a separate process. Its resource usage is therefore
//! not part of the bench's, and its numbers are those that a user would see.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::child::ChildGroup;
use super::interrupt::{Aborted, Interrupt};
use crate::load::command::STARTED;
use crate::load::outcome::LoadOutcome;
use crate::load::plan::Length;
use crate::text::scrub::scrubbed;

/// The most time that a load can take in addition to the measured time: to connect its clients and
/// to wait for the last answers.
const TIMEOUT: Duration = Duration::from_secs(90);

/// How long the load generator can take to end after its report.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// The least time between two [`LoadEvent::Tick`] events.
const TICK: Duration = Duration::from_millis(100);

/// The arguments of a load.
pub struct LoadArguments<'a> {
    /// The URL.
    pub url: &'a str,
    /// The number of clients.
    pub clients: usize,
    /// The rate of an open loop; none for a closed one.
    pub rate_per_s: Option<f64>,
    /// The time to measure, or the number of requests to make.
    pub length: Length,
    /// The number of its threads.
    pub threads: usize,
    /// Whether a connection serves many requests.
    pub keep_alive: bool,
    /// The form to POST, if any.
    pub post: Option<&'a str>,
    /// The cores that it can use.
    pub cores: &'a [usize],
}

/// An event during a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadEvent {
    /// Some time has passed.
    Tick,
    /// All clients are connected, and the measurement begins.
    Started,
    /// The measurement is about to end.
    Ending,
}

/// Runs a load on a server and calls `watch` at each event.
///
/// # Errors
///
/// The load generator does not end, or ends without a report; the server's first process has ended,
/// which makes its pidfd `server` readable; or Ctrl-C.
pub fn run(
    arguments: &LoadArguments<'_>,
    server: BorrowedFd<'_>,
    interrupt: &Interrupt,
    watch: &mut dyn FnMut(LoadEvent),
) -> Result<LoadOutcome, Aborted> {
    let mut child = ChildGroup::start(&mut command(arguments), arguments.cores)
        .map_err(|error| format!("can't start the load generator: {error}"))?;
    let (Some(mut out), Some(mut errors)) =
        (child.process.stdout.take(), child.process.stderr.take())
    else {
        return Err(Aborted::Failed("the load generator has no pipes".into()));
    };
    let mut clock = Clock::new(arguments.length);
    let (mut report, mut stderr_text) = (Vec::new(), Vec::new());
    let (mut chunk, mut stderr_closed) = (vec![0; 1 << 16], false);
    loop {
        let next = clock.next();
        let [has_ended, from_out, from_errors] = match stderr_closed {
            false => interrupt.wait([server, out.as_fd(), errors.as_fd()], next)?,
            true => {
                let [has_ended, out] = interrupt.wait([server, out.as_fd()], next)?;
                [has_ended, out, false]
            }
        };
        if has_ended {
            return Err(Aborted::Failed("the server ended during the run".into()));
        }
        if from_errors {
            let count = errors.read(&mut chunk).unwrap_or(0);
            stderr_text.extend_from_slice(&chunk[..count]);
            stderr_closed = count == 0;
            if String::from_utf8_lossy(&stderr_text).lines().any(|line| line == STARTED) {
                clock.begin(watch);
            }
        }
        if from_out {
            match out.read(&mut chunk).unwrap_or(0) {
                0 => {
                    clock.end(watch);
                    break;
                }
                count => report.extend_from_slice(&chunk[..count]),
            }
        }
        clock.tick(watch);
        if clock.has_timed_out() {
            return Err(Aborted::Failed("the load generator did not end".into()));
        }
    }
    child.wait_for_end(EXIT_TIMEOUT);
    serde_json::from_slice(&report).map_err(|_| {
        let words = scrubbed(&String::from_utf8_lossy(&stderr_text).replace(STARTED, ""));
        let how = child.how_it_ended().unwrap_or_else(|| "it still runs".into());
        let words = format!("the load generator reported nothing ({how}) {}", words.trim());
        Aborted::Failed(words.trim().into())
    })
}

fn command(arguments: &LoadArguments<'_>) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("zerohttpd").args(["load", arguments.url, "--json", "--announce"]);
    command.arg("--clients").arg(arguments.clients.to_string());
    command.arg("--threads").arg(arguments.threads.to_string());
    match arguments.length {
        Length::Time(time) => command.arg("--seconds").arg(time.as_secs_f64().to_string()),
        Length::Requests(requests) => command.arg("--requests").arg(requests.to_string()),
    };
    if let Some(form) = arguments.post {
        command.arg("--post").arg(form);
    }
    if let Some(rate) = arguments.rate_per_s {
        command.arg("--rate").arg(rate.to_string());
    }
    if !arguments.keep_alive {
        command.arg("--no-keep-alive");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The times at which events are due.
struct Clock {
    started: Instant,
    seconds: f64,
    next_tick: Instant,
    ending: Option<Instant>,
    has_started: bool,
}

impl Clock {
    fn new(length: Length) -> Clock {
        let now = Instant::now();
        let seconds = match length {
            Length::Time(time) => time.as_secs_f64(),
            Length::Requests(_) => 0.0,
        };
        Clock { started: now, seconds, next_tick: now + TICK, ending: None, has_started: false }
    }

    fn next(&self) -> Instant {
        self.ending.map_or(self.next_tick, |ending| ending.min(self.next_tick))
    }

    fn begin(&mut self, watch: &mut dyn FnMut(LoadEvent)) {
        if self.has_started {
            return;
        }
        self.has_started = true;
        let started = Instant::now();
        watch(LoadEvent::Started);
        // The sample at the end takes about as long as the one that `watch` has just taken.
        let sampling_s = started.elapsed().as_secs_f64() * 1.5 + 0.01;
        let seconds = (self.seconds - sampling_s).max(self.seconds / 2.0);
        self.ending = Some(started + Duration::from_secs_f64(seconds));
    }

    /// Calls `watch` with [`LoadEvent::Ending`], once: at its time, or when the load ends if that
    /// is earlier.
    fn end(&mut self, watch: &mut dyn FnMut(LoadEvent)) {
        if self.ending.take().is_some() {
            watch(LoadEvent::Ending);
        }
    }

    fn tick(&mut self, watch: &mut dyn FnMut(LoadEvent)) {
        let now = Instant::now();
        if self.ending.is_some_and(|ending| now >= ending) {
            self.end(watch);
        }
        if now >= self.next_tick {
            watch(LoadEvent::Tick);
            // Sampling can take long, but must not take more than a fifth of the time.
            self.next_tick = Instant::now() + TICK.max(now.elapsed() * 4);
        }
    }

    fn has_timed_out(&self) -> bool {
        self.started.elapsed() > TIMEOUT + Duration::from_secs_f64(self.seconds)
    }
}
