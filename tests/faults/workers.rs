//! Several processes that each run a loop.

use std::collections::HashSet;

use crate::support::cases::test;
use crate::support::client::{is_last, last_request};
use crate::support::process::Process;
use crate::support::server::takes_workers;
use crate::support::{
    Client, Server, Store, for_each_architecture, wait_for, wait_until, ways_to_accept,
};

/// A server with three processes; none if the architecture has no `--workers`, or if these are not
/// processes.
fn start_with_three_processes(arch: &str, store: &Store) -> Option<Server> {
    if !takes_workers(arch) {
        return None;
    }
    let server =
        Server::start(arch, &store.url(), &["--workers", "3", "--keep-alive-timeout", "3600"]);
    server.errors().contains(", 3 processes:").then_some(server)
}

/// Connects until every one of these processes has clients: the kernel assigns a client to a
/// process by the client's port.
fn clients_of_all(server: &Server, processes: &HashSet<Process>) -> Vec<Client> {
    let mut clients = Vec::new();
    let mut owners = HashSet::new();
    wait_until("clients of every process", || {
        let mut client = server.client();
        assert_eq!(client.get("/hello.txt").status, 200);
        owners.insert(server.owner(&client));
        clients.push(client);
        owners.is_superset(processes)
    });
    clients
}

test!(Architecture, all_processes_of_a_loop_serve_and_a_killed_one_is_replaced);
fn all_processes_of_a_loop_serve_and_a_killed_one_is_replaced(arch: &str) {
    let store = Store::embedded();
    let Some(server) = start_with_three_processes(arch, &store) else { return };
    let all: HashSet<_> = server.servers().into_iter().collect();
    assert_eq!(all.len(), 3);
    let mut clients = clients_of_all(&server, &all);
    let mut numbers: Vec<_> = clients.iter_mut().map(Client::visit).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), clients.len(), "no number twice: {numbers:?}");
    let killed = server.owner(&clients[0]);
    killed.kill();
    let replaced: HashSet<_> = wait_for("three processes again", || {
        let servers: HashSet<_> = server.servers().into_iter().collect();
        (servers.len() == 3 && !servers.contains(&killed)).then_some(servers)
    });
    clients.remove(0).read_until_closed();
    drop(clients);
    // Clients that the kernel assigns to the new process are served as well.
    drop(clients_of_all(&server, &replaced));
}

test!(Architecture, clients_in_the_queue_of_a_killed_process_are_served_by_its_successor);
fn clients_in_the_queue_of_a_killed_process_are_served_by_its_successor(arch: &str) {
    let store = Store::embedded();
    let Some(server) = start_with_three_processes(arch, &store) else { return };
    server.servers().into_iter().for_each(Process::kill);
    let mut waiting: Vec<_> = (0..30).map(|_| server.client()).collect();
    for client in &mut waiting {
        client.send(last_request("/hello.txt"));
    }
    // Clients that a process had accepted before it ended can be lost, but none in the queue.
    let served = waiting.iter_mut().filter_map(|client| client.try_answer(false).ok());
    assert!(served.filter(|answer| answer.status == 200).count() >= 20);
}

/// Runs a test of three processes that share a port, for every value of `--accept`.
fn for_each_way_to_accept(descriptors: usize, test: impl Fn(&Server) + Sync) {
    for_each_architecture(|arch| {
        for way in ways_to_accept(arch) {
            let store = Store::embedded();
            let words = ["--workers", "3", "--keep-alive-timeout", "3600", "--accept", way];
            test(&Server::start_with_descriptor_limit(descriptors, (arch, &store.url(), &words)));
        }
    });
}

test!(Once, with_every_way_to_accept_all_clients_are_served_and_a_killed_process_is_replaced);
fn with_every_way_to_accept_all_clients_are_served_and_a_killed_process_is_replaced() {
    for_each_way_to_accept(1000, |server| {
        let all: HashSet<_> = server.servers().into_iter().collect();
        let mut clients: Vec<_> = (0..30).map(|_| server.client()).collect();
        clients.iter_mut().for_each(|client| assert_eq!(client.get("/hello.txt").status, 200));
        let (killed, mut its_client) = (server.owner(&clients[0]), clients.remove(0));
        killed.kill();
        its_client.read_until_closed();
        wait_until("three processes again", || {
            let servers: HashSet<_> = server.servers().into_iter().collect();
            servers.len() == all.len() && !servers.contains(&killed)
        });
        for _ in 0..30 {
            assert_eq!(server.client().get("/hello.txt").status, 200);
        }
    });
}

test!(Once, an_overloaded_process_leaves_its_clients_to_the_others);
fn an_overloaded_process_leaves_its_clients_to_the_others() {
    // A process uses three quarters of its descriptors for clients. If clients were assigned only
    // at random, a process would be full long before there are as many as all three have room for.
    const DESCRIPTORS: usize = 100;
    const ROOM: usize = 3 * 75;
    for_each_way_to_accept(DESCRIPTORS, |server| {
        let mut clients = Vec::new();
        for _ in 0..ROOM - 3 {
            let mut client = server.client();
            assert!(!is_last(&client.get("/hello.txt")));
            clients.push(client);
        }
        let last = clients.len() - 1;
        let full = server.owner(&clients[last]);
        assert!(server.servers().contains(&full));
        // All clients have left: each process accepts at its own socket again.
        drop(clients);
        for _ in 0..ROOM {
            assert_eq!(server.client().get("/hello.txt").status, 200);
        }
    });
}
