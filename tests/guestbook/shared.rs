//! Servers of different architectures that share a store.

use rustix::process::Signal;

use crate::support::client::{entries, visitor};
use crate::support::{Kind, Server, Store, architectures, cases::test, for_each, wait_for};

/// How the first of two servers ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Stopped,
    Killed,
}

/// Each architecture with the next one, for both endings of the first.
fn pairs() -> Vec<(&'static str, &'static str, Ending)> {
    let names = architectures();
    let next = names.iter().cycle().skip(1);
    let both = |(first, second): (&'static String, &'static String)| {
        [Ending::Stopped, Ending::Killed].map(|ending| (first.as_str(), second.as_str(), ending))
    };
    names.iter().zip(next).flat_map(both).collect()
}

test!(Once, two_servers_share_an_embedded_store_and_the_second_keeps_it_when_the_first_ends);
fn two_servers_share_an_embedded_store_and_the_second_keeps_it_when_the_first_ends() {
    for_each(
        &pairs(),
        |pair| format!("{pair:?}"),
        |&(first, second, ending)| {
            let store = Store::embedded();
            let mut old = Server::start(first, &store.url(), &[]);
            let new = Server::start(second, &store.url(), &[]);
            assert_eq!(old.client().visit(), 1);
            assert_eq!(new.client().visit(), 2);
            assert_eq!(old.client().sign("Ada", "before").status, 303);
            assert_eq!(new.client().sign("Bob", "also before").status, 303);
            assert_eq!(
                entries(&old.client().get("/guestbook")),
                ["also before - Bob", "before - Ada"]
            );
            let signal = match ending {
                Ending::Stopped => Signal::TERM,
                Ending::Killed => Signal::KILL,
            };
            old.supervisor().signal(signal);
            old.wait();
            assert_eq!(new.client().get("/hello.txt").status, 200);
            let number = wait_for("the guestbook of the server that is left", || {
                let answer = new.client().get("/guestbook");
                if answer.status != 200 {
                    assert_eq!(answer.status, 503);
                    assert!(answer.field("Retry-After").expect("at most one").is_some());
                }
                visitor(&answer)
            });
            assert!(number > 3, "{number} was given before");
            assert_eq!(new.client().sign("Cy", "after").status, 303);
            assert_eq!(store.remarks(), ["before - Ada", "also before - Bob", "after - Cy"]);
            drop(old);
            // The second server now runs the store, and a third one joins it.
            let third = Server::start(first, &store.url(), &[]);
            assert!(third.client().visit() > number);
        },
    );
}

test!(Once, servers_of_all_architectures_share_one_redis);
fn servers_of_all_architectures_share_one_redis() {
    let store = Store::new(Kind::Redis);
    let url = store.url();
    let servers: Vec<_> =
        architectures().iter().map(|arch| (arch, Server::start(arch, &url, &[]))).collect();
    for (number, (arch, server)) in (1..).zip(&servers) {
        assert_eq!(server.client().visit(), number);
        assert_eq!(server.client().sign(arch, "was here").status, 303);
    }
    let expected: Vec<_> =
        architectures().iter().rev().map(|arch| format!("was here - {arch}")).collect();
    for (arch, server) in &servers {
        assert_eq!(entries(&server.client().get("/guestbook")), expected, "{arch}");
    }
}
