//! What a bench leaves behind, and what can be drawn of it again.

use std::fs;

use crate::runs::{Bench, cells, limits, said};
use crate::support::architectures;
use crate::support::server::run;

#[test]
fn every_cell_has_numbers_their_cost_and_a_verdict() {
    let bench = Bench::new();
    let names = [&architectures()[0], &architectures()[6]].map(String::as_str);
    let both = names.join(",");
    let words = ["--arch", &both, "--clients", "4", "--rounds", "2", "--seconds", "0.3"];
    let output = bench.run(&[&words[..], &["--seed", "5", "--rate", "50"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let results = bench.results();
    assert_eq!((&results["format"], &results["version"]), (&"zerohttpd-bench".into(), &1.into()));
    assert_eq!(results["settings"]["seed"], 5);
    assert_eq!(cells(&results).len(), 4, "two servers, in a closed loop and in an open one");
    for cell in cells(&results) {
        let runs = cell["runs"].as_array().expect("runs");
        assert_eq!(runs.len(), 2, "{cell:#}");
        for run in runs {
            assert!(run["requests_per_second"].as_f64() > Some(0.0), "{run:#}");
            assert!(run["cost"]["server_cpu_us_per_request"].as_f64() > Some(0.0), "{run:#}");
            assert!(run["memory_peak_kib"].as_u64() > Some(100), "{run:#}");
            assert!(run["threads_peak"].as_u64() >= Some(2), "{run:#}");
            assert!(run["latency_p99_us"].as_u64() >= run["latency_p50_us"].as_u64(), "{run:#}");
            assert_eq!(run["failures_total"], 0, "{run:#}");
        }
        assert!(!limits(cell).is_empty(), "{cell:#}");
    }
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(names.iter().all(|name| table.contains(name)), "{table}");
    let progress = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(progress.contains("\n1/8  ") && progress.contains("\n8/8  "), "{progress}");
    assert!(!progress.contains('\x1b'), "{progress:?}");
}

#[test]
fn a_report_that_is_drawn_again_is_the_same_and_two_can_be_compared() {
    let bench = Bench::new();
    let words = ["--arch", &architectures()[6], "--clients", "2,9", "--path", "/index.html"];
    let output = bench.run(&[&words[..], &["--rounds", "2", "--seconds", "0.2"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let (page, out) = (bench.page(), bench.out().display().to_string());
    fs::remove_file(bench.out().join("report.html")).expect("a file");
    let again = run(&["report", &out]);
    assert!(again.status.success(), "{}", said(&again));
    assert_eq!(bench.page(), page);
    assert_eq!(again.stdout, output.stdout);
    let compared = run(&["report", &out, &out]);
    let text = String::from_utf8_lossy(&compared.stdout).into_owned();
    assert_eq!(text.matches("  1.00  ").count(), 2, "{}", said(&compared));
    assert!(!text.contains("more") && !text.contains("less"), "{text}");
}

#[test]
fn results_are_not_written_over_and_other_files_are_not_taken_for_some() {
    let bench = Bench::new();
    let words = ["--arch", &architectures()[6], "--clients", "1", "--rounds", "1"];
    let words = [&words[..], &["--seconds", "0.1"]].concat();
    assert!(bench.run(&words).status.success());
    let before = bench.results();
    let second = bench.run(&words);
    assert_eq!(second.status.code(), Some(1), "{}", said(&second));
    assert!(said(&second).contains("has results already"), "{}", said(&second));
    assert_eq!(bench.results(), before);
    fs::write(bench.out().join("results.json"), "{}").expect("a file");
    let wrong = run(&["report", &bench.out().display().to_string()]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("was not written by zerohttpd bench"), "{}", said(&wrong));
    let none = run(&["report", "/nowhere/at/all"]);
    assert!(said(&none).contains("can't read /nowhere/at/all/results.json"), "{}", said(&none));
}
