//! Many clients, and servers that are too small for them.

use crate::fake::{Behaviour, FakeServer};
use crate::load_report::load;
use crate::support::{Server, Store};

/// An architecture for many clients.
const FOR_MANY_CLIENTS: &str = "epoll";

#[test]
fn thousands_of_clients_connect_and_are_all_answered() {
    let store = Store::embedded();
    let server = Server::start(FOR_MANY_CLIENTS, &store.url(), &[]);
    let report = load(server.port, "/hello.txt", "-d 2 -c 3000 --timeout 30");
    assert_eq!((report.code, report.count("failures_total")), (Some(0), 0));
    assert_eq!(report.count("failures_before_total"), 0);
    assert_eq!(report.count("clients_connected_peak"), 3000);
    assert_eq!((report.count("clients_answered"), report.count("connections")), (3000, 3000));
    let report = load(server.port, "/hello.txt", "-n 6000 -c 3000 --no-keep-alive --timeout 30");
    report.assert_good(6000);
}

#[test]
fn a_pool_that_is_too_small_is_a_finding() {
    let fake = FakeServer::with_workers(Behaviour::Good, 2);
    // Two clients are served, and keep their connections; the others time out.
    let report = load(fake.port, "/", "-d 2 -c 20 --timeout 3");
    assert_eq!(report.code, Some(1));
    assert_eq!((report.count("clients_answered"), report.count("clients_connected_peak")), (2, 20));
    let waiting = report.number("accept_queue_mean");
    assert!((10.0..=18.0).contains(&waiting), "{:#}", report.json);
    assert!(report.findings().contains(&"workers_taken".into()), "{:#}", report.json);
}
