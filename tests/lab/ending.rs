//! A load that is stopped before its end.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::fake::{Behaviour, FakeServer};
use crate::load_report::LoadReport;
use crate::support::process::Process;
use crate::support::server::program;
use crate::support::wait_until;

fn start(port: u16, words: &[&str]) -> Child {
    let url = format!("http://127.0.0.1:{port}/");
    let mut command = program(&[&["load", &url, "--json"], words].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program can be started")
}

#[track_caller]
fn stop(load: Child, signal: Signal) -> LoadReport {
    Process(load.id()).signal(signal);
    LoadReport::of(&load.wait_with_output().expect("a child of ours"))
}

#[test]
fn ctrl_c_ends_a_load_with_its_report() {
    for signal in [Signal::INT, Signal::TERM] {
        let fake = FakeServer::start(Behaviour::Good);
        let load = start(fake.port, &["-d", "3600", "-c", "2"]);
        wait_until("some requests that count", || fake.requests() > 500);
        let report = stop(load, signal);
        assert_eq!(report.code, Some(130));
        assert_eq!(report.json["was_interrupted"], true);
        assert!(report.count("requests") > 400, "{:#}", report.json);
        assert!(report.number("elapsed_s") < 3600.0);
        assert_eq!(report.count("failures_total"), 0);
    }
}

#[test]
fn elapsed_time_includes_the_time_without_any_answer() {
    let fake = FakeServer::start(Behaviour::Freezes(200));
    let load = start(fake.port, &["-n", "100000", "-c", "2"]);
    wait_until("a server that no longer answers", || fake.requests() == 202);
    let frozen = Instant::now();
    wait_until("a second", || frozen.elapsed() >= Duration::from_secs(1));
    let waited_s = fake.arrivals()[0].elapsed().as_secs_f64();
    let report = stop(load, Signal::INT);
    assert_eq!((report.count("requests"), report.count("unfinished")), (200, 2));
    let elapsed_s = report.number("elapsed_s");
    assert!(elapsed_s >= waited_s, "{elapsed_s} s were counted of {waited_s} s");
    assert!((report.number("requests_per_second") * elapsed_s - 200.0).abs() < 1e-6);
}

#[test]
fn requests_in_flight_are_neither_good_nor_failed() {
    let fake = FakeServer::start(Behaviour::Silent);
    let load = start(fake.port, &["-n", "100", "-c", "3", "--timeout", "3600"]);
    wait_until("three requests", || fake.requests() == 3);
    let report = stop(load, Signal::INT);
    assert_eq!(report.code, Some(130));
    assert_eq!((report.count("unfinished"), report.count("failures_total")), (3, 0));
    assert_eq!(report.findings(), ["nothing_measured"]);
}

#[test]
fn a_load_can_be_stopped_while_clients_connect() {
    let fake = FakeServer::start(Behaviour::Silent);
    let load = start(fake.port, &["-d", "3600", "-c", "10000", "--timeout", "3600"]);
    wait_until("a first request", || fake.requests() > 0);
    let report = stop(load, Signal::INT);
    assert_eq!((report.code, report.count("requests")), (Some(130), 0));
}
