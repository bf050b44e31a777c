//! Processes of a server that are killed: they are replaced, and clients in the queue are served.

use std::net::TcpListener;
use std::process::Stdio;

use crate::load::{stored_remarks, under_load};
use crate::support::cases::test;
use crate::support::client::last_request;
use crate::support::process::Process;
use crate::support::{ONE_AT_A_TIME, Server, Store, wait_until};

/// Whether the server serves a file. Panics if connecting fails, as it must not when any process
/// but the supervisor is killed.
fn serves(server: &Server) -> bool {
    let mut client = server.client();
    client.send(last_request("/hello.txt"));
    client.try_answer(false).is_ok_and(|answer| answer.status == 200)
}

test!(Architecture, a_killed_server_process_is_replaced_and_no_acknowledged_remark_is_lost);
fn a_killed_server_process_is_replaced_and_no_acknowledged_remark_is_lost(arch: &str) {
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &[]);
    let load = under_load(server.port, true, |load| {
        for _ in 0..2 {
            let killed = server.servers();
            assert!(!killed.is_empty(), "a server without a server process");
            killed.iter().for_each(|process| process.kill());
            wait_until("another server process", || {
                let servers = server.servers();
                !servers.is_empty() && servers.iter().all(|new| !killed.contains(new))
            });
            load.await_progress();
        }
    });
    load.check(&stored_remarks(&store));
    assert!(server.errors().contains("killed by signal 9"), "{}", server.errors());
}

test!(Architecture, a_server_started_with_sigchld_ignored_replaces_killed_children);
/// Some parents ignore SIGCHLD, and their children inherit that (signal(7)).
fn a_server_started_with_sigchld_ignored_replaces_killed_children(arch: &str) {
    let store = Store::embedded();
    let script = r#"trap "" CHLD; exec "$0" "$@""#;
    let server = Server::start_in_shell(script, Stdio::null(), (arch, &store.url(), &[]));
    let killed = server.servers();
    killed.iter().for_each(|process| process.kill());
    wait_until("another server process", || {
        let servers = server.servers();
        !servers.is_empty() && servers.iter().all(|new| !killed.contains(new))
    });
    // A child of a killed server process can still accept a client before it ends, too.
    wait_until("service", || serves(&server));
}

test!(Architecture, a_killed_child_disconnects_only_its_own_client_and_is_replaced);
fn a_killed_child_disconnects_only_its_own_client_and_is_replaced(arch: &str) {
    if arch == ONE_AT_A_TIME {
        return;
    }
    let store = Store::embedded();
    let server = Server::start_small(arch, &store.url(), &["--keep-alive-timeout", "3600"]);
    server.await_idle();
    let (mut victim, mut other) = (server.client(), server.client());
    for client in [&mut victim, &mut other] {
        assert!(client.visit() > 0);
    }
    let process = server.owner(&victim);
    if server.servers().contains(&process) {
        return; // The architecture has no children; the first test kills its server process.
    }
    assert_ne!(process, server.owner(&other));
    let parent = process.parent().expect("its parent");
    let siblings = parent.children().len();
    process.kill();
    victim.read_until_closed();
    assert_eq!(other.get("/hello.txt").status, 200);
    assert!(other.visit() > 2);
    drop((victim, other));
    // A pool gets a new child; a child that was forked for the client is not replaced.
    assert!(serves(&server));
    wait_until("a complete pool, or no child", || {
        let now = parent.children().len();
        now == siblings || now == 0
    });
    assert!(parent.lives());
}

test!(Architecture, when_the_supervisor_is_killed_all_processes_end_and_the_port_is_free);
fn when_the_supervisor_is_killed_all_processes_end_and_the_port_is_free(arch: &str) {
    let store = Store::embedded();
    let mut server = Server::start(arch, &store.url(), &[]);
    let mut idle = server.client();
    assert_eq!(idle.visit(), 1);
    let mut halfway = server.client();
    halfway.send("GET /hel");
    let processes = server.processes();
    assert!(processes.len() >= 3, "a supervisor, a store, a server: {processes:?}");
    server.supervisor().kill();
    server.wait();
    server.await_nothing_left();
    assert!(!processes.into_iter().any(Process::lives));
    TcpListener::bind(("127.0.0.1", server.port)).expect("a port that is free again");
    idle.read_until_closed();
    halfway.read_until_closed();
}

test!(Architecture, a_server_can_start_at_the_port_of_one_that_was_just_killed);
fn a_server_can_start_at_the_port_of_one_that_was_just_killed(arch: &str) {
    let store = Store::embedded();
    let mut server = Server::start(arch, &store.url(), &[]);
    let port = server.port;
    assert_eq!(server.client().sign("Ada", "kept").status, 303);
    // Connections that the server ends first stay in TIME_WAIT at its port.
    let mut client = server.client();
    client.send(last_request("/hello.txt"));
    client.read_to_end();
    server.supervisor().kill();
    server.wait();
    server.await_nothing_left();
    let port = port.to_string();
    let again = Server::start(arch, &store.url(), &["--port", &port]);
    assert_eq!(again.port.to_string(), port);
    assert!(serves(&again));
    assert_eq!(stored_remarks(&store), ["kept - Ada"]);
}
