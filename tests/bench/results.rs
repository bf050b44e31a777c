//! The results of a bench, and the reports that are drawn from them later.

use std::fs;

use crate::runs::{ARCH, Bench, cells, limits, rounds, transcript};
use crate::support::server::run;

#[test]
fn every_cell_has_numbers_costs_and_a_verdict() {
    let bench = Bench::new();
    let names = ["iterative", ARCH];
    let both = names.join(",");
    let words = ["--arch", &both, "--clients", "4", "--rounds", "2", "--seconds", "0.8"];
    let output = bench.run(&[&words[..], &["--seed", "5", "--rate", "50"]].concat());
    assert!(output.status.success(), "{}", transcript(&output));
    let results = bench.results();
    assert_eq!((&results["format"], &results["version"]), (&"zerohttpd-bench".into(), &1.into()));
    assert_eq!(results["settings"]["seed"], 5);
    assert_eq!(cells(&results).len(), 4, "two servers, each in a closed and in an open loop");
    for cell in cells(&results) {
        assert_eq!(rounds(cell), [1, 2], "{cell:#}");
        for run in cell["runs"].as_array().expect("runs") {
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
    assert!(progress.contains("8 runs of 0.8 s") && progress.contains("; seed 5\n"), "{progress}");
    assert!(progress.contains("\n1/") && progress.contains("\n8/"), "{progress}");
    assert!(!progress.contains('\x1b'), "{progress:?}");
}

#[test]
fn a_report_drawn_again_is_identical_and_two_results_can_be_compared() {
    let bench = Bench::new();
    let words = ["--arch", ARCH, "--clients", "2,9", "--path", "/index.html"];
    let output = bench.run(&[&words[..], &["--rounds", "2", "--seconds", "0.2"]].concat());
    assert!(output.status.success(), "{}", transcript(&output));
    let (page, out) = (bench.page(), bench.out().display().to_string());
    fs::remove_file(bench.out().join("report.html")).expect("a file");
    let again = run(&["report", &out]);
    assert!(again.status.success(), "{}", transcript(&again));
    assert_eq!(bench.page(), page);
    assert_eq!(again.stdout, output.stdout);
    let compared = run(&["report", &out, &out]);
    let text = String::from_utf8_lossy(&compared.stdout).into_owned();
    // Requests per second, two latencies, CPU time and memory, each with 2 and with 9 clients.
    assert_eq!(text.matches("  1.00 ").count(), 10, "{}", transcript(&compared));
    assert!(!text.contains("more") && !text.contains("less"), "{text}");
}

#[test]
fn results_are_not_overwritten_and_other_files_are_refused() {
    let bench = Bench::new();
    let words = ["--arch", ARCH, "--clients", "1", "--rounds", "1"];
    let words = [&words[..], &["--seconds", "0.1"]].concat();
    assert!(bench.run(&words).status.success());
    let before = bench.results();
    let second = bench.run(&words);
    assert_eq!(second.status.code(), Some(1), "{}", transcript(&second));
    assert!(transcript(&second).contains("has results already"), "{}", transcript(&second));
    assert_eq!(bench.results(), before);
    fs::write(bench.out().join("results.json"), "{}").expect("a file");
    let wrong = run(&["report", &bench.out().display().to_string()]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        transcript(&wrong).contains("was not written by zerohttpd bench"),
        "{}",
        transcript(&wrong)
    );
    let none = run(&["report", "/nowhere/at/all"]);
    assert!(
        transcript(&none).contains("can't read /nowhere/at/all/results.json"),
        "{}",
        transcript(&none)
    );
}

#[test]
fn a_bench_goes_on_until_its_intervals_are_narrow_or_the_rounds_are_used_up() {
    let bench = Bench::new();
    let names = ["iterative", ARCH].join(",");
    let words = ["--arch", &names, "--clients", "2", "--path", "/index.html", "--seconds", "0.1"];
    let more = ["--rounds", "2", "--until", "0.1%", "--max-rounds", "4"];
    let output = bench.run(&[&words[..], &more].concat());
    assert!(output.status.success(), "{}", transcript(&output));
    let results = bench.results();
    assert_eq!(
        (&results["settings"]["rounds"], &results["settings"]["max_rounds"]),
        (&2.into(), &4.into())
    );
    for cell in cells(&results) {
        assert_eq!(rounds(cell).last(), Some(&4), "{cell:#}");
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains(" % after 4 rounds.") && text.contains("the geometric mean of 4 rounds"),
        "{text}"
    );
}

#[test]
fn an_aa_bench_says_whether_the_machine_is_quiet_enough() {
    let bench = Bench::new();
    let words = ["--aa", "--arch", ARCH, "--clients", "2", "--path", "/index.html"];
    let output = bench.run(&[&words[..], &["--seconds", "0.1"]].concat());
    let text = String::from_utf8_lossy(&output.stdout).replace("\n  ", " ");
    let is_quiet = text.contains("This machine is quiet enough now: 5 rounds detect ");
    assert!(is_quiet || text.contains("This machine is not quiet enough now: "), "{text}");
    assert!(text.contains("One server under 4 names: a run varies by "), "{text}");
    assert_eq!(output.status.code(), Some(i32::from(!is_quiet)), "{}", transcript(&output));
    assert_eq!(cells(&bench.results()).len(), 4);
}
