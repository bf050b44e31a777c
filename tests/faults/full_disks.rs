//! Disks that are full: under the log, and under the embedded store.

use rustix::process::Signal;

use crate::support::strace::{Injection, is_allowed};
use crate::support::{Server, Store, for_each, for_each_architecture, wait_until};

#[test]
fn a_log_that_finds_its_disk_full_holds_up_nobody_and_counts_what_it_lost() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let mut server = Server::start(arch, &store.url(), &["--log-file", "/dev/full"]);
        let mut client = server.client();
        for number in 1..=100 {
            assert_eq!(client.get("/hello.txt").status, 200);
            assert_eq!(client.visit(), number);
        }
        drop(client);
        server.supervisor().signal(Signal::INT);
        server.wait();
        let said = server.errors();
        assert!(said.contains("200 lines lost"), "{said}");
        // A few lines at the start, a few at the end, and none for each that was lost.
        assert!(said.lines().count() < 20, "{said}");
    });
}

/// What a disk says of a database that grows, by the calls with which it does.
const TROUBLES: [(&str, &str); 3] = [
    ("pwrite64,pwritev,ftruncate,fallocate", "ENOSPC"),
    ("fdatasync,fsync", "EIO"),
    ("pwrite64,pwritev", "EIO"),
];

#[test]
fn a_store_that_finds_its_disk_full_refuses_what_it_cannot_keep_and_recovers() {
    if !is_allowed() {
        return;
    }
    for_each(
        &TROUBLES,
        |trouble| format!("{trouble:?}"),
        |(calls, errno)| {
            let store = Store::embedded();
            let server = Server::start("epoll", &store.url(), &[]);
            assert_eq!(server.client().sign("Ada", "before").status, 303);
            let said = server.errors().lines().count();
            let injection = Injection::into(&[server.store()], calls, errno, "");
            for _ in 0..10 {
                let answer = server.client().sign("Ada", "lost");
                assert_eq!(answer.status, 503);
                assert_ne!(answer.field("Retry-After"), Ok(None));
                assert_eq!(server.client().get("/hello.txt").status, 200);
            }
            assert!(injection.count() > 0, "{:#?}", injection.calls());
            drop(injection);
            let errors = server.errors();
            assert!((1..6).contains(&(errors.lines().count() - said)), "{errors}");
            wait_until("a store that has room again", || {
                server.client().sign("Ada", "after").status == 303
            });
            assert!(server.client().visit() > 0);
            let mut remarks = store.remarks();
            remarks.dedup();
            // What a disk may have kept although it said that it had not is another matter.
            remarks.retain(|remark| remark != "lost - Ada");
            assert_eq!(remarks, ["before - Ada", "after - Ada"]);
        },
    );
}
