//! The drain delay: after SIGTERM, health fails and clients are still served for a while.

use rustix::process::Signal;

use crate::support::cases::test;
use crate::support::client::is_last;
use crate::support::{Client, ONE_AT_A_TIME, Server, Store, wait_until};

/// A server that drains for longer than any test waits.
fn draining(arch: &str, store: &Store) -> Server {
    let words = ["--drain", "3600", "--grace", "3600", "--keep-alive-timeout", "3600"];
    let server =
        Server::start(arch, &store.url(), &[&words[..], &["--admin", "127.0.0.1:0"]].concat());
    server.supervisor().signal(Signal::TERM);
    await_draining(&server);
    server
}

fn await_draining(server: &Server) {
    wait_until("/healthz to say that the server drains", || {
        let answer = Client::connect(server.admin_port()).get("/healthz");
        answer.status == 503 && answer.body == b"draining\nstore up\n"
    });
}

test!(Architecture, a_draining_server_serves_until_a_second_sigterm_stops_it);
fn a_draining_server_serves_until_a_second_sigterm_stops_it(arch: &str) {
    let store = Store::embedded();
    let mut server = draining(arch, &store);
    let said =
        "zerohttpd: draining: clients are served for another 3600 s; the next SIGTERM stops\n";
    assert!(server.errors().ends_with(said), "{}", server.errors());
    let count = if arch == ONE_AT_A_TIME { 1 } else { 3 };
    let mut kept: Vec<_> = (0..count).map(|_| server.client()).collect();
    for client in &mut kept {
        for _ in 0..2 {
            let answer = client.get("/hello.txt");
            assert!(answer.status == 200 && !is_last(&answer), "{answer:?}");
        }
    }
    server.supervisor().signal(Signal::TERM);
    for client in &mut kept {
        assert_eq!(client.read_to_end(), b"", "an idle client is closed as by any stop");
    }
    drop(kept);
    assert_eq!(server.wait().code(), Some(0));
    server.await_nothing_left();
    let said = server.errors();
    assert!(said.ends_with("zerohttpd: stopping; answers in flight have 3600 s\n"), "{said}");
}

test!(Architecture, sigint_stops_a_draining_server_at_once);
fn sigint_stops_a_draining_server_at_once(arch: &str) {
    let store = Store::embedded();
    let mut server = draining(arch, &store);
    let mut client = server.client();
    assert_eq!(client.get("/hello.txt").status, 200);
    server.supervisor().signal(Signal::INT);
    assert_eq!(server.wait().code(), Some(0));
    server.await_nothing_left();
    assert!(server.errors().contains("1 request served"), "{}", server.errors());
}

test!(Architecture, a_drain_delay_ends_by_itself);
fn a_drain_delay_ends_by_itself(arch: &str) {
    let store = Store::embedded();
    let mut server = Server::start(arch, &store.url(), &["--drain", "0.05", "--grace", "3600"]);
    assert_eq!(server.stop().code(), Some(0));
    let said = server.errors();
    let (_, said) = said.split_once("Ctrl-C stops it\n").expect("a start");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].contains("draining: clients are served for another 0.05 s"), "{said}");
    assert!(lines[1].contains("stopping; answers in flight have 3600 s"), "{said}");
}

test!(Architecture, a_draining_server_reloads_and_is_not_replaced);
/// A log is rotated at any time. A new program would not know that it is to stop.
fn a_draining_server_reloads_and_is_not_replaced(arch: &str) {
    let store = Store::embedded();
    let mut server = draining(arch, &store);
    server.supervisor().signal(Signal::USR2);
    let refused = "no other program takes over, as the server is to stop";
    wait_until("a refusal", || server.errors().contains(refused));
    server.supervisor().signal(Signal::HUP);
    wait_until("a reload", || server.errors().contains("were opened anew"));
    await_draining(&server);
    assert_eq!(server.client().get("/hello.txt").status, 200);
    assert_eq!(server.stop().code(), Some(0));
}
