//! The limits on clients: `--max-clients` in all, and `--max-clients-per-address`.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

use crate::exposition::{await_metrics, metrics};
use crate::support::cases::test;
use crate::support::client::{is_last, last_request};
use crate::support::process::Process;
use crate::support::{Client, ONE_AT_A_TIME, Server, Store, TIMEOUT, wait_for, wait_until};

const OPEN: &str = "zerohttpd_connections";
const LONG_TIMEOUTS: &[&str] = &["--admin", "127.0.0.1:0", "--header-timeout", "3600"];

/// A client that has sent a part of a request.
fn client_with_half_a_request(server: &Server) -> Client {
    let mut client = server.client();
    client.send("GET /hello.txt HTTP/1.1\r\n");
    client
}

const THE_REST: &str = "Host: x\r\nConnection: close\r\n\r\n";

/// A client at another address of this machine.
fn client_at(address: Ipv4Addr, port: u16) -> Client {
    let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).expect("a socket");
    bind(&socket, &SocketAddr::from((address, 0))).expect("an address of this machine");
    connect(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port))).expect("a server");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(TIMEOUT)).expect("a socket");
    Client { stream, input: Vec::new() }
}

test!(Architecture, no_more_than_max_clients_are_accepted_and_the_others_wait);
fn no_more_than_max_clients_are_accepted_and_the_others_wait(arch: &str) {
    const LIMIT: usize = 4;
    let store = Store::embedded();
    let words = [LONG_TIMEOUTS, &["--max-clients", "4"]].concat();
    // The loops have several processes, whose clients count together.
    let server = Server::start_small(arch, &store.url(), &words);
    let limit = if arch == ONE_AT_A_TIME { 1 } else { LIMIT };
    let mut clients: Vec<_> = (0..3 * LIMIT).map(|_| client_with_half_a_request(&server)).collect();
    let full = |now: &crate::exposition::Metrics| now.sum(OPEN) == limit as f64;
    await_metrics(&server, "as many clients as the limit allows", full);
    let connected = "zerohttpd_connections_total";
    // Each client that leaves makes room for another.
    for gone in 0..clients.len() {
        let now = await_metrics(&server, "as many clients as the limit allows, or all", |now| {
            now.get(connected) >= (gone + limit).min(3 * LIMIT) as f64
        });
        assert!(now.sum(OPEN) <= limit as f64, "{now:?}");
        let index = wait_for("a client that is served", || {
            clients.iter().position(|client| server.is_accepted(client))
        });
        let mut client = clients.swap_remove(index);
        client.send(THE_REST);
        assert_eq!(client.answer().status, 200);
    }
    let now = await_metrics(&server, "no clients", |now| now.sum(OPEN) == 0.0);
    assert_eq!(now.get(connected), 3.0 * LIMIT as f64);
    assert_eq!(now.sum("zerohttpd_clients_refused_total"), 0.0);
}

test!(Architecture, permits_of_killed_processes_are_returned);
fn permits_of_killed_processes_are_returned(arch: &str) {
    let store = Store::embedded();
    let words = [LONG_TIMEOUTS, &["--max-clients", "2", "--max-clients-per-address", "2"]].concat();
    let server = Server::start_small(arch, &store.url(), &words);
    let limit = if arch == ONE_AT_A_TIME { 1 } else { 2 };
    for _ in 0..3 {
        let mut clients: Vec<_> = (0..limit).map(|_| client_with_half_a_request(&server)).collect();
        await_metrics(&server, "all clients", |now| now.sum(OPEN) == limit as f64);
        let owners: Vec<_> = clients.iter().map(|client| server.owner(client)).collect();
        owners.into_iter().for_each(Process::kill);
        clients.iter_mut().for_each(|client| drop(client.read_until_closed()));
        // Until the supervisor notices, a further client could be refused.
        await_metrics(&server, "no clients", |now| now.sum(OPEN) == 0.0);
    }
    let mut client = server.client();
    client.send(last_request("/hello.txt"));
    assert_eq!(client.answer().status, 200);
}

test!(Architecture, further_clients_of_an_address_at_its_limit_get_503_and_others_are_served);
fn further_clients_of_an_address_at_its_limit_get_503_and_others_are_served(arch: &str) {
    if arch == ONE_AT_A_TIME {
        return;
    }
    let store = Store::embedded();
    let words = [LONG_TIMEOUTS, &["--max-clients-per-address", "2"]].concat();
    let server = Server::start_small(arch, &store.url(), &words);
    let first = [client_with_half_a_request(&server), client_with_half_a_request(&server)];
    await_metrics(&server, "two clients", |now| now.sum(OPEN) == 2.0);
    for refused in 1..=3 {
        let mut one_more = server.client();
        one_more.send(last_request("/hello.txt"));
        let answer = one_more.answer();
        assert_eq!(answer.status, 503);
        assert!(is_last(&answer) && answer.field("Retry-After") == Ok(Some(&b"5"[..])));
        one_more.read_until_closed();
        let now = metrics(&server);
        let count = now.get("zerohttpd_clients_refused_total{reason=\"address\"}");
        assert_eq!((count, now.sum(OPEN)), (f64::from(refused), 2.0));
        assert_eq!(now.get("zerohttpd_connections_total"), f64::from(refused + 1));
        let mut other = client_at(Ipv4Addr::new(127, 0, 0, 2), server.port);
        other.send(last_request("/hello.txt"));
        assert_eq!(other.answer().status, 200);
        await_metrics(&server, "the first two", |now| now.sum(OPEN) == 2.0);
    }
    assert_eq!(server.errors().matches("--max-clients-per-address clients").count(), 1);
    for mut client in first {
        client.send(THE_REST);
        assert_eq!(client.answer().status, 200);
    }
    await_metrics(&server, "no clients", |now| now.sum(OPEN) == 0.0);
    let others: Vec<_> = (0..2).map(|_| client_with_half_a_request(&server)).collect();
    await_metrics(&server, "two others", |now| now.sum(OPEN) == 2.0);
    assert!(!others.iter().any(Client::is_closed));
}

test!(Architecture, permits_of_an_address_are_returned);
fn permits_of_an_address_are_returned(arch: &str) {
    let store = Store::embedded();
    let words = ["--max-clients-per-address", "1", "--max-clients", "1"];
    let server = Server::start_small(arch, &store.url(), &words);
    for _ in 0..50 {
        wait_until("an answer to the only client", || {
            let mut client = server.client();
            client.send(last_request("/hello.txt"));
            // The server need not have noticed yet that the previous client left.
            client.answer().status == 200
        });
    }
}
