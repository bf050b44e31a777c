//! Who is there, and what for: gauges that go back to nothing, whatever dies.

use std::fs::File;

use rustix::process::Signal;

use crate::exposition::await_metrics;
use crate::support::client::request;
use crate::support::{
    Client, ONE_AT_A_TIME, Server, Store, TempDir, for_each_architecture, wait_until,
};

const OPEN: &str = "zerohttpd_connections";
const KILLED: &str = "zerohttpd_connections_closed_total{reason=\"killed\"}";

/// So that nobody is given up.
const PATIENT: &[&str] = &[
    "--admin",
    "127.0.0.1:0",
    "--header-timeout",
    "3600",
    "--keep-alive-timeout",
    "3600",
    "--send-timeout",
    "3600",
];

/// Waits until so many clients are there for that, and no others.
#[track_caller]
fn await_only(server: &Server, state: &str, count: f64) {
    let what = format!("{count} clients, {state}");
    let sample = format!("{OPEN}{{state={state:?}}}");
    await_metrics(server, &what, |now| now.get(&sample) == count && now.sum(OPEN) == count);
}

#[track_caller]
fn await_nobody(server: &Server) {
    let now = await_metrics(server, "no clients", |now| now.sum(OPEN) == 0.0);
    let ended = now.sum("zerohttpd_connections_closed_total");
    assert_eq!(now.get("zerohttpd_connections_total"), ended);
}

#[test]
fn a_client_is_counted_by_what_it_waits_for_until_it_leaves() {
    let root = TempDir::new();
    root.write("hello.txt", "hello\n");
    let big = File::create(root.join("big.bin")).expect("a file");
    big.set_len(256 * 1024 * 1024).expect("a sparse file");
    let folder = root.path().display().to_string();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let words = [PATIENT, &["--root", &folder]].concat();
        let server = Server::start_small(arch, &store.url(), &words);
        await_nobody(&server);

        let mut client = server.client();
        client.send("GET /hello.txt HTTP/1.1\r\nHo");
        await_only(&server, "reading", 1.0);
        client.send("st: x\r\n\r\n");
        assert_eq!(client.answer().status, 200);
        await_only(&server, "idle", 1.0);
        client.send("G");
        await_only(&server, "reading", 1.0);
        drop(client);
        await_nobody(&server);

        let mut client = Client::narrow(server.port);
        client.send(request("GET", "/big.bin"));
        await_only(&server, "writing", 1.0);
        drop(client);
        await_nobody(&server);

        server.store().signal(Signal::STOP);
        let mut client = server.client();
        client.send(request("GET", "/guestbook"));
        await_only(&server, "store", 1.0);
        server.store().signal(Signal::CONT);
        assert_eq!(client.answer().status, 200);
        await_only(&server, "idle", 1.0);
        drop(client);
        await_nobody(&server);

        // It lingers for two seconds.
        let closing = format!("{OPEN}{{state=\"closing\"}}");
        let mut client = server.client();
        wait_until("a client that is being parted from", || {
            if client.is_closed() {
                client = server.client();
            }
            client.send("nonsense\r\n\r\n");
            crate::exposition::metrics(&server).get(&closing) == 1.0
        });
        drop(client);
        await_nobody(&server);
    });
}

#[test]
fn nobody_stays_behind_in_the_counts_of_a_process_that_is_killed() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start_small(arch, &store.url(), PATIENT);
        let crowd = if arch == ONE_AT_A_TIME { 1 } else { 6 };
        let halfway = || {
            let mut client = server.client();
            client.send("GET /hello.txt HTTP/1.1\r\nHo");
            client
        };
        for round in 1..=2 {
            let mut clients: Vec<_> = (0..crowd).map(|_| halfway()).collect();
            await_only(&server, "reading", crowd as f64);
            // First those that have clients; then whole servers, with all that they have made.
            let victims = match round {
                1 => clients.iter().map(|client| server.owner(client)).collect(),
                _ => server.servers(),
            };
            victims.into_iter().for_each(|process| process.kill());
            clients.iter_mut().for_each(|client| drop(client.until_gone()));
            await_nobody(&server);
            let killed = |now: &crate::exposition::Metrics| now.get(KILLED);
            await_metrics(&server, "killed", |now| killed(now) == f64::from(round * crowd));
            assert_eq!(server.client().get("/hello.txt").status, 200);
            await_nobody(&server);
        }
    });
}
