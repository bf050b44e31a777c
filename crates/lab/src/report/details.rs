//! The details behind the table: the runs of each cell, the method, the servers, the machine.

use maud::{Markup, html};

use super::plot::curve;
use super::ranking::{Row, RowEntry};
use super::words;
use crate::knobs::KNOBS;
use crate::results::{Results, Run};
use crate::text::numbers::counted;
use crate::text::numbers::latency;
use crate::text::numbers::thousands;

/// The id of a cell's panel, from its row and its column.
pub fn id(row: usize, place: usize) -> String {
    format!("cell-{row}-{place}")
}

/// The panels that the cells of the table open.
pub fn cells(rows: &[Row<'_>]) -> Markup {
    html! {
        @for (number, row) in rows.iter().enumerate() {
            @for place in 0..row.entries.len() {
                (panel(row, place, &id(number, place)))
            }
        }
    }
}

fn panel(row: &Row<'_>, place: usize, id: &str) -> Markup {
    let entry = &row.entries[place];
    let cell = entry.cell;
    html! {
        div.panel popover id=(id) role="dialog" aria-label=(cell.subject) {
            button.close popovertarget=(id) popovertargetaction="hide" { "close" }
            h3 {
                (cell.subject) ", " (counted(cell.load.clients as u64, "client"))
                @if let Some(rate) = cell.load.rate_asked_per_second {
                    ", an open loop of " (rate) " requests a second"
                }
            }
            @if let Some(run) = cell.middle_run() {
                @for finding in &run.verdict { p { (finding.text) } }
                (runs(entry))
                (against_others(row, place))
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

/// The server's value as a multiple of each other server's in its row.
fn against_others(row: &Row<'_>, server: usize) -> Markup {
    let compared = |other: usize| {
        let ratio = row.ratio(server, other)?;
        let interval = format!("{:.2} ({:.2}–{:.2})", ratio.value, ratio.low, ratio.high);
        let word = if row.differs(server, other)? { "differs" } else { "can't be told apart" };
        Some((&row.entries[other].cell.subject, interval, word))
    };
    let others: Vec<_> = (0..row.entries.len()).filter_map(compared).collect();
    html! {
        @if !others.is_empty() {
            div.wide tabindex="0" role="region" aria-label="Compared" {
                table.left {
                    thead {
                        tr {
                            th { (row.measure.name()) " as a multiple of" }
                            th { "ratio" } th { "conclusion" }
                        }
                    }
                    tbody {
                        @for (name, interval, word) in others {
                            tr { th { (name) } td { (interval) } td { (word) } }
                        }
                    }
                }
            }
        }
    }
}

fn runs(entry: &RowEntry<'_>) -> Markup {
    let runs = &entry.cell.runs;
    html! {
        div.wide tabindex="0" role="region" aria-label="Runs" {
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
                            th {
                                (run.round)
                                @if !entry.counts(run) { small { "does not count" } }
                            }
                            td { (thousands(run.requests_per_second)) }
                            @for us in [run.latency_p50_us, run.latency_p90_us, run.latency_p99_us,
                                run.latency_p999_us, run.latency_max_us] {
                                td { (latency(us as f64)) }
                            }
                            td { (failures(run)) }
                            td { (run.verdict.first().map_or("", |first| first.kind.label())) }
                        }
                    }
                }
            }
        }
    }
}

fn failures(run: &Run) -> String {
    run.failures_in_words().unwrap_or_else(|| "none".into())
}

/// The cost of a run, as pairs of a name and a value.
fn cost(run: &Run) -> Markup {
    let us = |value: f64| format!("{} µs", thousands(value));
    let cores = |value: f64| match format!("{value:.2}") {
        one if one == "1.00" => "1.00 core".to_owned(),
        more => format!("{more} cores"),
    };
    let is_lower_bound = run.cost.as_ref().is_some_and(|cost| cost.switches_are_lower_bound);
    let of_cost = run.cost.as_ref().map(|cost| {
        let mut pairs = vec![
            ("server CPU time per request", Some(us(cost.server_cpu_us_per_request))),
            ("cores used by the server", Some(cores(cost.server_cores_used))),
            ("cores of its busiest thread", cost.server_busiest_thread.map(cores)),
            (
                "its threads waiting for a core",
                cost.server_threads_waiting.map(|count| format!("{count:.2}")),
            ),
            ("store CPU time per request", cost.store_cpu_us_per_request.map(us)),
            ("cores used by the store", cost.store_cores_used.map(cores)),
            ("generator CPU time per request", Some(us(cost.load_cpu_us_per_request))),
            ("server cores used by others", cost.others_on_server_cores.map(cores)),
            ("machine cores used by others", cost.others_cores_used.map(cores)),
            ("page faults per request", Some(format!("{:.2}", cost.page_faults_per_request))),
        ];
        let switches = cost.switches_per_request.map(|count| format!("{count:.2}"));
        let name = "context switches per request";
        pairs.push((
            name,
            switches.map(|count| if is_lower_bound { format!("≥ {count}") } else { count }),
        ));
        pairs
    });
    let mut pairs = of_cost.unwrap_or_default();
    pairs.extend([
        ("load generator", Some(format!("{:.0} % busy", run.load_busy_share * 100.0))),
        (
            "memory at its peak",
            run.memory_peak_kib.map(|kib| format!("{} MiB", thousands(kib as f64 / 1024.0))),
        ),
        ("processes, threads", Some(format!("{}, {}", run.processes_peak, run.threads_peak))),
        ("clients waiting to be accepted", run.accept_queue_mean.map(|mean| format!("{mean:.1}"))),
        (
            "accept queue overflows, drops",
            run.listen_overflows
                .map(|overflows| format!("{overflows}, {}", run.listen_drops.unwrap_or(0))),
        ),
        ("size of an answer", Some(format!("{} bytes", thousands(run.bytes_per_answer)))),
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

/// The method.
pub fn method(results: &Results) -> Markup {
    let settings = &results.settings;
    html! {
        section {
            h2 { "How it was measured" }
            ul {
                li {
                    "The architectures are one program: they parse, answer and ask the store with \
                    the same code, so they serve the same bytes. What differs is how connections \
                    meet processes, threads and waiting. Peers can serve other bytes; the size of \
                    their answers is given below."
                }
                li { "Cores: " (settings.cores_in_words()) "." }
                li {
                    "Each server was measured in " (results.rounds_in_words()) ", for "
                    (settings.seconds) " s each. A round holds every server under every load once: \
                    the rows in random order, and within a row the servers in random order, one \
                    after another (seed " (settings.seed) "). "
                    (words::extra_rounds(settings).unwrap_or_default())
                    " For each run the server was started afresh and warmed up for "
                    (settings.warm_up_s) " s by the same number of clients; then the clients of \
                    the measurement connected, and when each had had an answer, the measured time \
                    began. A run that other processes disturbed was measured again at once, at \
                    most twice, while there were few such runs. Every run is kept."
                }
                li {
                    "Closed loop: a client sends its next request as soon as it has its answer, so \
                    a server that stalls gets fewer requests, and the delay of those that were not \
                    sent is not counted."
                    @if !settings.rates_per_second.is_empty() {
                        " Open loop: requests are due at fixed times, and latency counts from \
                        these. The rate is the same for all servers, so those that kept it up with \
                        good answers are ranked by their p99 latency."
                    }
                }
                li {
                    "The logarithms of the runs' values are compared within rounds, so a change of \
                    the machine between rounds cancels out. All pairs of a row are compared by the \
                    studentized range (Tukey; whether two servers differ is decided by its \
                    stepwise form by Ryan, Einot, Gabriel and Welsch). While rounds are few, the \
                    variance is estimated from all runs of the row, except those of a server that \
                    plainly varies more. If all servers of a row are alike, some pair of them is \
                    still said to differ in one row of twenty. A difference of less than 2 % is \
                    never reported as a difference."
                }
                li {
                    "What limited a cell is judged from observations: how long threads ran and \
                    waited for cores, how those cores were used, the accept queue, descriptors, \
                    ports and failures. Processor time is that of all processes of a server, \
                    including those that have ended; that of the store is given separately. Memory \
                    is the proportional share (PSS), sampled while the server warms up."
                }
            }
        }
    }
}

/// The servers.
pub fn servers(results: &Results) -> Markup {
    let size = |name: &str| {
        let cells = results.cells.iter().filter(|cell| cell.subject == name);
        let sizes = cells.filter_map(|cell| cell.middle_run()).map(|run| run.bytes_per_answer);
        let mut sizes: Vec<_> = sizes.filter(|size| *size > 0.0).collect();
        sizes.sort_by(f64::total_cmp);
        sizes.get(sizes.len() / 2).map(|size| thousands(*size))
    };
    html! {
        section {
            h2 { "The servers" }
            div.wide tabindex="0" role="region" aria-label="Servers" {
                table.left {
                    thead { tr { th { "name" } th { "command" } th { "bytes per answer" } } }
                    tbody {
                        @for subject in &results.subjects {
                            tr {
                                th { (subject.name) @if subject.is_peer { small { "peer" } } }
                                td {
                                    code { (subject.command) }
                                    @if let Some(url) = &subject.url { br; code { (url) } }
                                }
                                td { (size(&subject.name).unwrap_or_default()) }
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
        div.wide tabindex="0" role="region" aria-label="Knobs" {
            table.left {
                thead {
                    tr { th { "knob" } th { "meaning" } th { "values" } }
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

/// The values that a knob has among the servers.
fn values(results: &Results, name: &str) -> Vec<String> {
    let set = results.subjects.iter().filter_map(|subject| subject.knobs.get(name));
    let mut values: Vec<_> = set.cloned().collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// The machine, and its settings.
pub fn machine(results: &Results) -> Markup {
    let (machine, settings) = (&results.machine, &results.settings);
    let optional = |value: Option<String>| value.unwrap_or_else(|| "not known".into());
    let limit = |value: Option<u64>| value.map_or("none".into(), |limit| limit.to_string());
    let clients: Vec<_> = settings.clients.iter().map(ToString::to_string).collect();
    let ports = machine.client_ports.map(|(first, last)| format!("{first} to {last}"));
    let pairs = [
        ("program", results.program.clone()),
        ("started", results.started.clone()),
        ("duration", format!("{:.0} s", results.took_s)),
        ("processor", machine.cpu_model.clone()),
        ("cores", machine.cores.to_string()),
        ("kernel", machine.kernel.clone()),
        ("memory", format!("{:.1} GiB", machine.memory_kib as f64 / 1024.0 / 1024.0)),
        ("frequency governor", optional(machine.frequency_governor.clone())),
        (
            "quota of processor time",
            machine.cpu_quota_cores.map_or("none".into(), |quota| format!("{quota} cores' worth")),
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
        ("path", settings.path.clone()),
        ("store", settings.store.clone()),
        ("remarks written before the first run", settings.remarks.to_string()),
        ("profile", settings.profile.clone()),
        ("clients", clients.join(", ")),
        ("threads of the load generator", settings.load_threads.to_string()),
        ("rounds", results.rounds_in_words()),
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
