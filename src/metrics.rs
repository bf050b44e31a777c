//! What there is to know of a running server, put into words: its metrics, and its health.
//!
//! Everything comes from shared memory. `docs/metrics.md` explains the metrics.

mod exposition;

use std::sync::atomic::Ordering::Relaxed;

use zero_core::store::StoreDown;
use zero_core::{Closing, Moment, STATUSES};

use crate::scoreboard::{Phase, Scoreboard};
use crate::tally::{BUCKETS, Count, Durations, Timed};
pub use exposition::CONTENT_TYPE;
use exposition::{Exposition, Kind};

/// What stays as it is while the server runs.
#[derive(Clone, Copy)]
pub struct About {
    /// What its architecture is called.
    pub arch: &'static str,
    /// How many server processes it has.
    pub workers: usize,
    /// When it was started.
    pub started_unix_s: u64,
}

/// Whether clients are served, and how the store is.
pub struct Health {
    /// A line for each.
    pub text: String,
    /// Clients are served.
    pub is_well: bool,
}

/// All metrics.
pub fn metrics(about: About, board: Scoreboard) -> Vec<u8> {
    let mut text = Exposition::default();
    requests(&mut text, board);
    connections(&mut text, board);
    workers(&mut text, about.workers, board);
    store(&mut text, board);
    server(&mut text, about, board);
    text.into_bytes()
}

/// The state of health.
pub fn health(board: Scoreboard, now: Moment) -> Health {
    let stopping = board.phase(board.generation.load(Relaxed)) == Phase::Stopping;
    let served = board.servers.load(Relaxed) > 0;
    let verdict = match (stopping, served) {
        (true, _) => "stopping",
        (false, false) => "no server process lives",
        (false, true) => "ok",
    };
    let store = match board.store_failures.load(Relaxed) {
        0 => "store up".to_owned(),
        _ => {
            let for_ms = now.ms.saturating_sub(board.store_down_ms.load(Relaxed));
            format!("store down for {} s", for_ms / 1000)
        }
    };
    Health { text: format!("{verdict}\n{store}\n"), is_well: served && !stopping }
}

fn requests(text: &mut Exposition, board: Scoreboard) {
    let tallies = board.tallies;
    let help = "Requests that were answered, by the status of the answer.";
    let mut metric = text.metric("zerohttpd_requests_total", Kind::Counter, help);
    for status in STATUSES {
        metric.sample(&[("status", &status.to_string())], tallies.answers(status));
    }
    let help = "Bytes of answers handed to the kernel, without their heads.";
    text.metric("zerohttpd_response_body_bytes_total", Kind::Counter, help)
        .value(tallies.get(Count::BodyBytes));
    let help = "Time from the whole head of a request to the last byte of its answer with the \
        kernel. The clock is the kernel's coarse one, which goes in steps of 1 to 10 ms.";
    let metric = text.metric("zerohttpd_request_duration_seconds", Kind::Histogram, help);
    histogram(metric, &tallies.durations(Timed::Request));
}

fn connections(text: &mut Exposition, board: Scoreboard) {
    let tallies = board.tallies;
    let help = "Connections that were taken on.";
    text.metric("zerohttpd_connections_total", Kind::Counter, help)
        .value(tallies.get(Count::Connections));
    if let Some(seats) = board.seats {
        let help = "Connections that are open, by what is or was last waited for: a request, \
            another one, the store, the client to take its answer, or the end of what it sends.";
        let mut metric = text.metric("zerohttpd_connections", Kind::Gauge, help);
        for (state, count) in seats.clients() {
            metric.sample(&[("state", state.name())], count);
        }
    }
    let help = "Connections that have ended, by why; killed: with the process that had them.";
    let mut metric = text.metric("zerohttpd_connections_closed_total", Kind::Counter, help);
    for why in Closing::ALL {
        metric.sample(&[("reason", why.name())], tallies.closed(why));
    }
    metric.sample(&[("reason", "killed")], tallies.get(Count::ConnectionsKilled));
    let help = "Clients that were sent away with 503 as soon as they came, by why; address: theirs \
        had as many connections as --max-clients-per-address allows.";
    text.metric("zerohttpd_clients_refused_total", Kind::Counter, help)
        .sample(&[("reason", "address")], tallies.get(Count::RefusedByAddress));
    let help = "Times that a client had to wait for want of descriptors, memory or processes.";
    text.metric("zerohttpd_exhausted_total", Kind::Counter, help)
        .value(tallies.get(Count::Exhausted));
}

/// How the clients are spread.
fn workers(text: &mut Exposition, workers: usize, board: Scoreboard) {
    let help = "Connections that were taken on, by the server process, if there are several.";
    let mut metric = text.metric("zerohttpd_worker_connections_total", Kind::Counter, help);
    for worker in 0..workers {
        let taken_on = match workers {
            1 => board.tallies.get(Count::Connections),
            _ => board.taken_on(worker).load(Relaxed),
        };
        metric.sample(&[("worker", &worker.to_string())], taken_on);
    }
}

fn store(text: &mut Exposition, board: Scoreboard) {
    let tallies = board.tallies;
    let help = "Time from a question to the store to its answer, of those that it answered.";
    let metric = text.metric("zerohttpd_store_duration_seconds", Kind::Histogram, help);
    histogram(metric, &tallies.durations(Timed::Store));
    let help = "Questions that the store did not answer, by why.";
    let mut metric = text.metric("zerohttpd_store_failures_total", Kind::Counter, help);
    for why in StoreDown::ALL {
        metric.sample(&[("reason", why.name())], tallies.store_failures(why));
    }
    let help = "Whether the store could be reached when it was last needed.";
    let is_up = board.store_failures.load(Relaxed) == 0;
    text.metric("zerohttpd_store_up", Kind::Gauge, help).value(u8::from(is_up));
}

fn server(text: &mut Exposition, about: About, board: Scoreboard) {
    let tallies = board.tallies;
    let help = "Lines of the access log that nothing took.";
    text.metric("zerohttpd_log_lines_lost_total", Kind::Counter, help)
        .value(tallies.get(Count::LogLinesLost));
    let help = "Processes that ended by themselves, or were killed, and were started again.";
    text.metric("zerohttpd_restarts_total", Kind::Counter, help)
        .sample(&[("process", "store")], tallies.get(Count::StoreRestarts))
        .sample(&[("process", "server")], tallies.get(Count::ServerRestarts))
        .sample(&[("process", "admin")], tallies.get(Count::AdminRestarts));
    let help = "Server processes of the current generation that live.";
    text.metric("zerohttpd_servers", Kind::Gauge, help).value(board.servers.load(Relaxed));
    let help = "The current generation of servers: SIGHUP starts the next one.";
    text.metric("zerohttpd_generation", Kind::Gauge, help).value(board.generation.load(Relaxed));
    let help = "When the program was started, or took over, in seconds since 1970.";
    text.metric("zerohttpd_process_start_time_seconds", Kind::Gauge, help)
        .value(about.started_unix_s);
    let help = "1, with what is served by.";
    let labels = [("version", env!("CARGO_PKG_VERSION")), ("architecture", about.arch)];
    text.metric("zerohttpd_build_info", Kind::Gauge, help).sample(&labels, 1);
}

fn histogram(mut metric: exposition::Metric<'_>, durations: &Durations) {
    let sum_s = durations.sum_ms as f64 / 1000.0;
    metric.histogram(&BUCKETS.map(|(bound, _)| bound), &durations.counts, sum_s);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_that_of_servers_and_store() {
        let board = Scoreboard::new(0).unwrap();
        board.generation.store(1, Relaxed);
        let at = |ms| Moment { ms, unix_s: 0 };
        let health = |now| (super::health(board, now).is_well, super::health(board, now).text);
        assert_eq!(health(at(0)), (false, "no server process lives\nstore up\n".into()));
        board.servers.store(1, Relaxed);
        board.store_failures.store(3, Relaxed);
        board.store_down_ms.store(500, Relaxed);
        assert_eq!(health(at(4500)), (true, "ok\nstore down for 4 s\n".into()));
        board.stop();
        assert_eq!(health(at(500)), (false, "stopping\nstore down for 0 s\n".into()));
    }
}
