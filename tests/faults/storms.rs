//! Thousands of a server's processes are killed while they serve.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use crate::fake::{Behaviour, FakeStore};
use crate::support::cases::test;
use crate::support::client::last_request;
use crate::support::process::Process;
use crate::support::server::takes_workers;
use crate::support::{Client, Server, wait_until};

/// How many processes are killed.
const KILLS: usize = 2000;

/// How many clients request the guestbook all the time, each request on a connection of its own.
const GUESTS: usize = 12;

/// How many connections to the store the children of a process share.
const PERMITS: u64 = 16;

/// Kills children of the server processes, [`KILLS`] of them.
fn kill_children(servers: &[Process]) {
    let mut killed = 0;
    wait_until("a storm that has killed enough", || {
        let children: Vec<_> = servers
            .iter()
            .flat_map(|server| server.children_of_main_thread())
            .filter(|child| child.lives())
            .collect();
        children.iter().for_each(|child| child.kill());
        killed += children.len();
        killed >= KILLS
    });
}

/// Runs clients while `during` runs.
fn with_guests(port: u16, during: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..GUESTS {
            scope.spawn(|| {
                while !is_over.load(Relaxed) {
                    let mut guest = Client::connect(port);
                    guest.send(last_request("/guestbook"));
                    // The process that serves this client can be killed.
                    let _ = guest.try_answer(false);
                }
            });
        }
        during();
        is_over.store(true, Relaxed);
    });
}

test!(Architecture, a_storm_of_kills_loses_no_store_permit);
fn a_storm_of_kills_loses_no_store_permit(arch: &str) {
    let store = FakeStore::start();
    let mut words = vec!["--store-timeout", "300"];
    if takes_workers(arch) {
        words.extend(["--workers", "32"]);
    }
    let server = Server::start(arch, &store.url(), &words);
    let servers = server.servers();
    let mut guest = server.client();
    assert_eq!(guest.get("/guestbook").status, 200);
    let has_children = servers.iter().any(|server| !server.children().is_empty());
    drop(guest);
    if !has_children {
        return; // The supervisor replaces its processes; `kills.rs` tests that.
    }
    with_guests(server.port, || kill_children(&servers));
    assert_eq!(server.servers(), servers, "{}", server.errors());
    wait_until("a guestbook", || {
        let mut guest = server.client();
        guest.send(last_request("/guestbook"));
        guest.try_answer(false).is_ok_and(|answer| answer.status == 200)
    });
    // The store does not answer, so each child that sends a query keeps its permit.
    store.behave(Behaviour::Silent);
    let before = store.visitors();
    let guests: Vec<_> = (0..PERMITS + 4)
        .map(|_| {
            let mut guest = server.client();
            guest.send(last_request("/guestbook"));
            guest
        })
        .collect();
    wait_until("a query for each permit", || store.visitors() - before >= PERMITS);
    assert_eq!(store.visitors() - before, PERMITS, "more queries than permits");
    drop(guests);
}
