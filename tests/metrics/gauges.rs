//! Gauges of clients by state: what a client waits for. They return to 0 even if processes are
//! killed.

use std::fs::File;

use rustix::process::Signal;

use crate::exposition::await_metrics;
use crate::support::cases::test;
use crate::support::client::request;
use crate::support::{Client, ONE_AT_A_TIME, Server, Store, TempDir, wait_until};

const OPEN: &str = "zerohttpd_connections";
const KILLED: &str = "zerohttpd_connections_closed_total{reason=\"killed\"}";

/// Timeouts that no test reaches.
const LONG_TIMEOUTS: &[&str] = &[
    "--admin",
    "127.0.0.1:0",
    "--header-timeout",
    "3600",
    "--keep-alive-timeout",
    "3600",
    "--send-timeout",
    "3600",
    "--store-timeout",
    "3600",
];

/// Waits until the gauges show `count` clients in this state, and none in another.
#[track_caller]
fn await_only(server: &Server, state: &str, count: f64) {
    let what = format!("{count} clients, {state}");
    let sample = format!("{OPEN}{{state={state:?}}}");
    await_metrics(server, &what, |now| now.get(&sample) == count && now.sum(OPEN) == count);
}

#[track_caller]
fn await_no_clients(server: &Server) {
    let now = await_metrics(server, "no clients", |now| now.sum(OPEN) == 0.0);
    let ended = now.sum("zerohttpd_connections_closed_total");
    assert_eq!(now.get("zerohttpd_connections_total"), ended);
}

test!(Architecture, a_client_is_counted_in_each_of_its_states_until_it_leaves);
fn a_client_is_counted_in_each_of_its_states_until_it_leaves(arch: &str) {
    let root = TempDir::new();
    root.write("hello.txt", "hello\n");
    let big = File::create(root.join("big.bin")).expect("a file");
    big.set_len(256 * 1024 * 1024).expect("a sparse file");
    let folder = root.path().display().to_string();
    let store = Store::embedded();
    let words = [LONG_TIMEOUTS, &["--root", &folder]].concat();
    let server = Server::start_small(arch, &store.url(), &words);
    await_no_clients(&server);

    let mut client = server.client();
    client.send("GET /hello.txt HTTP/1.1\r\nHo");
    await_only(&server, "reading", 1.0);
    client.send("st: x\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    await_only(&server, "idle", 1.0);
    client.send("G");
    await_only(&server, "reading", 1.0);
    drop(client);
    await_no_clients(&server);

    let mut client = Client::with_small_buffer(server.port);
    client.send(request("GET", "/big.bin"));
    await_only(&server, "writing", 1.0);
    drop(client);
    await_no_clients(&server);

    server.store().signal(Signal::STOP);
    let mut client = server.client();
    client.send(request("GET", "/guestbook"));
    await_only(&server, "store", 1.0);
    server.store().signal(Signal::CONT);
    assert_eq!(client.answer().status, 200);
    await_only(&server, "idle", 1.0);
    drop(client);
    await_no_clients(&server);

    // The server lingers for two seconds, which can pass unnoticed on a busy machine.
    let closing = format!("{OPEN}{{state=\"closing\"}}");
    let mut client = server.client();
    wait_until("a client on which the server lingers", || {
        if client.is_closed() {
            client = server.client();
        }
        client.send("nonsense\r\n\r\n");
        crate::exposition::metrics(&server).get(&closing) == 1.0
    });
    drop(client);
    await_no_clients(&server);
}

test!(Architecture, clients_of_killed_processes_leave_the_gauges_and_count_as_killed);
fn clients_of_killed_processes_leave_the_gauges_and_count_as_killed(arch: &str) {
    let store = Store::embedded();
    let server = Server::start_small(arch, &store.url(), LONG_TIMEOUTS);
    let held = if arch == ONE_AT_A_TIME { 1 } else { 6 };
    let start_request = || {
        let mut client = server.client();
        client.send("GET /hello.txt HTTP/1.1\r\nHo");
        client
    };
    for round in 1..=2 {
        let mut clients: Vec<_> = (0..held).map(|_| start_request()).collect();
        await_only(&server, "reading", held as f64);
        // The first round kills the processes that serve the clients, the second all servers.
        let victims = match round {
            1 => clients.iter().map(|client| server.owner(client)).collect(),
            _ => server.servers(),
        };
        victims.into_iter().for_each(|process| process.kill());
        clients.iter_mut().for_each(|client| drop(client.read_until_closed()));
        await_no_clients(&server);
        let killed = |now: &crate::exposition::Metrics| now.get(KILLED);
        await_metrics(&server, "clients that count as killed", |now| {
            killed(now) == f64::from(round * held)
        });
        assert_eq!(server.client().get("/hello.txt").status, 200);
        await_no_clients(&server);
    }
}
