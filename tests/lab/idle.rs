//! Clients that are held, and want nothing.

use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::support::process::Process;
use crate::support::server::{PROGRAM, Server};
use crate::support::{Store, wait_for, wait_until};

/// The architecture that does not mind how many clients there are.
const FOR_CROWDS: &str = "epoll";

/// How many are held.
const CROWD: u64 = 500;

/// Begins to hold clients, from processes that may have so many descriptors.
fn start(descriptors: usize, port: u16, words: &str) -> Child {
    let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
    let url = format!(":{port}/hello.txt");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script, PROGRAM, "load", &url, "--json"]).args(words.split(' '));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program can be started")
}

/// Waits for the end: with which code, and what was told.
#[track_caller]
fn end(load: Child) -> (Option<i32>, serde_json::Value) {
    let output = load.wait_with_output().expect("a child of ours");
    let said = String::from_utf8_lossy(&output.stderr);
    let told = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    (output.status.code(), told)
}

fn server() -> (Store, Server) {
    let store = Store::embedded();
    let server = Server::start(FOR_CROWDS, &store.url(), &["--keep-alive-timeout", "3600"]);
    (store, server)
}

#[test]
fn idle_clients_are_held_for_a_time_and_asked_after() {
    let (_store, server) = server();
    let load = start(1000, server.port, &format!("--idle {CROWD} -d 1"));
    wait_until("all of them", || server.census().client_sockets as u64 == CROWD);
    let (code, told) = end(load);
    assert_eq!(code, Some(0), "{told:#}");
    for (key, count) in [("clients_answered", CROWD), ("clients_held", CROWD), ("processes", 1)] {
        assert_eq!(told[key], count, "{key} in {told:#}");
    }
    assert_eq!((&told["samples_late"], &told["samples_unanswered"]), (&0.into(), &0.into()));
    assert!(told["samples"].as_u64() > Some(0), "{told:#}");
    assert!(told["sample_p99_us"].as_u64() >= told["sample_p50_us"].as_u64(), "{told:#}");
    assert!(told["elapsed_s"].as_f64() >= Some(1.0), "{told:#}");
    wait_until("a server without clients", || server.census().client_sockets == 0);
    assert_eq!(server.client().get("/hello.txt").status, 200);
}

#[test]
fn several_processes_hold_what_is_too_many_for_one_until_ctrl_c() {
    let (_store, server) = server();
    let load = start(200, server.port, &format!("--idle {CROWD}"));
    wait_until("all of them", || server.census().client_sockets as u64 == CROWD);
    Process(load.id()).signal(Signal::INT);
    let (code, told) = end(load);
    // 200 descriptors are 168 clients.
    assert_eq!(told["processes"], 3);
    assert_eq!((&told["clients_held"], &told["was_interrupted"]), (&CROWD.into(), &true.into()));
    // It may have been over before anybody was asked after.
    assert_eq!(code, Some((told["samples"] == 0).into()), "{told:#}");
    wait_until("a server without clients", || server.census().client_sockets == 0);
}

#[test]
fn clients_that_are_lost_are_told_and_so_are_those_that_never_came() {
    let (_store, mut server) = server();
    let load = start(1000, server.port, &format!("--idle {CROWD} -d 3600"));
    wait_until("all of them", || server.census().client_sockets as u64 == CROWD);
    server.servers()[0].kill();
    wait_until("a server without clients", || server.census().client_sockets == 0);
    Process(load.id()).signal(Signal::INT);
    let (code, told) = end(load);
    assert_eq!((code, &told["clients_held"]), (Some(130), &0.into()), "{told:#}");
    let lost = told["lost"].as_object().expect("counts by name").values();
    assert_eq!(lost.filter_map(serde_json::Value::as_u64).sum::<u64>(), CROWD, "{told:#}");
    server.stop();
    let (code, told) = end(start(1000, server.port, "--idle 20 -d 0.1"));
    assert_eq!((code, &told["failed"]["refused"]), (Some(1), &20.into()), "{told:#}");
}

#[test]
fn a_holder_that_dies_is_noticed() {
    let (_store, server) = server();
    let load = start(1000, server.port, &format!("--idle {CROWD} -d 3600"));
    wait_for("a holder", || Process(load.id()).children().pop()).kill();
    let output = load.wait_with_output().expect("a child of ours");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("was killed"), "{said}");
}
