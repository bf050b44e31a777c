//! Stores that are killed: files are served, and the guestbook answers 503 with Retry-After until
//! the store is back.

use std::sync::atomic::Ordering::Relaxed;

use crate::load::{stored_remarks, under_load};
use crate::support::cases::test;
use crate::support::process::Process;
use crate::support::redis::redis_cli;
use crate::support::{Redis, Server, Store, wait_until};

test!(Architecture, a_killed_embedded_store_is_replaced_and_keeps_acknowledged_remarks);
fn a_killed_embedded_store_is_replaced_and_keeps_acknowledged_remarks(arch: &str) {
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &[]);
    let load = under_load(server.port, false, |load| {
        for _ in 0..3 {
            server.store().kill();
            load.await_progress();
        }
    });
    load.check(&stored_remarks(&store));
}

test!(Architecture, a_redis_that_is_killed_and_comes_back_is_used_again);
fn a_redis_that_is_killed_and_comes_back_is_used_again(arch: &str) {
    let mut redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let server = Server::start(arch, &redis.url(), &[]);
    let load = under_load(server.port, false, |load| {
        for _ in 0..2 {
            redis.kill();
            let refused = load.refused.load(Relaxed);
            wait_until("503 from the guestbook", || load.refused.load(Relaxed) > refused + 3);
            let files = load.files.load(Relaxed);
            wait_until("files that are served", || load.files.load(Relaxed) > files + 3);
            redis.start_again();
            load.await_progress();
        }
    });
    let listed = redis_cli(&redis.socket(), &["lrange", "guestbook_remarks", "0", "-1"]);
    load.check(&listed.lines().map(str::to_string).collect::<Vec<_>>());
    assert!(server.errors().contains("the store answers again"), "{}", server.errors());
}

test!(Architecture, after_all_processes_are_killed_every_acknowledged_remark_is_there);
fn after_all_processes_are_killed_every_acknowledged_remark_is_there(arch: &str) {
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &[]);
    // The load ends before the kill: its clients do not meet it.
    let load = under_load(server.port, false, |_| {});
    let mut client = server.client();
    client.send(crate::support::client::signature("last", "words"));
    assert_eq!(client.answer().status, 303);
    server.processes().into_iter().for_each(Process::kill);
    server.await_nothing_left();
    drop(server);
    let again = Server::start(arch, &store.url(), &[]);
    let remarks = stored_remarks(&store);
    load.check(&remarks);
    assert_eq!(remarks.last().map(String::as_str), Some("words - last"));
    let number = again.client().visit();
    assert_eq!(number, store.visitor_count());
}

test!(Architecture, a_restarted_store_gives_no_visitor_number_twice);
fn a_restarted_store_gives_no_visitor_number_twice(arch: &str) {
    // The store writes counts without fsync(2), so the kernel has them when the process is killed.
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &[]);
    let mut last = 0;
    for _ in 0..3 {
        let number = server.client().visit();
        assert!(number > last, "{number} after {last}");
        last = number;
        server.store().kill();
        wait_until("a guestbook that is back", || {
            server.client().get("/guestbook?page=500").status == 200
        });
    }
    assert!(server.client().visit() > last);
}
