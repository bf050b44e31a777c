//! The metrics and the health of a running server, as text.
//!
//! All values come from shared memory. `docs/metrics.md` explains the metrics.

mod exposition;

use std::sync::atomic::Ordering::Relaxed;

use zerohttpd_core::store::StoreDown;
use zerohttpd_core::{CloseReason, Now, STATUSES};
use zerohttpd_sys::diagnostics;

use crate::shared::counters::{BUCKETS, Count, Durations, Timed};
use crate::shared::scoreboard::{Phase, Scoreboard};
pub use exposition::CONTENT_TYPE;
use exposition::{Exposition, Kind};

/// The settings that do not change while the server runs.
#[derive(Clone, Copy)]
pub struct ServerInfo {
    /// The name of its architecture.
    pub arch: &'static str,
    /// How many server processes it has.
    pub workers: usize,
    /// Whether it has a store.
    pub has_store: bool,
    /// When it was started.
    pub started_unix_s: u64,
}

/// The state of the server and of the store.
pub struct Health {
    /// One line for the server and one for the store.
    pub text: String,
    /// Whether clients are served.
    pub is_healthy: bool,
}

/// The text of all metrics.
pub fn metrics(info: ServerInfo, board: Scoreboard) -> Vec<u8> {
    let mut text = Exposition::default();
    write_requests(&mut text, board);
    write_connections(&mut text, board);
    write_workers(&mut text, info.workers, board);
    if info.has_store {
        write_store(&mut text, board);
    }
    write_server(&mut text, info, board);
    text.into_bytes()
}

/// The health of the server and the store.
pub fn health(info: ServerInfo, board: Scoreboard, now: Now) -> Health {
    let is_stopping = board.phase(board.generation.load(Relaxed)) == Phase::Stopping;
    let has_servers = board.servers.load(Relaxed) > 0;
    let has_site = board.site_gone.load(Relaxed) == 0;
    let is_draining = board.drain_delay.load(Relaxed) > 0;
    let state = match (is_stopping, has_servers) {
        (true, _) => "stopping",
        (false, false) => "no server process is running",
        (false, true) if is_draining => "draining",
        (false, true) if !has_site => "the site is gone",
        (false, true) => "ok",
    };
    let store = match info.has_store {
        true => board.store.describe(now.ms),
        false => "no guestbook".to_owned(),
    };
    Health { text: format!("{state}\n{store}\n"), is_healthy: state == "ok" }
}

fn write_requests(text: &mut Exposition, board: Scoreboard) {
    let counters = board.counters;
    let help = "Answered requests, by the status of the answer.";
    let mut metric = text.metric("zerohttpd_requests_total", Kind::Counter, help);
    for status in STATUSES {
        metric.sample(&[("status", &status.to_string())], counters.answers(status));
    }
    let help = "Bytes of bodies of answers that the kernel has taken.";
    text.metric("zerohttpd_response_body_bytes_total", Kind::Counter, help)
        .value(counters.get(Count::BodyBytes));
    let help = "Time from the end of a request's head until the kernel has taken the last byte \
        of the answer.";
    let metric = text.metric("zerohttpd_request_duration_seconds", Kind::Histogram, help);
    write_histogram(metric, &counters.durations(Timed::Request));
}

fn write_connections(text: &mut Exposition, board: Scoreboard) {
    let counters = board.counters;
    let help = "Accepted connections.";
    text.metric("zerohttpd_connections_total", Kind::Counter, help)
        .value(counters.get(Count::Connections));
    if let Some(gauges) = board.gauges {
        let help = "Open connections, by what they wait for or last waited for: the rest of a \
            request, another request, the store, room to send, or the end of what the client \
            sends.";
        let mut metric = text.metric("zerohttpd_connections", Kind::Gauge, help);
        for (state, count) in gauges.clients() {
            metric.sample(&[("state", state.name())], count);
        }
    }
    let help = "Ended connections, by reason; killed: the process that served them was killed.";
    let mut metric = text.metric("zerohttpd_connections_closed_total", Kind::Counter, help);
    for reason in CloseReason::ALL {
        metric.sample(&[("reason", reason.name())], counters.closed(reason));
    }
    metric.sample(&[("reason", "killed")], counters.get(Count::ConnectionsKilled));
    let help = "Clients that got 503 before they were served, by reason; address: their address \
        had --max-clients-per-address connections already.";
    text.metric("zerohttpd_clients_refused_total", Kind::Counter, help)
        .sample(&[("reason", "address")], counters.get(Count::RefusedByAddress));
    let help = "Times that a client had to wait because descriptors, memory or processes ran out.";
    text.metric("zerohttpd_exhausted_total", Kind::Counter, help)
        .value(counters.get(Count::Exhausted));
}

/// How many clients each server process has accepted.
fn write_workers(text: &mut Exposition, workers: usize, board: Scoreboard) {
    let help = "Accepted connections, by server process.";
    let mut metric = text.metric("zerohttpd_worker_connections_total", Kind::Counter, help);
    for worker in 0..workers {
        let accepted = match workers {
            1 => board.counters.get(Count::Connections),
            _ => board.accepted_by(worker).load(Relaxed),
        };
        metric.sample(&[("worker", &worker.to_string())], accepted);
    }
}

fn write_store(text: &mut Exposition, board: Scoreboard) {
    let counters = board.counters;
    let help = "Time from a query to the store to its reply; only queries with a reply count.";
    let metric = text.metric("zerohttpd_store_duration_seconds", Kind::Histogram, help);
    write_histogram(metric, &counters.durations(Timed::Store));
    let help = "Queries that the store did not answer, by reason.";
    let mut metric = text.metric("zerohttpd_store_failures_total", Kind::Counter, help);
    for reason in StoreDown::ALL {
        metric.sample(&[("reason", reason.name())], counters.store_failures(reason));
    }
    let help = "Whether the last visit and the last remark succeeded in the store.";
    let is_up = board.store.is_up();
    text.metric("zerohttpd_store_up", Kind::Gauge, help).value(u8::from(is_up));
}

fn write_server(text: &mut Exposition, info: ServerInfo, board: Scoreboard) {
    let counters = board.counters;
    let help = "Requests for files that exist and that the server is not allowed to read.";
    text.metric("zerohttpd_files_denied_total", Kind::Counter, help)
        .value(counters.get(Count::FilesDenied));
    let help = "Lines of the access log that were dropped.";
    text.metric("zerohttpd_log_lines_lost_total", Kind::Counter, help)
        .value(counters.get(Count::LogLinesLost));
    let help = "Lines on standard error that were dropped.";
    text.metric("zerohttpd_error_lines_lost_total", Kind::Counter, help).value(diagnostics::lost());
    let help = "Processes that ended unexpectedly and were started again.";
    text.metric("zerohttpd_restarts_total", Kind::Counter, help)
        .sample(&[("process", "store")], counters.get(Count::StoreRestarts))
        .sample(&[("process", "server")], counters.get(Count::ServerRestarts))
        .sample(&[("process", "admin")], counters.get(Count::AdminRestarts));
    let help = "Living server processes of the current generation.";
    text.metric("zerohttpd_servers", Kind::Gauge, help).value(board.servers.load(Relaxed));
    let help = "The current generation of servers: SIGHUP starts the next one.";
    text.metric("zerohttpd_generation", Kind::Gauge, help).value(board.generation.load(Relaxed));
    let help = "Unix time at which the program was started or took over.";
    text.metric("zerohttpd_process_start_time_seconds", Kind::Gauge, help)
        .value(info.started_unix_s);
    let help = "Always 1; the labels name the version and the architecture.";
    let labels = [("version", env!("CARGO_PKG_VERSION")), ("architecture", info.arch)];
    text.metric("zerohttpd_build_info", Kind::Gauge, help).sample(&labels, 1);
}

fn write_histogram(mut metric: exposition::Metric<'_>, durations: &Durations) {
    let sum_s = durations.sum_us as f64 / 1e6;
    metric.histogram(&BUCKETS.map(|(bound, _)| bound), &durations.counts, sum_s);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_that_of_servers_and_store() {
        let board = Scoreboard::new(0).unwrap();
        board.generation.store(1, Relaxed);
        let at = |ms| Now { ms, us: 0, unix_s: 0 };
        let info = ServerInfo { arch: "", workers: 1, has_store: true, started_unix_s: 0 };
        let health = |now| {
            let health = super::health(info, board, now);
            (health.is_healthy, health.text)
        };
        assert_eq!(health(at(0)), (false, "no server process is running\nstore up\n".into()));
        board.servers.store(1, Relaxed);
        board.store.connections.begin_for_connections(&StoreDown::TimedOut.into(), 500);
        let down = |seconds| format!("store down for {seconds} s: did not answer in time");
        assert_eq!(health(at(4500)), (true, format!("ok\n{}\n", down(4))));
        board.site_gone.store(1, Relaxed);
        assert_eq!(health(at(4500)), (false, format!("the site is gone\n{}\n", down(4))));
        board.drain_delay.store(1, Relaxed);
        assert_eq!(health(at(4500)), (false, format!("draining\n{}\n", down(4))));
        board.stop();
        assert_eq!(health(at(500)), (false, format!("stopping\n{}\n", down(0))));
    }
}
