//! The embedded store: copies of its file, its process, and commands on long lists.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::support::cases::test;
use crate::support::{Server, Store, TempDir, wait_until};

/// The output of sqlite3(1) for a statement.
#[track_caller]
fn sqlite3(file: &Path, statement: &str) -> String {
    let output = Command::new("sqlite3").arg("-bail").arg(file).arg(statement).output();
    let output = output.expect("these tests need sqlite3: install it (`apt-get install sqlite3`)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_string()
}

const REMARKS: &str = "SELECT item FROM items WHERE list = 'guestbook_remarks' ORDER BY place";

/// A copy of the database file alone, like one that `cp guestbook.db elsewhere` makes.
fn copy(store: &Store, to: &TempDir) -> std::path::PathBuf {
    let copy = to.join("copy.db");
    fs::copy(file(store), &copy).expect("a file that can be copied");
    copy
}

/// The database file of a store.
fn file(store: &Store) -> std::path::PathBuf {
    store.socket().with_extension("")
}

test!(Architecture, a_copy_made_after_a_clean_stop_has_every_remark);
fn a_copy_made_after_a_clean_stop_has_every_remark(arch: &str) {
    for signal in [Signal::TERM, Signal::INT] {
        let (store, folder) = (Store::embedded(), TempDir::new());
        let mut server = Server::start(arch, &store.url(), &[]);
        assert_eq!(server.client().sign("Ada", "one").status, 303);
        assert_eq!(server.client().sign("Bob", "two").status, 303);
        assert_eq!(server.client().visit(), 1);
        server.supervisor().signal(signal);
        assert_eq!(server.wait().code(), Some(0), "{signal:?}");
        server.await_nothing_left();
        let copy = copy(&store, &folder);
        assert_eq!(sqlite3(&copy, "PRAGMA integrity_check"), "ok");
        assert_eq!(sqlite3(&copy, REMARKS), "one - Ada\ntwo - Bob", "{signal:?}");
        assert_eq!(sqlite3(&copy, "SELECT value FROM strings"), "1");
        for suffix in ["db-wal", "db-shm"] {
            let log = file(&store).with_extension(suffix);
            assert!(!log.exists(), "{} is left", log.display());
        }
    }
}

test!(Once, a_copy_made_by_sqlite_while_the_server_runs_has_every_remark);
fn a_copy_made_by_sqlite_while_the_server_runs_has_every_remark() {
    let (store, folder) = (Store::embedded(), TempDir::new());
    let server = Server::start("epoll", &store.url(), &[]);
    assert_eq!(server.client().sign("Ada", "one").status, 303);
    let copy = folder.join("copy.db");
    sqlite3(&file(&store), &format!(".backup '{}'", copy.display()));
    assert_eq!(sqlite3(&copy, REMARKS), "one - Ada");
    assert_eq!(server.client().sign("Ada", "two").status, 303);
}

test!(Architecture, a_store_ignores_sigterm_while_its_supervisor_runs);
/// A service manager sends SIGTERM to all processes of a service, also to the store. Only the
/// supervisor may end the store, once the servers have ended.
fn a_store_ignores_sigterm_while_its_supervisor_runs(arch: &str) {
    let store = Store::embedded();
    let mut server = Server::start(arch, &store.url(), &[]);
    let process = server.store();
    process.signal(Signal::TERM);
    assert_eq!(server.client().sign("Ada", "one").status, 303);
    assert_eq!(server.store(), process);
    assert_eq!(server.stop().code(), Some(0));
}

test!(Once, a_server_whose_store_waits_for_the_file_can_stop_without_harm_to_the_first_server);
/// The store of a second server waits until the first server's store has closed the file.
fn a_server_whose_store_waits_for_the_file_can_stop_without_harm_to_the_first_server() {
    let store = Store::embedded();
    let first = Server::start("epoll", &store.url(), &[]);
    let mut second = Server::start("threaded", &store.url(), &[]);
    assert_eq!(second.client().sign("Ada", "one").status, 303);
    assert_eq!(second.stop().code(), Some(0));
    assert_eq!(first.client().sign("Ada", "two").status, 303);
}

test!(Once, a_store_without_a_supervisor_closes_its_file_at_sigterm_and_sigint);
fn a_store_without_a_supervisor_closes_its_file_at_sigterm_and_sigint() {
    for signal in [Signal::TERM, Signal::INT] {
        let (store, folder) = (Store::embedded(), TempDir::new());
        let mut process = crate::support::server::program(&["store"])
            .arg(file(&store))
            .spawn()
            .expect("the program");
        wait_until("a store that answers", || store.cli(&["ping"]) == "PONG");
        assert_eq!(store.cli(&["rpush", "guestbook_remarks", "by hand"]), "1");
        crate::support::process::Process(process.id()).signal(signal);
        assert!(process.wait().expect("a child of ours").success(), "{signal:?}");
        assert_eq!(sqlite3(&copy(&store, &folder), REMARKS), "by hand");
    }
}

test!(Once, long_lists_can_be_cut_and_deleted_in_the_sandbox);
/// SQLite needs temporary files for statements that change much, and the sandbox must allow them.
fn long_lists_can_be_cut_and_deleted_in_the_sandbox() {
    let store = Store::embedded();
    let _server = Server::start("epoll", &store.url(), &[]);
    let item = |number: usize| format!("{number}{}", "x".repeat(1000));
    let fill = || {
        for first in (0..2000).step_by(100) {
            let items: Vec<_> = (first..first + 100).map(item).collect();
            let words: Vec<_> = items.iter().map(String::as_str).collect();
            store.cli(&[&["rpush", "list"], &words[..]].concat());
        }
        assert_eq!(store.cli(&["rpush", "list", "spam"]), "2001");
    };
    fill();
    assert_eq!(store.cli(&["lrem", "list", "0", "spam"]), "1");
    assert_eq!(store.cli(&["ltrim", "list", "1900", "-1"]), "OK");
    assert_eq!(store.cli(&["llen", "list"]), "100");
    assert_eq!(store.cli(&["del", "list"]), "1");
    fill();
    assert_eq!(store.cli(&["del", "list"]), "1");
    fill();
    assert_eq!(store.cli(&["set", "list", "a string"]), "OK");
    assert_eq!(store.cli(&["get", "list"]), "a string");
    let same = "y".repeat(1000);
    for _ in 0..20 {
        store.cli(&[&["rpush", "list2"], &[&*same; 100][..]].concat());
    }
    assert_eq!(store.cli(&["lrem", "list2", "-1500", &same]), "1500");
    assert_eq!(store.cli(&["lrem", "list2", "0", &same]), "500");
    assert_eq!(store.cli(&["dbsize"]), "1");
}
