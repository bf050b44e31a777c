//! How the table looks at several widths.

use super::*;
use crate::report::samples;
use crate::report::style::PLAIN;

/// The style of a terminal with this many columns, in colour.
fn terminal(width: usize) -> Style {
    Style { in_colour: true, width: Some(width) }
}

/// The text without its colour codes.
fn bare(painted: &str) -> String {
    let mut parts = painted.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    first + &parts.filter_map(|part| Some(part.split_once('m')?.1)).collect::<String>()
}

#[test]
fn servers_are_columns_and_clients_are_rows() {
    let rates: [(&str, &[f64]); 2] =
        [("one", &[5000.0, 5001.0]), ("another=long", &[9000.0, 9001.0])];
    let table = throughput(&samples::row(&rates), PLAIN);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[0], "clients       one another=long");
    assert_eq!(lines[1], "     20     5,000       *9,000");
    assert_eq!(lines[2], "            ±1.0%        ±1.0%");
    assert_eq!(lines[3], "              cpu          cpu");
    assert_eq!(lines.len(), 4);
}

#[test]
fn the_same_is_painted_for_a_terminal_and_only_what_leads_is_bold() {
    let two = samples::row(&[("a", &[5000.0, 5001.0]), ("b", &[900.0, 901.0])]);
    let painted = throughput(&two, terminal(80));
    assert!(painted.contains("\x1b[1m*5,000\x1b[0m"), "{painted:?}");
    assert_eq!(bare(&painted), throughput(&two, PLAIN));
    // Means that are far apart, and runs that are not.
    let unclear: [(&str, &[f64]); 2] =
        [("a", &[54_000.0, 54_568.0, 130_000.0]), ("b", &[50_000.0, 119_618.0, 125_000.0])];
    let painted = throughput(&samples::row(&unclear), terminal(80));
    assert!(painted.contains(" =72,626") && painted.contains(" =90,760"), "{painted:?}");
}

#[test]
fn seven_servers_fit_any_terminal() {
    let names = ["iterative", "forking", "preforked", "threaded", "prethreaded", "poll", "epoll"];
    let mut rates: Vec<(&str, &[f64])> =
        names.map(|name| (name, &[119_618.0, 119_619.0][..])).to_vec();
    rates.push(("a-peer-whose-name-is-longer-than-any-column", &[1.0, 2.0]));
    let mut results = samples::grid(&[20, 15_000], &rates);
    results.settings.rates_per_second = vec![100.0];
    for width in [20, 40, 60, 79, 100, 200] {
        let style = terminal(width);
        let text = bare(&(throughput(&results, style) + &legend(&results, style)));
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width), "{width}: {widest:?}\n{text}");
        let all = text.split_whitespace().collect::<Vec<_>>();
        for name in names {
            assert!(all.contains(&name) || width < 40, "{width}: {name}\n{text}");
        }
        assert!(width < 60 || text.contains(rates[7].0), "{width}: {text}");
    }
    // Parts are about as wide as each other.
    assert_eq!(parts(&[10; 8], Some(60)), [0..4, 4..8]);
    assert_eq!(parts(&[10; 3], Some(5)), [0..1, 1..2, 2..3]);
    assert_eq!(parts(&[10; 30], None).len(), 1);
}

#[test]
fn a_failed_run_is_shown_in_table_and_legend() {
    let mut results = samples::row(&[("a", &[5000.0]), ("b", &[])]);
    assert!(throughput(&results, PLAIN).contains("5,000         .\n"));
    results.cells[1]
        .troubles
        .push(crate::results::FailedRun { round: 1, text: "it ended at once".into() });
    assert!(throughput(&results, PLAIN).contains("5,000    failed\n"));
    assert!(legend(&results, PLAIN).contains("failed      b: it ended at once"));
}

#[test]
fn a_cell_that_fails_has_no_number() {
    let mut results = samples::row(&[("a", &[55_370.0, 55_371.0]), ("b", &[1.0, 2.0])]);
    for run in &mut results.cells[0].runs {
        run.failures_total = 2914;
        run.failures = [("status".to_owned(), 2914)].into();
        run.statuses = [(200, 55_370), (500, 2914)].into();
    }
    let table = throughput(&results, terminal(80));
    assert!(table.contains("\x1b[31m5% fail\x1b[0m") && !table.contains("55,3"), "{table}");
    assert!(table.contains("\x1b[31m500\x1b[0m") && !table.contains("status"), "{table}");
    let legend = legend(&results, PLAIN);
    assert!(legend.contains("failed      a, 20 clients: 5828 × status 500"), "{legend}");
}
