//! `report.html`: one file that needs no network and no script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::details;
use super::plot::{Plot, Point, Series};
use super::standing::{Entry, Place, Row};
use super::table::{latency, noise, thousands};
use super::words;
use crate::lab::limit::{DISTURBED, Limit};
use crate::lab::results::{Cell, Results, Run};
use crate::lab::statistics::Sample;

/// How it looks.
const LOOKS: &str = include_str!("page.css");

/// The page.
pub fn page(results: &Results) -> Markup {
    let rows = Row::all(results);
    let settings = &results.settings;
    let kept = if settings.keep_alive { "kept alive" } else { "a connection for each request" };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "ZeroHTTPd bench, " (results.started) }
                style { (PreEscaped(LOOKS)) }
            }
            body {
                header {
                    h1 { "How many requests a second, and what was the limit" }
                    p {
                        code { (settings.path) } ", " (kept) ", store " (settings.store)
                        ", profile " (settings.profile) " · " (results.machine.cores) " cores of "
                        (results.machine.cpu_model) " · " (results.started)
                    }
                    @if results.was_interrupted {
                        p.warning { "It was stopped before its time: some cells have fewer runs." }
                    }
                }
                main {
                    (said(&words::sentences(results, &rows)))
                    (table(results, &rows))
                    section.plots { @for plot in plots(results, &rows) { (plot.draw()) } }
                    (details::method(results, noise(&rows)))
                    (details::servers(results))
                    (details::machine(results))
                }
                (details::cells(&rows))
            }
        }
    }
}

fn said(sentences: &[String]) -> Markup {
    html! {
        section { ul.said { @for sentence in sentences { li { (sentence) } } } }
    }
}

fn table(results: &Results, rows: &[Row<'_>]) -> Markup {
    html! {
        section {
            h2 { "The table" }
            p.note {
                "Requests a second, " (super::median(results.settings.rounds)) ". "
                b { "Bold" } ": best of its row, or a tie with the best (=). Beneath it, what was \
                the limit. Grey: not the server's number, and not ranked. A cell opens."
            }
            div.wide {
                table.results {
                    thead {
                        tr {
                            th { "clients" }
                            @for contestant in &results.contestants {
                                th.peer[contestant.is_peer] { (contestant.name) }
                            }
                        }
                    }
                    tbody {
                        @for (number, row) in rows.iter().enumerate() {
                            tr {
                                th {
                                    (row.load.clients)
                                    @if let Some(rate) = row.load.rate_asked_per_second {
                                        small { "at " (rate) "/s" }
                                    }
                                }
                                @for (place, entry) in row.entries.iter().enumerate() {
                                    td { (cell(entry, &details::id(number, place))) }
                                }
                            }
                        }
                    }
                }
            }
            (legend(rows))
        }
    }
}

fn cell(entry: &Entry<'_>, id: &str) -> Markup {
    let class = match (entry.place, entry.is_of_the_server()) {
        (Place::Best | Place::TiesWithBest, _) => "best",
        (_, false) => "faint",
        _ => "",
    };
    let is_open = entry.cell.load.rate_asked_per_second.is_some();
    let p99 = entry.cell.middle_run().map_or(0.0, |run| run.latency_p99_us as f64);
    html! {
        button class=(class) popovertarget=(id) {
            @match entry.rate {
                Some(_) if is_open => { "p99 " (latency(p99)) }
                Some(rate) => {
                    @if entry.place == Place::TiesWithBest { "= " }
                    (thousands(rate.median))
                }
                None if !entry.cell.has_happened() => "not run",
                None if entry.cell.runs.is_empty() => "failed",
                None => "0",
            }
            small {
                @if entry.is_disturbed { "~ " }
                (entry.limit.map(Limit::label).unwrap_or_default())
            }
        }
    }
}

fn legend(rows: &[Row<'_>]) -> Markup {
    let entries = || rows.iter().flat_map(|row| &row.entries);
    let mut limits: Vec<_> = entries().filter_map(|entry| entry.limit).collect();
    limits.sort_unstable();
    limits.dedup();
    html! {
        dl.legend {
            @for limit in limits { dt { (limit.label()) } dd { (limit.meaning()) } }
            @if entries().any(|entry| entry.is_disturbed) {
                dt { "~" } dd { (DISTURBED) }
            }
        }
    }
}

/// What is drawn of a run; none where it was not seen.
type Value = fn(&Run) -> Option<f64>;

fn plots(results: &Results, rows: &[Row<'_>]) -> Vec<Plot> {
    const THROUGHPUT: Value = |run| Some(run.requests_per_second);
    const CPU: Value = |run| {
        let us = run.cost.as_ref()?.server_cpu_us_per_request;
        (us > 0.0).then_some(us)
    };
    const MEMORY: Value = |run| Some(run.memory_peak_kib? as f64 / 1024.0);
    const P50: Value = |run| Some(run.latency_p50_us as f64);
    const P99: Value = |run| Some(run.latency_p99_us as f64);
    const MEDIAN: &str = "Median latency";
    const P99_TITLE: &str = "p99 latency";
    const THREADS: Value = |run| Some(run.threads_peak as f64);
    let plot = |title, subtitle, is_log, write: fn(f64) -> String, value| {
        // How long an answer takes is what an open loop shows.
        let with_open = title == MEDIAN || title == P99_TITLE;
        let series = series(results, rows, with_open, value);
        Plot { title, subtitle, is_log, write, series }
    };
    let drawn = [
        plot("Throughput", "requests a second; more is better", false, thousands, THROUGHPUT),
        plot(
            "Processor time",
            "of the server for a request, µs; less is better",
            true,
            thousands,
            CPU,
        ),
        plot(MEDIAN, "half of the requests took longer", true, latency, P50),
        plot(P99_TITLE, "one in a hundred requests took longer", true, latency, P99),
        plot("Memory", "of the server at its peak, MiB", true, thousands, MEMORY),
        plot("Threads", "of the server at its peak, in all its processes", true, count, THREADS),
    ];
    drawn.into_iter().filter(|plot| !plot.series.is_empty()).collect()
}

fn count(value: f64) -> String {
    format!("{value:.0}")
}

fn series(results: &Results, rows: &[Row<'_>], with_open: bool, value: Value) -> Vec<Series> {
    let rates = results.settings.rates_per_second.iter().copied().map(Some);
    let open = rates.filter(|_| with_open);
    let mut all = Vec::new();
    for mode in [None].into_iter().chain(open) {
        for (index, contestant) in results.contestants.iter().enumerate() {
            let rows = rows.iter().filter(|row| row.load.rate_asked_per_second == mode);
            let points: Vec<_> =
                rows.filter_map(|row| point(row.entries.get(index)?, value)).collect();
            let name = match mode {
                None => contestant.name.clone(),
                Some(rate) => format!("{} @ {rate}/s", contestant.name),
            };
            if !points.is_empty() {
                all.push(Series { name, index, is_open: mode.is_some(), points });
            }
        }
    }
    all
}

fn point(entry: &Entry<'_>, value: Value) -> Option<Point> {
    let values: Vec<_> = values(entry.cell, value);
    let sample = Sample::of(&values)?;
    Some(Point {
        x: entry.cell.load.clients as f64,
        y: sample.median,
        low: sample.low,
        high: sample.high,
        is_faint: !entry.is_of_the_server(),
    })
}

fn values(cell: &Cell, value: Value) -> Vec<f64> {
    cell.runs.iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::report::samples;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let rates: [(&str, &[f64]); 2] = [("one", &[5000.0, 5001.0]), ("two", &[9000.0, 9001.0])];
        let page = page(&samples::grid(&[20, 200], &rates)).into_string();
        for word in ["http://", "https://", "<script", "<link", "@import", "url("] {
            assert!(!page.contains(word), "{word}");
        }
        for word in ["9,000", "Throughput", "Memory", "The server was busy."] {
            assert!(page.contains(word), "{word}");
        }
    }

    #[test]
    fn the_same_results_are_drawn_the_same() {
        let results = samples::grid(&[20], &[("a", &[1.0, 2.0])]);
        assert_eq!(page(&results).into_string(), page(&results).into_string());
    }

    #[test]
    fn what_others_have_named_is_text() {
        let evil = "</td><script>alert(1)</script>";
        let mut results = samples::row(&[(evil, &[1.0])]);
        results.settings.path = format!("/{evil}");
        results.settings.store = evil.into();
        results.settings.profile = evil.into();
        results.started = evil.into();
        results.program = evil.into();
        results.machine.cpu_model = evil.into();
        results.machine.kernel = evil.into();
        results.contestants[0].command = evil.into();
        results.contestants[0].url = Some(evil.into());
        results.contestants[0].knobs = [(evil.to_owned(), evil.to_owned())].into();
        let cell = &mut results.cells[0];
        cell.runs[0].verdict[0].text = evil.into();
        cell.runs[0].failures = [(evil.to_owned(), 1)].into();
        cell.troubles = vec![crate::lab::results::Trouble { round: 2, text: evil.into() }];
        let page = page(&results).into_string();
        assert!(!page.contains("<script"));
        assert!(page.matches("&lt;script&gt;").count() > 8);
    }

    #[test]
    fn a_bench_that_measured_nothing_has_a_page() {
        let page = page(&samples::grid(&[20, 50], &[("a", &[]), ("b", &[])])).into_string();
        assert!(page.contains("not run"));
        assert!(!page.contains("NaN"));
    }
}
