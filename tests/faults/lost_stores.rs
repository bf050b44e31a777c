//! Stores that are killed: files go on, the guestbook says when to come again, and heals.

use std::sync::atomic::Ordering::Relaxed;

use crate::load::{kept, under_load};
use crate::support::process::Process;
use crate::support::redis::redis_cli;
use crate::support::{Redis, Server, Store, for_each_architecture, wait_until};

#[test]
fn an_embedded_store_that_is_killed_is_replaced_and_keeps_what_it_acknowledged() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &[]);
        let load = under_load(server.port, false, |load| {
            for _ in 0..3 {
                server.store().kill();
                load.await_progress();
            }
        });
        load.check(&kept(&store));
    });
}

#[test]
fn a_redis_that_is_killed_and_comes_back_is_used_again() {
    for_each_architecture(|arch| {
        let mut redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
        let server = Server::start(arch, &redis.url(), &[]);
        let load = under_load(server.port, false, |load| {
            for _ in 0..2 {
                redis.kill();
                let refused = load.refused.load(Relaxed);
                wait_until("a guestbook that says 503", || {
                    load.refused.load(Relaxed) > refused + 3
                });
                let files = load.files.load(Relaxed);
                wait_until("files without a store", || load.files.load(Relaxed) > files + 3);
                redis.start_again();
                load.await_progress();
            }
        });
        let listed = redis_cli(&redis.socket(), &["lrange", "guestbook_remarks", "0", "-1"]);
        load.check(&listed.lines().map(str::to_string).collect::<Vec<_>>());
        assert!(server.errors().contains("the store answers again"), "{}", server.errors());
    });
}

#[test]
fn after_everything_is_killed_at_once_every_acknowledged_remark_is_there() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &[]);
        // What happens to those who come afterwards is none of this test's business: the load has
        // ended before.
        let load = under_load(server.port, false, |_| {});
        let mut client = server.client();
        client.send(crate::support::client::signature("last", "words"));
        assert_eq!(client.answer().status, 303);
        server.processes().into_iter().for_each(Process::kill);
        server.await_nothing_left();
        drop(server);
        let again = Server::start(arch, &store.url(), &[]);
        let remarks = kept(&store);
        load.check(&remarks);
        assert_eq!(remarks.last().map(String::as_str), Some("words - last"));
        let number = again.client().visit();
        assert_eq!(number, store.visitor_count());
    });
}

#[test]
fn a_store_that_is_killed_while_everybody_visits_gives_no_number_twice() {
    // Counts are not synced to the disk, only to the kernel: a killed process must not lose them.
    for_each_architecture(|arch| {
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
    });
}
