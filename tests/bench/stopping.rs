//! A bench that is stopped before its time.

use std::io::{BufRead, BufReader};

use rustix::process::Signal;

use crate::runs::{Bench, cells};
use crate::support::architectures;
use crate::support::process::Process;

#[test]
fn ctrl_c_keeps_what_was_measured_and_draws_the_report() {
    for signal in [Signal::INT, Signal::TERM] {
        let bench = Bench::new();
        let words = ["--arch", &architectures()[6], "--clients", "1,2,3", "--rounds", "1000"];
        let mut child = bench.start(&[&words[..], &["--seconds", "0.1"]].concat());
        let errors = child.stderr.take().expect("a pipe");
        let mut lines = BufReader::new(errors).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("4/3000  ")), "no fourth run");
        Process(child.id()).signal(signal);
        // Whoever writes must not wait for us.
        lines.for_each(drop);
        let output = child.wait_with_output().expect("a child of ours");
        assert_eq!(output.status.code(), Some(130));
        bench.await_nothing_left();
        let results = bench.results();
        assert_eq!(results["was_interrupted"], true);
        let runs = cells(&results).iter().map(|cell| cell["runs"].as_array().map_or(0, Vec::len));
        assert!(runs.sum::<usize>() >= 4, "{results:#}");
        assert!(bench.page().contains("stopped before its time"));
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(table.contains("stopped before its time"), "{table}");
    }
}

#[test]
fn a_bench_that_is_killed_takes_its_servers_with_it() {
    let bench = Bench::new();
    let words = ["--arch", &architectures()[2], "--clients", "5", "--seconds", "3600"];
    let mut child = bench.start(&words);
    let me = Process(child.id());
    crate::support::wait_until("a server and a load", || {
        me.family().iter().any(|one| one.command_line().starts_with(b"zerohttpd\0load\0"))
    });
    child.kill().expect("a child of ours");
    child.wait().expect("a child of ours");
    bench.await_nothing_left();
}
