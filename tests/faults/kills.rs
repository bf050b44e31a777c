//! Processes of a server that are killed: they are replaced, and what was queued is served.

use std::net::TcpListener;
use std::process::Stdio;

use crate::load::{kept, under_load};
use crate::support::client::last_request;
use crate::support::process::Process;
use crate::support::{ONE_AT_A_TIME, Server, Store, for_each_architecture, wait_until};

/// Whether a file is served; connecting has to succeed, whoever was killed.
fn serves(server: &Server) -> bool {
    let mut client = server.client();
    client.send(last_request("/hello.txt"));
    client.try_answer(false).is_ok_and(|answer| answer.status == 200)
}

#[test]
fn a_server_process_that_is_killed_is_replaced_and_nothing_is_lost() {
    for_each_architecture(|arch| {
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
        load.check(&kept(&store));
        assert!(server.errors().contains("killed by signal 9"), "{}", server.errors());
    });
}

/// Some who start programs do not want to know how their children end, and pass that on
/// (signal(7)).
#[test]
fn a_server_whose_starter_ignored_the_ends_of_children_learns_of_them() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let script = r#"trap "" CHLD; exec "$0" "$@""#;
        let server = Server::start_in_shell(script, Stdio::null(), (arch, &store.url(), &[]));
        let killed = server.servers();
        killed.iter().for_each(|process| process.kill());
        wait_until("another server process", || {
            let servers = server.servers();
            !servers.is_empty() && servers.iter().all(|new| !killed.contains(new))
        });
        // A child of the pool that was killed may yet take a client on before it ends as well.
        wait_until("service", || serves(&server));
    });
}

#[test]
fn a_killed_child_ends_its_own_client_alone_and_is_replaced() {
    for_each_architecture(|arch| {
        if arch == ONE_AT_A_TIME {
            return;
        }
        let store = Store::embedded();
        let server = Server::start_small(arch, &store.url(), &["--keep-alive-timeout", "3600"]);
        server.await_rest();
        let (mut victim, mut other) = (server.client(), server.client());
        for client in [&mut victim, &mut other] {
            assert!(client.visit() > 0);
        }
        let process = server.owner(&victim);
        if server.servers().contains(&process) {
            return; // It has no children: that test is the one above.
        }
        assert_ne!(process, server.owner(&other));
        let parent = process.parent().expect("its parent");
        let siblings = parent.children().len();
        process.kill();
        victim.until_gone();
        assert_eq!(other.get("/hello.txt").status, 200);
        assert!(other.visit() > 2);
        drop((victim, other));
        // A pool is filled up again; a child that was made for the client is not.
        assert!(serves(&server));
        wait_until("a pool that is whole, or no child", || {
            let now = parent.children().len();
            now == siblings || now == 0
        });
        assert!(parent.lives());
    });
}

#[test]
fn a_killed_supervisor_leaves_no_process_and_no_port() {
    for_each_architecture(|arch| {
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
        idle.until_gone();
        halfway.until_gone();
    });
}

#[test]
fn a_server_starts_where_one_was_just_killed() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let mut server = Server::start(arch, &store.url(), &[]);
        let port = server.port;
        assert_eq!(server.client().sign("Ada", "kept").status, 303);
        // Connections that the server ends first stay in TIME_WAIT at its port.
        let mut client = server.client();
        client.send(last_request("/hello.txt"));
        client.rest();
        server.supervisor().kill();
        server.wait();
        server.await_nothing_left();
        let port = port.to_string();
        let again = Server::start(arch, &store.url(), &["--port", &port]);
        assert_eq!(again.port.to_string(), port);
        assert!(serves(&again));
        assert_eq!(kept(&store), ["kept - Ada"]);
    });
}
