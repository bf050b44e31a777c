//! Idle clients that a load holds connected (`--idle`).

use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::support::process::Process;
use crate::support::server::{PROGRAM, Server};
use crate::support::{Store, wait_for, wait_until};

/// An architecture for many clients.
const FOR_MANY_CLIENTS: &str = "epoll";

/// How many idle clients are held.
const CLIENTS: u64 = 500;

/// Starts a load whose processes can each have this many descriptors.
fn start(descriptors: usize, port: u16, words: &str) -> Child {
    let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
    let url = format!(":{port}/hello.txt");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script, PROGRAM, "load", &url, "--json"]).args(words.split(' '));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program can be started")
}

/// Waits for the end of a load; returns its exit status and its report.
#[track_caller]
fn end(load: Child) -> (Option<i32>, serde_json::Value) {
    let output = load.wait_with_output().expect("a child of ours");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {stderr}"));
    (output.status.code(), report)
}

fn server() -> (Store, Server) {
    let store = Store::embedded();
    let server = Server::start(FOR_MANY_CLIENTS, &store.url(), &["--keep-alive-timeout", "3600"]);
    (store, server)
}

#[test]
fn idle_clients_are_held_for_a_time_and_probed() {
    let (_store, server) = server();
    // On a busy machine an answer can take more than a second; then the load is repeated.
    let (code, report) = wait_for("clients that are all held at once and answered in time", || {
        let mut load = start(1000, server.port, &format!("--idle {CLIENTS} -d 5"));
        let mut peak = 0;
        wait_until("the end of the load", || {
            peak = peak.max(server.resources().client_sockets as u64);
            load.try_wait().expect("a child of ours").is_some()
        });
        wait_until("a server without clients", || server.resources().client_sockets == 0);
        let (code, report) = end(load);
        let is_in_time = report["samples_late"] == 0 && report["samples_unanswered"] == 0;
        (is_in_time && peak == CLIENTS).then_some((code, report))
    });
    assert_eq!(code, Some(0), "{report:#}");
    for (key, count) in [("clients_answered", CLIENTS), ("clients_held", CLIENTS), ("processes", 1)]
    {
        assert_eq!(report[key], count, "{key} in {report:#}");
    }
    assert!(report["samples"].as_u64() > Some(0), "{report:#}");
    assert!(report["sample_p99_us"].as_u64() >= report["sample_p50_us"].as_u64(), "{report:#}");
    assert!(report["elapsed_s"].as_f64() >= Some(5.0), "{report:#}");
    assert_eq!(server.client().get("/hello.txt").status, 200);
}

#[test]
fn several_processes_hold_more_clients_than_one_can() {
    let (_store, server) = server();
    let load = start(200, server.port, &format!("--idle {CLIENTS}"));
    wait_until("all of them", || server.resources().client_sockets as u64 == CLIENTS);
    Process(load.id()).signal(Signal::INT);
    let (code, report) = end(load);
    // A process with 200 descriptors holds 168 clients.
    assert_eq!(report["processes"], 3);
    assert_eq!(
        (&report["clients_held"], &report["was_interrupted"]),
        (&CLIENTS.into(), &true.into())
    );
    // The exit status is 1 if the load ends before the first probe.
    assert_eq!(code, Some((report["samples"] == 0).into()), "{report:#}");
    wait_until("a server without clients", || server.resources().client_sockets == 0);
}

#[test]
fn lost_clients_and_failed_connections_are_reported() {
    let (_store, mut server) = server();
    let load = start(1000, server.port, &format!("--idle {CLIENTS} -d 3600"));
    wait_until("all of them", || server.resources().client_sockets as u64 == CLIENTS);
    server.servers()[0].kill();
    wait_until("a server without clients", || server.resources().client_sockets == 0);
    Process(load.id()).signal(Signal::INT);
    let (code, report) = end(load);
    assert_eq!((code, &report["clients_held"]), (Some(130), &0.into()), "{report:#}");
    let lost = report["lost"].as_object().expect("counts by name").values();
    assert_eq!(lost.filter_map(serde_json::Value::as_u64).sum::<u64>(), CLIENTS, "{report:#}");
    server.stop();
    let (code, report) = end(start(1000, server.port, "--idle 20 -d 0.1"));
    assert_eq!((code, &report["failed"]["refused"]), (Some(1), &20.into()), "{report:#}");
}

#[test]
fn a_killed_process_that_holds_clients_is_reported() {
    let (_store, server) = server();
    let load = start(1000, server.port, &format!("--idle {CLIENTS} -d 3600"));
    wait_for("a process that holds clients", || Process(load.id()).children().pop()).kill();
    let output = load.wait_with_output().expect("a child of ours");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.contains("was killed"), "{stderr}");
}
