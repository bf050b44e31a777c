//! Full disks, for the log and for the embedded store.

use std::process::Stdio;

use rustix::process::Signal;

use crate::support::cases::test;
use crate::support::strace::{Injection, is_allowed};
use crate::support::{Server, Store, TempDir, for_each, wait_until};

test!(Architecture, a_log_on_a_full_disk_blocks_nothing_and_counts_lost_lines);
fn a_log_on_a_full_disk_blocks_nothing_and_counts_lost_lines(arch: &str) {
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
    let errors = server.errors();
    assert!(errors.contains("200 lines lost"), "{errors}");
    // There are a few lines at the start and at the end, and not one for each lost line.
    assert!(errors.lines().count() < 20, "{errors}");
}

/// Calls by which a database grows, and the errors with which they fail.
const FAILURES: [(&str, &str); 3] = [
    ("pwrite64,pwritev,ftruncate,fallocate", "ENOSPC"),
    ("fdatasync,fsync", "EIO"),
    ("pwrite64,pwritev", "EIO"),
];

test!(Once, a_store_on_a_full_disk_refuses_remarks_and_recovers);
fn a_store_on_a_full_disk_refuses_remarks_and_recovers() {
    if !is_allowed() {
        return;
    }
    for_each(
        &FAILURES,
        |failure| format!("{failure:?}"),
        |(calls, errno)| {
            let store = Store::embedded();
            let server = Server::start("epoll", &store.url(), &[]);
            assert_eq!(server.client().sign("Ada", "before").status, 303);
            let lines_before = server.errors().lines().count();
            let injection = Injection::start(&[server.store()], calls, errno, "");
            for _ in 0..10 {
                let answer = server.client().sign("Ada", "lost");
                assert_eq!(answer.status, 503);
                assert_ne!(answer.field("Retry-After"), Ok(None));
                assert_eq!(server.client().get("/hello.txt").status, 200);
            }
            assert!(injection.count() > 0, "{:#?}", injection.calls());
            drop(injection);
            let errors = server.errors();
            assert!((1..6).contains(&(errors.lines().count() - lines_before)), "{errors}");
            wait_until("a store that works again", || {
                server.client().sign("Ada", "after").status == 303
            });
            assert!(server.client().visit() > 0);
            let mut remarks = store.remarks();
            remarks.dedup();
            // A write that failed may have reached the disk.
            remarks.retain(|remark| remark != "lost - Ada");
            assert_eq!(remarks, ["before - Ada", "after - Ada"]);
        },
    );
}

/// The limit on the size of a file, in blocks of 512 bytes.
const BLOCKS: usize = 1024;

test!(Architecture, the_file_size_limit_costs_lines_and_remarks_but_no_process);
/// A process that reaches the limit on the size of files (`RLIMIT_FSIZE`) gets SIGXFSZ, which would
/// kill it. It has to treat the limit as a full disk.
fn the_file_size_limit_costs_lines_and_remarks_but_no_process(arch: &str) {
    let (store, folder) = (Store::embedded(), TempDir::new());
    let log = folder.join("log").display().to_string();
    folder.write("log", vec![b'\n'; (BLOCKS - 1) * 512]);
    let script = format!("ulimit -f {BLOCKS}; exec \"$0\" \"$@\"");
    let words = ["--access-log", "common", "--log-file", &log];
    let case = (arch, &store.url()[..], &words[..]);
    let mut server = Server::start_in_shell(&script, Stdio::null(), case);
    let processes = (server.servers(), server.store());
    let mut client = server.client();
    for _ in 0..50 {
        assert_eq!(client.get("/hello.txt").status, 200);
    }
    drop(client);
    let remark = "r".repeat(1000);
    let statuses = (0..1000).map(|_| server.client().sign("Ada", &remark).status);
    let refused = statuses.into_iter().find(|status| *status != 303);
    assert_eq!(refused, Some(503), "the store's file has reached the limit");
    assert_eq!(server.client().get("/hello.txt").status, 200);
    assert_eq!((server.servers(), server.store()), processes, "{}", server.errors());
    server.supervisor().signal(Signal::INT);
    assert_eq!(server.wait().code(), Some(0));
    let errors = server.errors();
    assert!(errors.contains("can't write to the log: File too large"), "{errors}");
    assert!(errors.contains("lines lost") && !errors.contains("killed by"), "{errors}");
}
