//! The admin process: what it serves, and that it serves as long as the server runs.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::exposition::{await_metrics, metrics};
use crate::support::cases::test;
use crate::support::client::{is_last, request};
use crate::support::{Client, ONE_AT_A_TIME, Server, Store, package, wait_until};

const ADMIN: &[&str] = &["--admin", "127.0.0.1:0", "--grace", "3600", "--header-timeout", "3600"];

fn status(server: &Server, request: &str) -> u16 {
    let mut client = Client::connect(server.admin_port());
    client.send(request);
    client.try_answer(request.starts_with("HEAD")).expect("an answer").status
}

test!(Architecture, the_admin_port_serves_only_the_reports_by_the_same_rules_of_http);
fn the_admin_port_serves_only_the_reports_by_the_same_rules_of_http(arch: &str) {
    let store = Store::embedded();
    let server = Server::start_small(arch, &store.url(), ADMIN);
    for (request, expected) in [
        (request("GET", "/metrics"), 200),
        (request("HEAD", "/metrics"), 200),
        (request("GET", "/healthz"), 200),
        (request("GET", "/"), 200),
        (request("OPTIONS", "/metrics"), 204),
        (request("POST", "/metrics"), 405),
        (request("GET", "/guestbook"), 404),
        (request("POST", "/guestbook"), 404),
        (request("GET", "/guestbook/thanks"), 404),
        (request("GET", "/hello.txt"), 404),
        (request("GET", "/metrics").replace("Host", "If-Match: \"x\"\r\nHost"), 412),
        (request("GET", "/metrics").replace("Host", "Range: bytes=0-1\r\nHost"), 200),
        ("GET /metrics HTTP/1.1\r\n\r\n".to_string(), 400),
    ] {
        assert_eq!(status(&server, &request), expected, "{request}");
    }
    // The metrics do not count requests to the admin process.
    let now = metrics(&server);
    assert_eq!(now.sum("zerohttpd_requests_total"), 0.0);
    assert_eq!(now.sum("zerohttpd_connections_total"), 0.0);
    assert_eq!(store.cli(&["exists", "visitor_count"]), "0");
    // The port for clients has no metrics.
    assert_eq!(server.client().get("/metrics").status, 404);
}

test!(Architecture, the_documented_metrics_are_those_that_exist);
fn the_documented_metrics_are_those_that_exist(arch: &str) {
    let document = std::fs::read_to_string(package().join("docs/metrics.md")).expect("a file");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `zerohttpd_"));
    let names: Vec<_> = rows.filter_map(|row| row.split(['{', '`']).next()).collect();
    let store = Store::embedded();
    let metrics = metrics(&Server::start_small(arch, &store.url(), ADMIN));
    let mut documented: Vec<_> = names.iter().map(|name| format!("zerohttpd_{name}")).collect();
    documented.sort();
    let existing = metrics.names();
    assert!(existing.iter().copied().eq(documented.iter().map(String::as_str)), "{documented:?}");
}

test!(Architecture, health_reports_a_server_that_stops);
fn health_reports_a_server_that_stops(arch: &str) {
    let store = Store::embedded();
    let mut server = Server::start_small(arch, &store.url(), ADMIN);
    let mut client = server.client();
    client.send("GET /hello.txt HTTP/1.1\r\nHo");
    let reading = "zerohttpd_connections{state=\"reading\"}";
    await_metrics(&server, "half a request", |now| now.get(reading) == 1.0);
    let mut monitor = Client::connect(server.admin_port());
    assert_eq!(monitor.get("/healthz").body, b"ok\nstore up\n");
    server.supervisor().signal(Signal::TERM);
    wait_until("/healthz to say that the server stops", || {
        let answer = Client::connect(server.admin_port()).get("/healthz");
        answer.status == 503 && answer.body == b"stopping\nstore up\n"
    });
    assert_eq!(monitor.get("/healthz").status, 503);
    client.send("st: x\r\n\r\n");
    assert!(is_last(&client.answer()));
    drop(client);
    assert_eq!(server.wait().code(), Some(0));
    server.await_nothing_left();
    assert_eq!(monitor.read_to_end(), b"", "the admin process sends no reset");
}

test!(Architecture, health_reports_that_no_server_is_left);
fn health_reports_that_no_server_is_left(arch: &str) {
    let store = Store::embedded();
    let server = Server::start_small(arch, &store.url(), ADMIN);
    // The supervisor waits longer before each restart, so at last there is a time without servers.
    wait_until("/healthz to say that no server is left", || {
        server.servers().into_iter().for_each(|process| process.kill());
        let answer = Client::connect(server.admin_port()).get("/healthz");
        answer.status == 503 && answer.body.starts_with(b"no server process is running\n")
    });
    wait_until("good health", || status(&server, &request("GET", "/healthz")) == 200);
}

test!(Architecture, the_admin_port_survives_reloads_and_upgrades);
fn the_admin_port_survives_reloads_and_upgrades(arch: &str) {
    let store = Store::embedded();
    let mut server = Server::start_small(arch, &store.url(), ADMIN);
    let port = server.admin_port();
    let mut monitor = Client::connect(port);
    assert_eq!(monitor.get("/metrics").status, 200);
    server.supervisor().signal(Signal::HUP);
    let generation = "zerohttpd_generation";
    await_metrics(&server, "another generation", |now| now.get(generation) == 2.0);
    wait_until("the old admin's last answer", || is_last(&monitor.get("/healthz")));
    wait_until("a single admin", || server.admins().len() == 1);
    let mut monitor = Client::connect(port);
    assert_eq!(monitor.get("/metrics").status, 200);
    if arch != ONE_AT_A_TIME {
        assert_eq!(server.client().get("/hello.txt").status, 200);
    }
    server.supervisor().signal(Signal::USR2);
    wait_until("a successor", || server.errors().contains("took over"));
    assert_eq!(server.admin_port(), port);
    wait_until("the old admin's last answer", || is_last(&monitor.get("/healthz")));
    wait_until("a single admin", || server.admins().len() == 1);
    // The new program counts requests from 0, and goes on with the number of the generation.
    let now = metrics(&server);
    assert_eq!((now.get(generation), now.sum("zerohttpd_requests_total")), (3.0, 0.0));
    assert_eq!(server.stop().code(), Some(0));
    TcpListener::bind(("127.0.0.1", port)).expect("a port that is free again");
}

test!(Architecture, a_passed_socket_that_is_named_admin_is_used);
fn a_passed_socket_that_is_named_admin_is_used(arch: &str) {
    let store = Store::embedded();
    let [clients, admin] = [(); 2].map(|()| TcpListener::bind(("127.0.0.1", 0)).expect("a port"));
    let port = |socket: &TcpListener| socket.local_addr().expect("its address").port();
    let (client_port, admin_port) = (port(&clients), port(&admin));
    let sockets = [clients.into(), admin.into()];
    let mut server = Server::start_activated_with_admin(sockets, (arch, &store.url(), &[]));
    assert_eq!((server.port, server.admin_port()), (client_port, admin_port));
    assert_eq!(server.client().get("/hello.txt").status, 200);
    let all = "zerohttpd_requests_total{status=\"200\"}";
    await_metrics(&server, "a request", |now| now.get(all) == 1.0);
    assert_eq!(server.stop().code(), Some(0));
}

test!(Architecture, an_admin_address_that_is_in_use_is_named_in_the_error);
fn an_admin_address_that_is_in_use_is_named_in_the_error(arch: &str) {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let store = Store::embedded();
    let (status, stderr) = Server::failed_start(arch, &store.url(), &["--admin", &address]);
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&format!("can't listen on {address}")), "{stderr}");
}
