//! `report.html`: one file that needs no network and no script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::choice;
use super::details;
use super::measure::Measure;
use super::plot::{Plot, Point, Series};
use super::ranking::{CellValue, Rank, Row, RowEntry, failing};
use super::table::averaged;
use super::table::failures;
use super::table::half_width;
use super::table::shown_limits;
use super::words;
use crate::finding::limit::DISTURBED;
use crate::results::Results;
use crate::text::numbers::counted;

/// The style sheet.
const STYLE_SHEET: &str = include_str!("page.css");

/// The page.
pub fn page(results: &Results) -> Markup {
    let rows = Row::all(results);
    let settings = &results.settings;
    let kept = if settings.keep_alive {
        "connections kept alive"
    } else {
        "a connection for each request"
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "ZeroHTTPd bench, " (results.started) }
                style { (PreEscaped(STYLE_SHEET)) }
            }
            body {
                header {
                    h1 { "Which server to take, and what limits it" }
                    p {
                        code { (settings.path) } ", " (kept) ", store " (settings.store)
                        ", profile " (settings.profile)
                        " · " (counted(results.machine.cores as u64, "core")) " of "
                        (results.machine.cpu_model) " · " (results.started)
                    }
                    @if results.was_interrupted {
                        p.warning { "The bench was stopped early: some cells have fewer runs." }
                    }
                }
                main {
                    (choice::table(results, &rows))
                    (table(results, &rows))
                    (sentences(&words::remarks(&rows)))
                    section.plots { @for plot in plots(results) { (plot.draw()) } }
                    (details::method(results))
                    (details::servers(results))
                    (details::machine(results))
                }
                (details::cells(&rows))
            }
        }
    }
}

fn sentences(sentences: &[String]) -> Markup {
    html! {
        section { ul.said { @for sentence in sentences { li { (sentence) } } } }
    }
}

fn table(results: &Results, rows: &[Row<'_>]) -> Markup {
    html! {
        section {
            h2 { "The table" }
            p.note {
                "Requests a second, and for an open loop the p99 latency: "
                (averaged(results)) ", with its comparison interval: if the intervals of two \
                servers of the same row do not overlap, these servers differ. Beneath each \
                number, its limit. "
                b { "Bold on green" } ": leads its row. “=”: no server of its row is measurably \
                better. Grey italics: not ranked. Red: requests failed. A click on a cell opens \
                its details."
            }
            div.wide tabindex="0" role="region" aria-label="Results" {
                table.results {
                    thead {
                        tr {
                            th { "clients" }
                            @for subject in &results.subjects {
                                th.peer[subject.is_peer] { (subject.name) }
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
                                @for subject in &results.subjects {
                                    td {
                                        @if let Some(place) = row.position(&subject.name) {
                                            (cell(&row.entries[place], &details::id(number, place)))
                                        }
                                    }
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

fn cell(entry: &RowEntry<'_>, id: &str) -> Markup {
    let shown = entry.shown();
    let class = match (shown, entry.rank) {
        (CellValue::NotRun, _) => None,
        (CellValue::Failed(_), _) => Some("failing"),
        (_, Rank::Leads) => Some("leads"),
        _ => (!entry.is_ranked()).then_some("faint"),
    };
    let mark = if entry.rank == Rank::AmongBest { "= " } else { "" };
    html! {
        button class=[class] popovertarget=(id) {
            @match shown {
                CellValue::Number(measure, number) => {
                    (mark) (measure.write(number.value))
                    @if number.high > number.low { small { (half_width(number)) } }
                },
                CellValue::NotRun => "not run",
                CellValue::Failed(_) if entry.cell.runs.is_empty() => "failed",
                CellValue::Failed(share) => (failing(share)),
            }
            small { (entry.label()) }
        }
    }
}

fn legend(rows: &[Row<'_>]) -> Markup {
    let entries = || rows.iter().flat_map(|row| &row.entries);
    html! {
        dl.legend {
            @for limit in shown_limits(rows) { dt { (limit.label()) } dd { (limit.meaning()) } }
            @if entries().any(|entry| entry.is_disturbed()) {
                dt { "~" } dd { (DISTURBED) }
            }
            @for text in failures(rows) { dt { "failed" } dd { (text) } }
        }
    }
}

fn plots(results: &Results) -> Vec<Plot> {
    let mut drawn = vec![
        plot(results, None, Measure::Throughput, "Throughput", "requests a second; more is better"),
        plot(results, None, Measure::Cpu, "Processor time", "of the server per request"),
    ];
    for mode in
        [None].into_iter().chain(results.settings.rates_per_second.iter().copied().map(Some))
    {
        let half = "half of the requests took longer";
        drawn.push(plot(results, mode, Measure::P50, "Median latency", half));
        let few = "one in a hundred requests took longer";
        drawn.push(plot(results, mode, Measure::P99, "p99 latency", few));
    }
    drawn.extend([
        plot(results, None, Measure::Memory, "Memory", "of the server at its peak"),
        plot(results, None, Measure::Threads, "Threads", "of the server, in all its processes"),
    ]);
    drawn.retain(|plot| !plot.series.is_empty());
    drawn
}

/// The rate of an open loop; none for a closed one.
type OpenRate = Option<f64>;

fn plot(
    results: &Results,
    mode: OpenRate,
    measure: Measure,
    title: &str,
    subtitle: &'static str,
) -> Plot {
    let title = match mode {
        None => title.to_owned(),
        Some(rate) => format!("{title} at {rate}/s"),
    };
    let is_log = measure != Measure::Throughput;
    Plot { title, subtitle, is_log, measure, series: series(results, mode, measure) }
}

fn series(results: &Results, mode: OpenRate, measure: Measure) -> Vec<Series> {
    let loads = results.loads().into_iter().filter(|load| load.rate_asked_per_second == mode);
    let rows: Vec<_> = loads.map(|load| Row::by(results, load, measure)).collect();
    let mut all = Vec::new();
    for (index, subject) in results.subjects.iter().enumerate() {
        let entries =
            rows.iter().filter_map(|row| Some(&row.entries[row.position(&subject.name)?]));
        let points: Vec<_> = entries.filter_map(point).collect();
        if !points.is_empty() {
            all.push(Series { name: subject.name.clone(), index, points });
        }
    }
    all
}

/// None for a cell that fails, because its number can't be compared with others.
fn point(entry: &RowEntry<'_>) -> Option<Point> {
    let CellValue::Number(_, number) = entry.shown() else { return None };
    Some(Point {
        x: entry.cell.load.clients as f64,
        y: number.value,
        low: number.low,
        high: number.high,
        is_faint: !entry.is_ranked(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

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
    fn the_answer_comes_first() {
        let rates: [(&str, &[f64]); 3] = [
            ("one", &[5000.0, 5010.0, 5005.0]),
            ("two", &[9000.0, 9010.0, 9020.0]),
            ("three", &[9001.0, 9021.0, 9003.0]),
        ];
        let mut results = samples::grid(&[20, 200, 500], &rates);
        for run in &mut results.cells[8].runs {
            run.requests_per_second *= 2.0;
        }
        let page = page(&results).into_string();
        let (answer, table) = (page.find("Which server to take</h2>"), page.find("The table</h2>"));
        assert!(answer.unwrap() < table.unwrap());
        // Two loads have the same answer, and the third another one.
        assert!(page.contains("<th>20 to 200 clients</th>"), "{page}");
        assert!(page.contains("two and three can't be told apart: 9,010<"), "{page}");
        assert!(page.contains("<b>three</b> 18,000"), "{page}");
        assert!(page.contains(") two's</small>"), "{page}");
        let sure = page.find("This bench would tell servers apart").expect("how sure it is");
        assert!(sure < page.find("The table</h2>").unwrap());
    }

    #[test]
    fn loads_without_an_answer_are_joined_only_for_the_same_reason() {
        let rates: [(&str, &[f64]); 2] = [("one", &[500.0, 501.0]), ("two", &[900.0, 901.0])];
        let mut results = samples::grid(&[20, 200, 500], &rates);
        for cell in &mut results.cells[..4] {
            cell.runs.truncate(1);
        }
        results.cells[4..].iter_mut().for_each(|cell| cell.runs.clear());
        let page = page(&results).into_string();
        assert!(page.contains("<th>20 to 200 clients</th>"), "{page}");
        assert!(page.contains("<th>500 clients</th><td><small>not run</small>"), "{page}");
    }

    #[test]
    fn joined_loads_show_the_range_of_the_leads() {
        let rates: [(&str, &[f64]); 2] =
            [("one", &[500.0, 501.0, 502.0]), ("two", &[900.0, 901.0, 902.0])];
        let mut results = samples::grid(&[20, 200], &rates);
        for run in &mut results.cells[3].runs {
            run.requests_per_second *= 2.0;
        }
        let page = page(&results).into_string();
        assert!(page.contains("901–1,800<") || page.contains("901–1,800 "), "{page}");
        assert!(page.contains("<small>1.80 to 3.60 times one's</small>"), "{page}");
    }

    #[test]
    fn one_round_ranks_nothing_and_says_why() {
        let rates: [(&str, &[f64]); 2] = [("one", &[5000.0]), ("two", &[9000.0])];
        let page = page(&samples::grid(&[20], &rates)).into_string();
        assert!(page.contains("nothing is ranked: measured once, so the noise is not known"));
    }

    #[test]
    fn the_same_results_are_drawn_the_same() {
        let results = samples::grid(&[20], &[("a", &[1.0, 2.0])]);
        assert_eq!(page(&results).into_string(), page(&results).into_string());
    }

    #[test]
    fn names_from_outside_are_text() {
        let evil = "</td><script>alert(1)</script>";
        let other = format!("{evil} #2");
        let mut results = samples::row(&[(evil, &[1.0, 1.01, 1.02]), (&other, &[2.0, 2.01, 2.02])]);
        results.settings.path = format!("/{evil}");
        results.settings.store = evil.into();
        results.settings.profile = evil.into();
        results.started = evil.into();
        results.program = evil.into();
        results.machine.cpu_model = evil.into();
        results.machine.kernel = evil.into();
        results.subjects[0].command = evil.into();
        results.subjects[0].url = Some(evil.into());
        results.subjects[0].knobs = [(evil.to_owned(), evil.to_owned())].into();
        let cell = &mut results.cells[0];
        cell.runs[0].verdict[0].text = evil.into();
        cell.runs[0].failures = [(evil.to_owned(), 1)].into();
        cell.troubles = vec![crate::results::FailedRun { round: 2, text: evil.into() }];
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
