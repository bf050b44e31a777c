//! Several processes that each run a loop.

use std::collections::HashSet;

use crate::support::client::{is_last, last_request};
use crate::support::process::Process;
use crate::support::server::takes_workers;
use crate::support::{
    Client, Server, Store, for_each_architecture, wait_for, wait_until, ways_to_accept,
};

/// A server of three processes; none where `--workers` means something else.
fn three(arch: &str, store: &Store) -> Option<Server> {
    if !takes_workers(arch) {
        return None;
    }
    let server =
        Server::start(arch, &store.url(), &["--workers", "3", "--keep-alive-timeout", "3600"]);
    server.errors().contains(", 3 processes:").then_some(server)
}

/// Connects until every process has clients; the kernel deals them out by their ports.
fn clients_of_all(server: &Server, among: &HashSet<Process>) -> Vec<Client> {
    let mut clients = Vec::new();
    let mut owners = HashSet::new();
    wait_until("clients of every process", || {
        let mut client = server.client();
        assert_eq!(client.get("/hello.txt").status, 200);
        owners.insert(server.owner(&client));
        clients.push(client);
        owners.is_superset(among)
    });
    clients
}

#[test]
fn all_workers_of_a_loop_serve_and_one_that_is_killed_is_replaced() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let Some(server) = three(arch, &store) else { return };
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
        clients.remove(0).until_gone();
        drop(clients);
        // Those whom the kernel deals to the one that is new are served as well.
        drop(clients_of_all(&server, &replaced));
    });
}

#[test]
fn clients_in_the_queue_of_a_killed_worker_are_served_by_the_next() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let Some(server) = three(arch, &store) else { return };
        server.servers().into_iter().for_each(Process::kill);
        let mut waiting: Vec<_> = (0..30).map(|_| server.client()).collect();
        for client in &mut waiting {
            client.send(last_request("/hello.txt"));
        }
        // One that was accepted by a process on its last breath may be lost; the queue may not.
        let served = waiting.iter_mut().filter_map(|client| client.try_answer(false).ok());
        assert!(served.filter(|answer| answer.status == 200).count() >= 20);
    });
}

/// Runs a test of three processes that share a port, for every way in which they can.
fn for_each_way(descriptors: usize, test: impl Fn(&Server) + Sync) {
    for_each_architecture(|arch| {
        for way in ways_to_accept(arch) {
            let store = Store::embedded();
            let words = ["--workers", "3", "--keep-alive-timeout", "3600", "--accept", way];
            test(&Server::start_short(descriptors, (arch, &store.url(), &words)));
        }
    });
}

#[test]
fn however_a_port_is_shared_all_are_served_and_a_killed_process_is_replaced() {
    for_each_way(1000, |server| {
        let all: HashSet<_> = server.servers().into_iter().collect();
        let mut clients: Vec<_> = (0..30).map(|_| server.client()).collect();
        clients.iter_mut().for_each(|client| assert_eq!(client.get("/hello.txt").status, 200));
        let (killed, mut orphan) = (server.owner(&clients[0]), clients.remove(0));
        killed.kill();
        orphan.until_gone();
        wait_until("three processes again", || {
            let servers: HashSet<_> = server.servers().into_iter().collect();
            servers.len() == all.len() && !servers.contains(&killed)
        });
        for _ in 0..30 {
            assert_eq!(server.client().get("/hello.txt").status, 200);
        }
    });
}

#[test]
fn a_process_without_room_leaves_its_clients_to_the_others() {
    // Each has room for three quarters of its descriptors. Dealt out at random, as many clients as
    // there is room for would fill one of them long before the others.
    const DESCRIPTORS: usize = 100;
    const ROOM: usize = 3 * 75;
    for_each_way(DESCRIPTORS, |server| {
        let mut clients = Vec::new();
        for _ in 0..ROOM - 3 {
            let mut client = server.client();
            assert!(!is_last(&client.get("/hello.txt")));
            clients.push(client);
        }
        let last = clients.len() - 1;
        let full = server.owner(&clients[last]);
        assert!(server.servers().contains(&full));
        // All have left: each accepts at its own socket again.
        drop(clients);
        for _ in 0..ROOM {
            assert_eq!(server.client().get("/hello.txt").status, 200);
        }
    });
}
