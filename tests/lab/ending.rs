//! A load that is stopped before its time.

use std::process::{Child, Stdio};

use rustix::process::Signal;

use crate::account::Account;
use crate::fake::{Fake, Manner};
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
fn stop(load: Child, signal: Signal) -> Account {
    Process(load.id()).signal(signal);
    Account::of(&load.wait_with_output().expect("a child of ours"))
}

#[test]
fn ctrl_c_ends_it_with_what_was_measured() {
    for signal in [Signal::INT, Signal::TERM] {
        let fake = Fake::start(Manner::Good);
        let load = start(fake.port, &["-d", "3600", "-c", "2"]);
        wait_until("some requests that count", || fake.requests() > 500);
        let account = stop(load, signal);
        assert_eq!(account.code, Some(130));
        assert_eq!(account.json["was_interrupted"], true);
        assert!(account.count("requests") > 400, "{:#}", account.json);
        assert!(account.number("elapsed_s") < 3600.0);
        assert_eq!(account.count("failures_total"), 0);
    }
}

#[test]
fn requests_in_flight_are_neither_good_nor_failed() {
    let fake = Fake::start(Manner::Silent);
    let load = start(fake.port, &["-n", "100", "-c", "3", "--timeout", "3600"]);
    wait_until("three requests", || fake.requests() == 3);
    let account = stop(load, Signal::INT);
    assert_eq!(account.code, Some(130));
    assert_eq!((account.count("unfinished"), account.count("failures_total")), (3, 0));
    assert_eq!(account.findings(), ["nothing_measured"]);
}

#[test]
fn it_can_be_stopped_while_clients_are_let_in() {
    let fake = Fake::start(Manner::Silent);
    let load = start(fake.port, &["-d", "3600", "-c", "10000", "--timeout", "3600"]);
    wait_until("a first request", || fake.requests() > 0);
    let account = stop(load, Signal::INT);
    assert_eq!((account.code, account.count("requests")), (Some(130), 0));
}
