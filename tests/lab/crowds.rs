//! Many clients, and servers that are too small for them.

use crate::account::load;
use crate::fake::{Fake, Manner};
use crate::support::{Server, Store};

/// The architecture that does not mind how many clients there are.
const FOR_CROWDS: &str = "epoll";

#[test]
fn thousands_of_clients_are_let_in_and_all_are_answered() {
    let store = Store::embedded();
    let server = Server::start(FOR_CROWDS, &store.url(), &[]);
    let account = load(server.port, "/hello.txt", "-d 0.5 -c 3000 --timeout 30");
    assert_eq!((account.code, account.count("failures_total")), (Some(0), 0));
    assert_eq!(account.count("failures_before_total"), 0);
    assert_eq!(account.count("clients_connected_peak"), 3000);
    assert_eq!((account.count("clients_answered"), account.count("connections")), (3000, 3000));
    let account = load(server.port, "/hello.txt", "-n 6000 -c 3000 --no-keep-alive --timeout 30");
    account.assert_good(6000);
}

#[test]
fn a_pool_that_is_too_small_is_named() {
    let fake = Fake::with_workers(Manner::Good, 2);
    // Two clients are served, and keep their connections; the others wait in vain.
    let account = load(fake.port, "/", "-d 2 -c 20 --timeout 3");
    assert_eq!(account.code, Some(1));
    assert_eq!(
        (account.count("clients_answered"), account.count("clients_connected_peak")),
        (2, 20)
    );
    let waiting = account.number("accept_queue_mean");
    assert!((10.0..=18.0).contains(&waiting), "{:#}", account.json);
    assert!(account.findings().contains(&"workers_taken".into()), "{:#}", account.json);
}
