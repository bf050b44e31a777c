//! Results for tests.

use crate::finding::Finding;
use crate::finding::limit::Limit;
use crate::results::{Cell, Cost, Load, Results, Run, Settings, Subject};

/// Servers with these requests a second in each round, under a load of 20 clients.
pub fn row(rates: &[(&str, &[f64])]) -> Results {
    grid(&[20], rates)
}

/// These servers under several loads, one for each of these numbers of clients.
pub fn grid(clients: &[usize], rates: &[(&str, &[f64])]) -> Results {
    let settings = Settings {
        path: "/guestbook".into(),
        store: "embedded".into(),
        profile: "fair".into(),
        clients: clients.to_vec(),
        rounds: 3,
        seconds: 1.0,
        ..Settings::default()
    };
    let subject = |name: &str| Subject {
        name: name.into(),
        command: format!("zerohttpd {name} 0"),
        ..Subject::default()
    };
    let subjects = rates.iter().map(|(name, _)| subject(name)).collect();
    let mut results = Results::new("2026-11-23T06:53:23Z".into(), settings, subjects);
    for load in results.loads() {
        results.cells.extend(rates.iter().map(|(name, rates)| cell(name, load, rates)));
    }
    results
}

fn cell(name: &str, load: Load, rates: &[f64]) -> Cell {
    let runs = (1..).zip(rates).map(|(round, rate)| run(round, *rate)).collect();
    Cell { subject: name.into(), load, runs, troubles: Vec::new() }
}

fn run(round: usize, rate: f64) -> Run {
    Run {
        round,
        measured_s: 1.0,
        requests: rate as u64,
        requests_per_second: rate,
        latency_p50_us: 1000,
        latency_p90_us: 2000,
        latency_p99_us: 3000,
        latency_p999_us: 4000,
        latency_max_us: 5000,
        latency_curve: vec![(0.0, 500), (50.0, 1000), (99.0, 3000), (100.0, 5000)],
        cost: Some(Cost { server_cpu_us_per_request: 50.0, ..Cost::default() }),
        memory_peak_kib: Some(4096),
        processes_peak: 2,
        threads_peak: 2,
        verdict: vec![Finding { kind: Limit::ServerCpu, text: "The server was busy.".into() }],
        ..Run::default()
    }
}
