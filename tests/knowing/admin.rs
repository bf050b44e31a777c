//! The admin's server: what it serves, and that it is there as long as the others are.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::exposition::{await_metrics, metrics};
use crate::support::client::{is_last, request};
use crate::support::{
    Client, ONE_AT_A_TIME, Server, Store, for_each_architecture, package, wait_until,
};

const ADMIN: &[&str] = &["--admin", "127.0.0.1:0", "--grace", "3600", "--header-timeout", "3600"];

fn status(server: &Server, request: &str) -> u16 {
    let mut client = Client::connect(server.admin_port());
    client.send(request);
    client.try_answer(request.starts_with("HEAD")).expect("an answer").status
}

#[test]
fn it_is_as_strict_as_the_others_and_has_no_guestbook() {
    for_each_architecture(|arch| {
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
        // Nothing of that counts.
        let now = metrics(&server);
        assert_eq!(now.sum("zerohttpd_requests_total"), 0.0);
        assert_eq!(now.sum("zerohttpd_connections_total"), 0.0);
        assert_eq!(store.cli(&["exists", "visitor_count"]), "0");
        // What is for clients is not for the admin.
        assert_eq!(server.client().get("/metrics").status, 404);
    });
}

#[test]
fn every_metric_is_explained_and_no_other() {
    let explained = std::fs::read_to_string(package().join("docs/metrics.md")).expect("a file");
    let rows = explained.lines().filter_map(|line| line.strip_prefix("| `zerohttpd_"));
    let names: Vec<_> = rows.filter_map(|row| row.split(['{', '`']).next()).collect();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let metrics = metrics(&Server::start_small(arch, &store.url(), ADMIN));
        let mut known: Vec<_> = names.iter().map(|name| format!("zerohttpd_{name}")).collect();
        known.sort();
        assert!(metrics.names().into_iter().eq(known.iter().map(String::as_str)), "{known:?}");
    });
}

#[test]
fn health_tells_of_a_server_that_stops() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let mut server = Server::start_small(arch, &store.url(), ADMIN);
        let mut halfway = server.client();
        halfway.send("GET /hello.txt HTTP/1.1\r\nHo");
        let reading = "zerohttpd_connections{state=\"reading\"}";
        await_metrics(&server, "half a request", |now| now.get(reading) == 1.0);
        let mut monitor = Client::connect(server.admin_port());
        assert_eq!(monitor.get("/healthz").body, b"ok\nstore up\n");
        server.supervisor().signal(Signal::TERM);
        wait_until("a server that says that it stops", || {
            let answer = Client::connect(server.admin_port()).get("/healthz");
            answer.status == 503 && answer.body == b"stopping\nstore up\n"
        });
        assert_eq!(monitor.get("/healthz").status, 503);
        halfway.send("st: x\r\n\r\n");
        assert!(is_last(&halfway.answer()));
        drop(halfway);
        assert_eq!(server.wait().code(), Some(0));
        server.await_nothing_left();
        assert_eq!(monitor.rest(), b"", "it is parted from like any client");
    });
}

#[test]
fn health_tells_that_no_server_lives() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start_small(arch, &store.url(), ADMIN);
        // They are started again after a wait that grows.
        wait_until("a health without servers", || {
            server.servers().into_iter().for_each(|process| process.kill());
            let answer = Client::connect(server.admin_port()).get("/healthz");
            answer.status == 503 && answer.body.starts_with(b"no server process lives\n")
        });
        wait_until("health", || status(&server, &request("GET", "/healthz")) == 200);
    });
}

#[test]
fn it_follows_generations_and_programs_on_one_port() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let mut server = Server::start_small(arch, &store.url(), ADMIN);
        let port = server.admin_port();
        let mut monitor = Client::connect(port);
        assert_eq!(monitor.get("/metrics").status, 200);
        server.supervisor().signal(Signal::HUP);
        let generation = "zerohttpd_generation";
        await_metrics(&server, "another generation", |now| now.get(generation) == 2.0);
        wait_until("its last answer", || is_last(&monitor.get("/healthz")));
        wait_until("one admin's server", || server.admins().len() == 1);
        let mut monitor = Client::connect(port);
        assert_eq!(monitor.get("/metrics").status, 200);
        if arch != ONE_AT_A_TIME {
            assert_eq!(server.client().get("/hello.txt").status, 200);
        }
        server.supervisor().signal(Signal::USR2);
        wait_until("a successor", || server.errors().contains("took over"));
        assert_eq!(server.admin_port(), port);
        wait_until("its last answer", || is_last(&monitor.get("/healthz")));
        wait_until("one admin's server", || server.admins().len() == 1);
        // The new program counts anew.
        let now = metrics(&server);
        assert_eq!((now.get(generation), now.sum("zerohttpd_requests_total")), (1.0, 0.0));
        assert_eq!(server.stop().code(), Some(0));
        TcpListener::bind(("127.0.0.1", port)).expect("a port that is free again");
    });
}

#[test]
fn a_socket_that_is_named_for_it_is_used() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let [clients, admin] = [(); 2].map(|()| TcpListener::bind(("127.0.0.1", 0)).expect("one"));
        let port = |socket: &TcpListener| socket.local_addr().expect("its address").port();
        let (client_port, admin_port) = (port(&clients), port(&admin));
        let sockets = [clients.into(), admin.into()];
        let mut server = Server::start_activated_with_admin(sockets, (arch, &store.url(), &[]));
        assert_eq!((server.port, server.admin_port()), (client_port, admin_port));
        assert_eq!(server.client().get("/hello.txt").status, 200);
        let all = "zerohttpd_requests_total{status=\"200\"}";
        await_metrics(&server, "a request", |now| now.get(all) == 1.0);
        assert_eq!(server.stop().code(), Some(0));
    });
}

#[test]
fn an_address_that_is_in_use_is_named() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let (status, said) = Server::refuse(arch, &store.url(), &["--admin", &address]);
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("can't listen on {address}")), "{said}");
    });
}
