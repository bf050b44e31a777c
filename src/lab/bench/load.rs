//! The load on a server: `zerohttpd load` as a process of its own, so that what it uses is not
//! ours, and what it reports is what anybody would see who runs it.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::child::Child;
use super::interrupt::{Interrupt, Stop};
use crate::lab::load::cli::BEGUN;

/// Letting clients in, and waiting for those whose answers do not come, may take so long.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often a glance is taken.
const GLANCE: Duration = Duration::from_millis(100);

/// What to do.
pub struct Order<'a> {
    /// What to ask for.
    pub url: &'a str,
    /// By how many clients.
    pub clients: usize,
    /// At this rate, or as fast as answers come.
    pub rate_per_s: Option<f64>,
    /// For so long.
    pub length: Length,
    /// With so many threads.
    pub threads: usize,
    /// With one connection for many requests.
    pub keep_alive: bool,
    /// By POST of this form.
    pub post: Option<&'a str>,
    /// On these cores.
    pub cores: &'a [usize],
}

/// When a load ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// After so many seconds that count.
    Seconds(f64),
    /// After so many requests.
    Requests(u64),
}

/// What happens while a load goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Some time has passed.
    Glance,
    /// All clients are in; from now on it counts.
    Begun,
    /// Soon it won't count any more.
    Ending,
}

/// What a load reports, as far as it is of use here.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Report {
    /// Seconds that count.
    pub elapsed_s: f64,
    /// Seconds before.
    pub opening_s: f64,
    /// Clients that had an answer.
    pub clients_answered: usize,
    /// Good requests.
    pub requests: u64,
    /// The same in a second.
    pub requests_per_second: f64,
    /// Bytes that came.
    pub bytes_received_per_second: f64,
    /// Latencies.
    pub latency_mean_us: f64,
    /// The median.
    pub latency_p50_us: u64,
    /// 90 %.
    pub latency_p90_us: u64,
    /// 99 %.
    pub latency_p99_us: u64,
    /// 99.9 %.
    pub latency_p999_us: u64,
    /// The longest.
    pub latency_max_us: u64,
    /// All of them.
    pub latency_curve: Vec<Point>,
    /// Requests that failed.
    pub failures_total: u64,
    /// By how.
    pub failures: BTreeMap<String, u64>,
    /// Those before anything counted.
    pub failures_before: BTreeMap<String, u64>,
    /// Requests that were due and not begun.
    pub unsent: u64,
    /// How busy it was.
    pub generator_busy_share: f64,
    /// How long it waited for a core.
    pub generator_waited_share: f64,
    /// What it used for a request.
    pub generator_cpu_us_per_request: f64,
    /// Queues that were full.
    pub listen_overflows: Option<u64>,
    /// Clients that waited to be accepted.
    pub accept_queue_mean: Option<f64>,
    /// What it saw of the server.
    pub server: Option<ServerSeen>,
}

/// A point of the latency curve.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Point {
    /// So many percent.
    pub percentile: f64,
    /// Took at most this.
    pub latency_us: u64,
}

/// What a load sees of the server.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct ServerSeen {
    /// How many more descriptors it might have opened.
    pub descriptors_left: Option<u64>,
}

/// Puts a load on a server, and tells what happens meanwhile.
///
/// # Errors
///
/// It does not end, or ends without a report; or Ctrl-C.
pub fn run(
    order: &Order<'_>,
    interrupt: &Interrupt,
    watch: &mut dyn FnMut(Event),
) -> Result<Report, Stop> {
    let mut child = Child::start(&mut command(order), order.cores)
        .map_err(|error| format!("can't start the load: {error}"))?;
    let (Some(mut out), Some(mut errors)) =
        (child.process.stdout.take(), child.process.stderr.take())
    else {
        return Err(Stop::Trouble("the load has no pipes".into()));
    };
    let mut clock = Clock::new(order.length);
    let (mut report, mut said) = (Vec::new(), Vec::new());
    let (mut chunk, mut said_all) = (vec![0; 1 << 16], false);
    loop {
        let next = clock.next();
        let [from_out, from_errors] = match said_all {
            false => interrupt.wait([out.as_fd(), errors.as_fd()], next)?,
            true => interrupt.wait([out.as_fd()], next).map(|[out]| [out, false])?,
        };
        if from_errors {
            let count = errors.read(&mut chunk).unwrap_or(0);
            said.extend_from_slice(&chunk[..count]);
            said_all = count == 0;
            if String::from_utf8_lossy(&said).lines().any(|line| line == BEGUN) {
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
        if clock.is_out_of_patience() {
            return Err(Stop::Trouble("the load did not end".into()));
        }
    }
    serde_json::from_slice(&report).map_err(|_| {
        let words = String::from_utf8_lossy(&said).replace(BEGUN, "");
        Stop::Trouble(format!("the load reports nothing: {}", words.trim()))
    })
}

fn command(order: &Order<'_>) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("zerohttpd").args(["load", order.url, "--json", "--announce"]);
    command.arg("--clients").arg(order.clients.to_string());
    command.arg("--threads").arg(order.threads.to_string());
    match order.length {
        Length::Seconds(seconds) => command.arg("--seconds").arg(seconds.to_string()),
        Length::Requests(requests) => command.arg("--requests").arg(requests.to_string()),
    };
    if let Some(form) = order.post {
        command.arg("--post").arg(form);
    }
    if let Some(rate) = order.rate_per_s {
        command.arg("--rate").arg(rate.to_string());
    }
    if !order.keep_alive {
        command.arg("--no-keep-alive");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// When there is something to tell.
struct Clock {
    started: Instant,
    seconds: f64,
    glance: Instant,
    ending: Option<Instant>,
    has_begun: bool,
}

impl Clock {
    fn new(length: Length) -> Clock {
        let now = Instant::now();
        let seconds = match length {
            Length::Seconds(seconds) => seconds,
            Length::Requests(_) => 0.0,
        };
        Clock { started: now, seconds, glance: now + GLANCE, ending: None, has_begun: false }
    }

    fn next(&self) -> Instant {
        self.ending.map_or(self.glance, |ending| ending.min(self.glance))
    }

    fn begin(&mut self, watch: &mut dyn FnMut(Event)) {
        if self.has_begun {
            return;
        }
        self.has_begun = true;
        let begun = Instant::now();
        watch(Event::Begun);
        // What is looked at in the end takes as long as what is looked at now.
        let looking_s = begun.elapsed().as_secs_f64() * 1.5 + 0.01;
        let seconds = (self.seconds - looking_s).max(self.seconds / 2.0);
        self.ending = Some(begun + Duration::from_secs_f64(seconds));
    }

    /// On a machine that is busy the end may come before we do.
    fn end(&mut self, watch: &mut dyn FnMut(Event)) {
        if self.ending.take().is_some() {
            watch(Event::Ending);
        }
    }

    fn tick(&mut self, watch: &mut dyn FnMut(Event)) {
        let now = Instant::now();
        if self.ending.is_some_and(|ending| now >= ending) {
            self.end(watch);
        }
        if now >= self.glance {
            watch(Event::Glance);
            // Looking may take long, and must not take all of the time.
            self.glance = Instant::now() + GLANCE.max(now.elapsed() * 4);
        }
    }

    fn is_out_of_patience(&self) -> bool {
        self.started.elapsed() > PATIENCE + Duration::from_secs_f64(self.seconds)
    }
}
