//! What the numbers mean: what limited them, and what else has to be known before they are
//! believed. It is judged from what was observed, and nothing else.

use serde::Serialize;

use super::failure::{Failure, Failures};
use super::outcome::{Mode, Outcome};
use super::witness::SHORTEST_S;

/// A thread that is busy for this share of the time has none to spare.
const BUSY: f64 = 0.9;

/// Sharing a core for more than this changes what is measured.
const SHARED: f64 = 0.1;

/// An open loop that leaves no more than this of what was due has kept up.
const LEFT_OVER: f64 = 0.001;

/// A queue with this share of the clients in it is no accident.
const QUEUED: f64 = 0.05;

/// A server that can open no more than this many descriptors accepts nobody.
const NO_DESCRIPTORS: u64 = 2;

/// Clients that think for this share of the time leave the server alone for it.
const PAUSED: f64 = 0.5;

/// What a verdict is made of.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    /// The rate of an open loop.
    pub rate_asked: Option<f64>,
    /// How many clients there were.
    pub clients: usize,
    /// How many threads of ours.
    pub threads: usize,
    /// Good requests.
    pub requests: u64,
    /// Their mean latency.
    pub latency_mean_s: f64,
    /// How long a client waited before it asked again.
    pub think_s: f64,
    /// All failures.
    pub failures: Failures,
    /// Requests that were begun too late.
    pub late: u64,
    /// Requests that were never begun.
    pub unsent: u64,
    /// How busy our threads were.
    pub generator_busy: f64,
    /// How long they waited for a core.
    pub generator_waited: f64,
    /// How busy the machine was.
    pub machine_busy: Option<f64>,
    /// How long it took.
    pub elapsed_s: f64,
    /// Whether the server is on this machine.
    pub server_is_here: bool,
    /// How many cores the server kept busy, and how many it may use.
    pub server_cores: Option<(f64, usize)>,
    /// How busy the busiest of its threads was.
    pub server_thread: Option<f64>,
    /// How long that one waited for a core.
    pub server_waited: Option<f64>,
    /// How many descriptors it had left.
    pub server_descriptors: Option<u64>,
    /// Connections let go because the server's queue was full.
    pub overflows: u64,
    /// How many clients waited to be accepted, on average.
    pub queue: f64,
    /// How many may.
    pub queue_limit: Option<u64>,
}

impl Observations {
    /// What a verdict needs of an outcome.
    pub fn of(outcome: &Outcome) -> Observations {
        let server = outcome.seen.server.as_ref();
        Observations {
            rate_asked: outcome.rate_asked_per_second.filter(|_| outcome.mode == Mode::Open),
            clients: outcome.clients,
            threads: outcome.threads,
            requests: outcome.requests,
            latency_mean_s: outcome.latency.latency_mean_us / 1e6,
            think_s: outcome.think_ms as f64 / 1e3,
            failures: outcome.counted,
            late: outcome.late,
            unsent: outcome.unsent,
            generator_busy: outcome.generator_busy_share,
            generator_waited: outcome.generator_waited_share,
            machine_busy: outcome.seen.machine_busy_share,
            elapsed_s: outcome.elapsed_s,
            server_is_here: outcome.seen.server_is_here,
            server_cores: server.map(|server| (server.cores_used, server.cores_allowed)),
            server_thread: server.and_then(|server| server.busiest_thread_share),
            server_waited: server.and_then(|server| server.busiest_thread_waited_share),
            server_descriptors: server.and_then(|server| server.descriptors_left),
            overflows: outcome.seen.listen_overflows.unwrap_or_default(),
            queue: outcome.seen.accept_queue_mean.unwrap_or_default(),
            queue_limit: outcome.seen.accept_queue_limit,
        }
    }

    fn due(&self) -> u64 {
        self.requests + self.failures.total() + self.unsent
    }

    fn server_is_busy(&self) -> bool {
        let all = self.server_cores.is_some_and(|(used, allowed)| used >= BUSY * allowed as f64);
        all || self.server_thread.is_some_and(|share| share >= BUSY)
    }
}

/// What has to be known of a load, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The sentence.
    pub text: String,
}

/// What there is to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// No request was good.
    NothingMeasured,
    /// All that was due was begun.
    KeptUp,
    /// Not all that was due was begun.
    FellBehind,
    /// The load's own threads had nothing to spare.
    GeneratorBusy,
    /// Others had the cores that the load's threads were ready to use.
    GeneratorStarved,
    /// The load had no port left.
    PortsRanOut,
    /// The load had no descriptor left.
    DescriptorsRanOut,
    /// The server's queue of connections was full.
    AcceptQueueOverflowed,
    /// The server could accept no more, for want of descriptors.
    ServerDescriptorsRanOut,
    /// The server had no processor time to spare.
    ServerBusy,
    /// Others had the cores that the server was ready to use.
    ServerStarved,
    /// All cores of the machine were busy.
    MachineBusy,
    /// All who serve were taken, and not by the processor.
    WorkersTaken,
    /// The clients thought for most of the time.
    ClientsPaused,
    /// Nobody on this machine was busy.
    NothingBusy,
    /// The server is elsewhere, or hidden.
    OutOfSight,
    /// Some requests failed.
    SomeFailed,
}

/// Judges: the first finding is what limited the numbers.
pub fn judge(seen: &Observations) -> Vec<Finding> {
    if seen.requests == 0 {
        return vec![finding(Kind::NothingMeasured, nothing_measured(seen))];
    }
    let mut found = Vec::new();
    let kept_up = seen.unsent as f64 <= LEFT_OVER * seen.due() as f64;
    if let Some(rate) = seen.rate_asked {
        found.push(open_loop(seen, rate, kept_up));
    }
    found.extend(generator(seen));
    let is_generator = found.iter().any(|one| one.kind == Kind::GeneratorStarved);
    found.extend(short_of(seen));
    // Whoever gets all that was asked for is not limited by anything else.
    let is_limited = seen.rate_asked.is_none() || !kept_up;
    if is_limited {
        found.extend(server(seen));
        if found.iter().all(|one| one.kind == Kind::FellBehind) {
            found.push(nobody(seen));
        }
    }
    if seen.generator_waited >= SHARED && !is_generator {
        let text = format!(
            "This load waited {:.0} % of the time for a core that another process had, which is \
             in the latencies. Pin it and the server apart with taskset -c.",
            seen.generator_waited * 100.0
        );
        found.push(finding(Kind::GeneratorStarved, text));
    }
    if seen.failures.total() > 0 {
        let (failed, words) = (seen.failures.total(), seen.failures.in_words());
        let text = format!(
            "{failed} requests failed: {words}. They are not among the latencies, which are those \
             of the good ones alone."
        );
        found.push(finding(Kind::SomeFailed, text));
    }
    found
}

fn finding(kind: Kind, text: impl Into<String>) -> Finding {
    Finding { kind, text: text.into() }
}

fn nothing_measured(seen: &Observations) -> String {
    match seen.failures.by_frequency().first() {
        None => "Nothing was measured: no request was answered in the time that there was.".into(),
        Some((Failure::Refused, _)) => {
            "Nothing was measured: connections are refused. Is the server running, and at this \
             port?"
                .into()
        }
        Some(_) => format!("Nothing was measured: {}.", seen.failures.in_words()),
    }
}

fn open_loop(seen: &Observations, rate: f64, kept_up: bool) -> Finding {
    if kept_up {
        let late = match seen.late {
            0 => String::new(),
            late => format!(
                ", though {late} were begun late, as all clients were waiting or this load came \
                 late itself; their latencies count from when they were due"
            ),
        };
        let text = format!("The rate of {rate} a second was kept up{late}.");
        return finding(Kind::KeptUp, text);
    }
    let text = format!(
        "The rate of {rate} a second was not kept up: {} of {} requests were never begun, as all \
         {} clients were waiting for answers. The latencies lack those, so the true ones are \
         longer.",
        seen.unsent,
        seen.due(),
        seen.clients
    );
    finding(Kind::FellBehind, text)
}

/// What the load itself lacked to ask faster.
fn generator(seen: &Observations) -> Option<Finding> {
    let (busy, waited) = (seen.generator_busy, seen.generator_waited);
    let (busy_percent, waited_percent) = (busy * 100.0, waited * 100.0);
    if busy >= BUSY {
        let text = format!(
            "This load was the limit, not the server: its {} were busy {busy_percent:.0} % of the \
             time. Give it more --threads and cores, or another machine.",
            threads(seen.threads)
        );
        return Some(finding(Kind::GeneratorBusy, text));
    }
    if busy + waited >= BUSY && waited >= SHARED {
        let text = format!(
            "This load had to share its cores: its {} ran {busy_percent:.0} % of the time and \
             waited {waited_percent:.0} % for a core that another process had. Pin it and the \
             server apart with taskset -c.",
            threads(seen.threads)
        );
        return Some(finding(Kind::GeneratorStarved, text));
    }
    None
}

fn threads(count: usize) -> String {
    if count == 1 { "one thread".into() } else { format!("{count} threads") }
}

/// What somebody lacked to connect.
fn short_of(seen: &Observations) -> Vec<Finding> {
    let mut found = Vec::new();
    if seen.failures.of(Failure::NoPort) > 0 {
        let text = "This load ran out of ports to connect from. Widen the range with sysctl \
            net.ipv4.ip_local_port_range=\"1024 65535\", or keep connections alive.";
        found.push(finding(Kind::PortsRanOut, text));
    }
    if seen.failures.of(Failure::NoDescriptor) > 0 {
        let text = "This load ran out of descriptors. Raise the limit with ulimit -Hn, or ask for \
            fewer clients.";
        found.push(finding(Kind::DescriptorsRanOut, text));
    }
    if seen.overflows > 0 {
        let takes = seen.queue_limit.map(|most| format!(", which takes {most},"));
        let text = format!(
            "The server's queue of connections{} was full: the kernel let {} go (nstat -az \
             TcpExtListenOverflows), and their clients had to try again after a second or more. \
             Raise the server's backlog, and net.core.somaxconn with it.",
            takes.unwrap_or_default(),
            seen.overflows
        );
        found.push(finding(Kind::AcceptQueueOverflowed, text));
    }
    if seen.server_descriptors.is_some_and(|left| left <= NO_DESCRIPTORS) {
        let text = "The server ran out of descriptors and could accept nobody. Raise its limit \
            with ulimit -n.";
        found.push(finding(Kind::ServerDescriptorsRanOut, text));
    }
    found
}

/// What held the server up.
fn server(seen: &Observations) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some((used, allowed)) = seen.server_cores.filter(|_| seen.server_is_busy()) {
        let text = format!(
            "The server was the limit: it used {used:.2} of the {allowed} cores that it may use, \
             and {}.",
            match seen.server_thread {
                Some(share) if share >= BUSY => {
                    format!("its busiest thread was busy {:.0} % of the time", share * 100.0)
                }
                _ => "had none to spare".to_owned(),
            }
        );
        found.push(finding(Kind::ServerBusy, text));
    } else if let Some((busy, waited)) = seen.server_thread.zip(seen.server_waited)
        && busy + waited >= BUSY
        && waited >= SHARED
    {
        let text = format!(
            "The server had to share its cores: its busiest thread ran {:.0} % of the time and \
             waited {:.0} % for a core that another had. Pin it and this load apart with \
             taskset -c.",
            busy * 100.0,
            waited * 100.0
        );
        found.push(finding(Kind::ServerStarved, text));
    } else if let Some(busy) = seen.machine_busy.filter(|busy| *busy >= BUSY) {
        let text = format!(
            "The machine was the limit: all of its cores were busy {:.0} % of the time, with the \
             server, this load and whatever else runs.",
            busy * 100.0
        );
        found.push(finding(Kind::MachineBusy, text));
    }
    if seen.queue >= 1.0 && seen.queue >= QUEUED * seen.clients as f64 {
        let text = format!(
            "The server serves fewer clients at once than there are: {:.0} of {} waited to be \
             accepted, on average. Its workers were all taken, or it accepts too slowly.",
            seen.queue, seen.clients
        );
        found.push(finding(Kind::WorkersTaken, text));
    }
    found
}

/// What to say where nothing was seen that limits.
fn nobody(seen: &Observations) -> Finding {
    let share = seen.think_s / (seen.think_s + seen.latency_mean_s);
    if share >= PAUSED {
        let text = format!(
            "The clients were the limit: they think for {:.0} % of the time. More of them would \
             ask more.",
            share * 100.0
        );
        return finding(Kind::ClientsPaused, text);
    }
    if seen.server_cores.is_none() {
        let why = if !seen.server_is_here {
            "the server is on another machine"
        } else if seen.elapsed_s < SHORTEST_S {
            "it was over too soon to see anything"
        } else {
            "the server's processes could not be found"
        };
        let text = format!("This load was not the limit. What was can't be told from here: {why}.");
        return finding(Kind::OutOfSight, text);
    }
    let text = "Neither the server nor this load was busy: the time was spent waiting, for a \
        store, a disk, a lock, or each client for its turn. More clients may ask more.";
    finding(Kind::NothingBusy, text)
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
