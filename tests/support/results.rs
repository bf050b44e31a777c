//! Made-up results of a bench.

use serde_json::{Value, json};

use super::architectures;

/// The numbers of clients. Each is a row of the table, and the rows of all modes together do not
/// fit on a screen.
const CLIENTS: [u32; 8] = [20, 50, 100, 500, 1000, 2000, 5000, 15_000];

/// The name of the peer, which is too long for a column.
pub(crate) const LONG_NAME: &str = "a-peer-whose-name-is-longer-than-any-column";

/// Results of all architectures and of a peer with a long name, in a closed loop and at two rates.
pub(crate) fn sample() -> Value {
    let names: Vec<&str> = architectures().iter().map(String::as_str).chain([LONG_NAME]).collect();
    let run = |round: usize, place: usize, rate: Option<f64>| {
        let per_s = rate.unwrap_or(100_000.0 / (place + 1) as f64);
        let limit = if rate.is_some() { "rate" } else { "server_cpu" };
        json!({
            "round": round, "requests": 1000, "requests_per_second": per_s + round as f64,
            "latency_p50_us": 300 * (place + 1), "latency_p99_us": 900 * (place + 1),
            "memory_peak_kib": 4096, "threads_peak": 2,
            "verdict": [{ "limit": limit, "text": "It was so." }],
        })
    };
    let mut cells = Vec::new();
    for rate in [None, Some(100.0), Some(2000.0)] {
        for clients in CLIENTS {
            for (place, name) in names.iter().enumerate() {
                let runs: Vec<_> = (1..=2).map(|round| run(round, place, rate)).collect();
                cells.push(json!({ "contestant": name, "clients": clients,
                    "rate_asked_per_second": rate, "runs": runs }));
            }
        }
    }
    let contestants: Vec<_> = names.iter().map(|name| json!({ "name": name })).collect();
    json!({
        "format": "zerohttpd-bench", "version": 1, "started": "2026-11-23T00:00:00Z",
        "settings": { "path": "/guestbook", "store": "embedded", "profile": "fair", "rounds": 2,
            "clients": CLIENTS, "rates_per_second": [100.0, 2000.0], "seconds": 1.0 },
        "contestants": contestants, "cells": cells,
    })
}
