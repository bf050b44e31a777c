//! What stands behind the table: the runs of each cell, how it was measured, who, and where.

use maud::{Markup, html};

use super::plot::curve;
use super::standing::{Entry, Row};
use super::table::{latency, thousands};
use crate::lab::knobs::KNOBS;
use crate::lab::results::{Results, Run};

/// What a cell's panel is called, by its row and its place therein.
pub fn id(row: usize, place: usize) -> String {
    format!("cell-{row}-{place}")
}

/// The panels that the cells of the table open.
pub fn cells(rows: &[Row<'_>]) -> Markup {
    html! {
        @for (number, row) in rows.iter().enumerate() {
            @for (place, entry) in row.entries.iter().enumerate() {
                (panel(entry, &id(number, place)))
            }
        }
    }
}

fn panel(entry: &Entry<'_>, id: &str) -> Markup {
    let cell = entry.cell;
    html! {
        div.panel popover id=(id) {
            button.close popovertarget=(id) popovertargetaction="hide" { "close" }
            h3 {
                (cell.contestant) ", " (cell.load.clients) " clients"
                @if let Some(rate) = cell.load.rate_asked_per_second {
                    ", an open loop of " (rate) " requests a second"
                }
            }
            @if let Some(run) = cell.middle_run() {
                @for finding in &run.verdict { p { (finding.text) } }
                (runs(&cell.runs))
                div.pair {
                    (cost(run))
                    figure {
                        figcaption { b { "Latency" } " by percentile, in the middle run" }
                        (curve(&run.latency_curve, latency))
                    }
                }
            }
            @for trouble in &cell.troubles {
                p.warning { "Round " (trouble.round) ": " (trouble.text) }
            }
        }
    }
}

fn runs(runs: &[Run]) -> Markup {
    html! {
        div.wide {
            table {
                thead {
                    tr {
                        th { "round" } th { "requests/s" } th { "p50" } th { "p90" } th { "p99" }
                        th { "p99.9" } th { "longest" } th { "failed" } th { "limit" }
                    }
                }
                tbody {
                    @for run in runs {
                        tr {
                            th { (run.round) }
                            td { (thousands(run.requests_per_second)) }
                            @for us in [run.latency_p50_us, run.latency_p90_us, run.latency_p99_us,
                                run.latency_p999_us, run.latency_max_us] {
                                td { (latency(us as f64)) }
                            }
                            td { (failures(run)) }
                            td { (run.verdict.first().map_or("", |first| first.limit.label())) }
                        }
                    }
                }
            }
        }
    }
}

fn failures(run: &Run) -> String {
    let kinds: Vec<_> = run
        .failures
        .iter()
        .map(|(kind, count)| format!("{count} {}", kind.replace('_', " ")))
        .collect();
    if kinds.is_empty() { "none".into() } else { kinds.join(", ") }
}

/// What a run cost, as pairs of what and how much.
fn cost(run: &Run) -> Markup {
    let us = |value: f64| format!("{} µs", thousands(value));
    let cores = |value: f64| format!("{value:.2} cores");
    let least = run.cost.as_ref().is_some_and(|cost| cost.switches_are_least);
    let of_cost = run.cost.as_ref().map(|cost| {
        let mut pairs = vec![
            ("server, a request", Some(us(cost.server_cpu_us_per_request))),
            ("server", Some(cores(cost.server_cores_used))),
            ("its busiest thread", cost.server_busiest_thread.map(cores)),
            (
                "threads that wait for a core",
                cost.server_threads_waiting.map(|count| format!("{count:.2}")),
            ),
            ("store, a request", cost.store_cpu_us_per_request.map(us)),
            ("store", cost.store_cores_used.map(cores)),
            ("load, a request", Some(us(cost.load_cpu_us_per_request))),
            ("others on this machine", cost.others_cores_used.map(cores)),
            ("page faults a request", Some(format!("{:.2}", cost.page_faults_per_request))),
        ];
        let switches = cost.switches_per_request.map(|count| format!("{count:.2}"));
        let name = "switches to the server, a request";
        pairs.push((name, switches.map(|count| if least { format!("≥ {count}") } else { count })));
        pairs
    });
    let mut pairs = of_cost.unwrap_or_default();
    pairs.extend([
        ("load", Some(format!("{:.0} % busy", run.load_busy_share * 100.0))),
        (
            "memory at its peak",
            run.memory_peak_kib.map(|kib| format!("{} MiB", thousands(kib as f64 / 1024.0))),
        ),
        ("processes, threads", Some(format!("{}, {}", run.processes_peak, run.threads_peak))),
        ("waiting to be accepted", run.accept_queue_mean.map(|mean| format!("{mean:.1} clients"))),
        (
            "queue overflows, drops",
            run.listen_overflows
                .map(|overflows| format!("{overflows}, {}", run.listen_drops.unwrap_or(0))),
        ),
        ("an answer", Some(format!("{} bytes", thousands(run.bytes_per_answer)))),
        ("clients answered", Some(run.clients_answered.to_string())),
    ]);
    html! {
        dl {
            @for (what, value) in pairs {
                @if let Some(value) = value { dt { (what) } dd { (value) } }
            }
        }
    }
}

/// How it was measured.
pub fn method(results: &Results, noise: Option<String>) -> Markup {
    let settings = &results.settings;
    html! {
        section {
            h2 { "How it was measured" }
            ul {
                li {
                    "The architectures are one program: they parse, answer and ask the store with \
                    the same code, so they serve the same bytes. What differs is how connections \
                    meet processes, threads and waiting. Peers are what they are; the size of \
                    their answers stands below."
                }
                li { "Who runs where: " (settings.who_ran_where()) "." }
                li {
                    "Everybody was measured " (times(settings.rounds)) ", for " (settings.seconds)
                    " s, in an order drawn anew for each round (seed " (settings.seed)
                    "). Each time the server was started afresh and warmed up for "
                    (settings.warm_up_s) " s by as many clients; then the clients were let in, and \
                    when all had had an answer, time began to count. Every run is kept."
                }
                li {
                    "Closed loop: a client asks again as soon as it has its answer, so a server \
                    that stalls is asked less, and what would have waited is not counted."
                    @if !settings.rates_per_second.is_empty() {
                        " Open loop: requests are due at fixed times, and latency counts from \
                        there, whoever was free to send them."
                    }
                }
                li {
                    "Two servers tie if their intervals overlap, or their medians differ by less \
                    than three standard errors, or by less than 1 %."
                    @if let Some(noise) = noise { " A run varies by " (noise) "." }
                }
                li {
                    "What limited a cell is judged from processor time, the queue of connections, \
                    descriptors, ports and failures, as observed. Processor time is that of all \
                    processes of a server, those that have ended included, and of the store apart. \
                    Memory is the proportional share (PSS), looked at while the server warms up."
                }
            }
        }
    }
}

fn times(rounds: usize) -> String {
    match rounds {
        1 => "once".into(),
        2 => "twice".into(),
        more => format!("{more} times"),
    }
}

/// Who was measured.
pub fn servers(results: &Results) -> Markup {
    let size = |name: &str| {
        let cells = results.cells.iter().filter(|cell| cell.contestant == name);
        let sizes = cells.filter_map(|cell| cell.middle_run()).map(|run| run.bytes_per_answer);
        let mut sizes: Vec<_> = sizes.filter(|size| *size > 0.0).collect();
        sizes.sort_by(f64::total_cmp);
        sizes.get(sizes.len() / 2).map(|size| thousands(*size))
    };
    html! {
        section {
            h2 { "The servers" }
            div.wide {
                table.left {
                    thead { tr { th { "name" } th { "command" } th { "bytes an answer" } } }
                    tbody {
                        @for contestant in &results.contestants {
                            tr {
                                th { (contestant.name) @if contestant.is_peer { small { "peer" } } }
                                td {
                                    code { (contestant.command) }
                                    @if let Some(url) = &contestant.url { br; code { (url) } }
                                }
                                td { (size(&contestant.name).unwrap_or_default()) }
                            }
                        }
                    }
                }
            }
            (knobs(results))
        }
    }
}

fn knobs(results: &Results) -> Markup {
    html! {
        div.wide {
            table.left {
                thead {
                    tr { th { "knob" } th { "what it is" } th { "values" } }
                }
                tbody {
                    @for knob in KNOBS {
                        @let values = values(results, knob.name);
                        @if !values.is_empty() {
                            tr {
                                th { (knob.name) }
                                td { (knob.meaning) }
                                td { (values.join(", ")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Where a knob stood, for any of the servers.
fn values(results: &Results, name: &str) -> Vec<String> {
    let set = results.contestants.iter().filter_map(|contestant| contestant.knobs.get(name));
    let mut values: Vec<_> = set.cloned().collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// Where, and how it was set up.
pub fn machine(results: &Results) -> Markup {
    let (machine, settings) = (&results.machine, &results.settings);
    let optional = |value: Option<String>| value.unwrap_or_else(|| "not known".into());
    let limit = |value: Option<u64>| value.map_or("none".into(), |limit| limit.to_string());
    let clients: Vec<_> = settings.clients.iter().map(ToString::to_string).collect();
    let ports = machine.client_ports.map(|(first, last)| format!("{first} to {last}"));
    let pairs = [
        ("program", results.program.clone()),
        ("began", results.started.clone()),
        ("took", format!("{:.0} s", results.took_s)),
        ("processor", machine.cpu_model.clone()),
        ("cores", machine.cores.to_string()),
        ("kernel", machine.kernel.clone()),
        ("memory", format!("{:.1} GiB", machine.memory_kib as f64 / 1024.0 / 1024.0)),
        ("frequency governor", optional(machine.frequency_governor.clone())),
        (
            "quota of processor time",
            machine.cpu_quota_cores.map_or("none".into(), |quota| format!("{quota} cores")),
        ),
        ("longest accept queue", machine.accept_queue_limit.to_string()),
        ("ports for clients", optional(ports)),
        (
            "descriptors",
            format!(
                "{}, at most {}",
                limit(machine.descriptor_limit),
                limit(machine.descriptor_limit_hard)
            ),
        ),
        ("asked for", settings.path.clone()),
        ("store", settings.store.clone()),
        ("remarks written into it first", settings.remarks.to_string()),
        ("profile", settings.profile.clone()),
        ("clients", clients.join(", ")),
        ("threads of the load", settings.load_threads.to_string()),
        ("rounds", settings.rounds.to_string()),
        ("seconds", format!("{}, after {} to warm up", settings.seconds, settings.warm_up_s)),
        ("seed", settings.seed.to_string()),
    ];
    html! {
        section {
            h2 { "The machine and the settings" }
            dl.settings { @for (what, value) in pairs { dt { (what) } dd { (value) } } }
        }
    }
}
