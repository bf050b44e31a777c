//! A bench that is stopped before its end, and one that cannot start.

use std::io::{BufRead, BufReader};

use rustix::process::Signal;

use crate::runs::{ARCH, Bench, cells};
use crate::support::process::Process;
use crate::support::server::run;
use crate::support::wait_until;

#[test]
fn after_ctrl_c_the_results_so_far_are_kept_and_the_report_is_drawn() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let bench = Bench::new();
        let words = ["--arch", ARCH, "--clients", "1,2,3", "--rounds", "1000"];
        let mut child = bench.start(&[&words[..], &["--seconds", "0.1"]].concat());
        let errors = child.stderr.take().expect("a pipe");
        let mut lines = BufReader::new(errors).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("4/")), "no fourth run");
        Process(child.id()).signal(signal);
        // The bench must not block on a full pipe.
        lines.for_each(drop);
        let output = child.wait_with_output().expect("a child of ours");
        assert_eq!(output.status.code(), Some(130));
        bench.await_nothing_left();
        let results = bench.results();
        assert_eq!(results["was_interrupted"], true);
        let runs = cells(&results).iter().map(|cell| cell["runs"].as_array().map_or(0, Vec::len));
        assert!(runs.sum::<usize>() >= 4, "{results:#}");
        assert!(bench.page().contains("stopped early"));
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(table.contains("stopped early"), "{table}");
    }
}

#[test]
fn all_processes_of_a_killed_bench_end() {
    let bench = Bench::new();
    let words = ["--arch", "preforked", "--clients", "5", "--seconds", "3600"];
    let mut child = bench.start(&words);
    let bench_process = Process(child.id());
    wait_until("a load generator", || {
        let title = b"zerohttpd\0load\0";
        bench_process.tree().iter().any(|process| process.command_line().starts_with(title))
    });
    child.kill().expect("a child of ours");
    child.wait().expect("a child of ours");
    bench.await_nothing_left();
}

#[test]
fn the_results_of_a_killed_bench_can_be_drawn() {
    let bench = Bench::new();
    let words = ["--arch", ARCH, "--clients", "1,2,3", "--rounds", "1000"];
    let mut child = bench.start(&[&words[..], &["--seconds", "0.1"]].concat());
    let errors = child.stderr.take().expect("a pipe");
    let mut lines = BufReader::new(errors).lines().map_while(Result::ok);
    // The first run is saved before the second begins. Runs that were disturbed are repeated, so
    // the total is not known.
    assert!(lines.any(|line| line.starts_with("2/")), "no second run");
    child.kill().expect("a child of ours");
    child.wait().expect("a child of ours");
    bench.await_nothing_left();
    let results = bench.results();
    let runs = cells(&results).iter().map(|cell| cell["runs"].as_array().map_or(0, Vec::len));
    assert!(runs.sum::<usize>() >= 1, "{results:#}");
    let drawn = run(&["report", &bench.out().display().to_string()]);
    let text = String::from_utf8_lossy(&drawn.stdout).into_owned();
    assert!(drawn.status.success() && text.contains("stopped early"), "{text}");
}

#[test]
fn a_bench_that_nohup_has_started_ignores_sighup() {
    let bench = Bench::new();
    let words = ["--arch", ARCH, "--clients", "1", "--rounds", "3"];
    let mut child = bench.start_by("nohup", &[&words[..], &["--seconds", "0.3"]].concat());
    let errors = child.stderr.take().expect("a pipe");
    let mut lines = BufReader::new(errors).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("1/")), "no first run");
    Process(child.id()).signal(Signal::HUP);
    lines.for_each(drop);
    let output = child.wait_with_output().expect("a child of ours");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(bench.results()["was_interrupted"], false);
}

#[test]
fn a_folder_that_cannot_be_written_is_reported_before_the_first_run() {
    let words = ["bench", "--arch", ARCH, "--clients", "1", "--seconds", "0.1"];
    let output = run(&[&words[..], &["--out", "/proc"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("can't write /proc/results.json"), "{errors}");
    assert!(!errors.contains("1/"), "{errors}");
}
