//! System calls that are made to fail as they do when the machine is short of descriptors or
//! memory, or when a signal interrupts them.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::support::cases::test;
use crate::support::client::{last_request, signature};
use crate::support::process::Process;
use crate::support::strace::{Injection, is_allowed, is_injected};
use crate::support::{Client, Server, Store, TempDir, for_each_architecture, pattern, wait_until};

/// How many failures of each kind a test waits for.
const ENOUGH: usize = 3;

/// The largest number of clients that connect while calls fail.
const GUESTS: usize = 40;

/// Calls in which a process can wait.
const WAIT_CALLS: &str = "poll,ppoll,epoll_wait,epoll_pwait,epoll_pwait2";

/// Calls, and errors by which they report a shortage. The manual pages of the calls list the
/// errors.
const SHORTAGES: [(&str, &str); 16] = [
    ("recvfrom", "ENOMEM"),
    ("recvmsg", "ENOMEM"),
    ("sendto,sendmsg", "ENOBUFS"),
    ("sendto,sendmsg", "ENOMEM"),
    ("sendfile", "ENOMEM"),
    ("sendfile", "EIO"),
    ("openat2", "EMFILE"),
    ("openat2", "ENFILE"),
    ("openat2", "ENOMEM"),
    ("socket", "EMFILE"),
    ("socket", "ENOBUFS"),
    ("connect", "EAGAIN"),
    ("epoll_ctl", "ENOMEM"),
    ("epoll_ctl", "ENOSPC"),
    // Only the first call of each process fails: a process short of memory pauses in poll, too.
    ("poll,ppoll", "ENOMEM:when=1"),
    (CLONE, "EAGAIN"),
];

/// Errors of accept4(2), and their texts in messages. Only the first four are shortages; a firewall
/// or a security module can cause others.
const ACCEPT_ERRORS: [(&str, &str); 8] = [
    ("EMFILE", "Too many open files"),
    ("ENFILE", "Too many open files in system"),
    ("ENOBUFS", "No buffer space"),
    ("ENOMEM", "Cannot allocate memory"),
    ("EPERM", "Operation not permitted"),
    ("EOPNOTSUPP", "Operation not supported"),
    ("ENETDOWN", "Network is down"),
    ("EIO", "Input/output error"),
];

/// The calls that create a process or a thread.
const CLONE: &str = "clone,clone3";

/// A root with a file that is sent from memory, and one that is sent from the disk.
fn site() -> TempDir {
    let root = TempDir::new();
    root.write("hello.txt", "hello\n");
    root.write("big.bin", pattern(300_000));
    root
}

fn start(arch: &str, store: &Store, root: &TempDir) -> Server {
    let root = root.path().display().to_string();
    let server = Server::start_small(arch, &store.url(), &["--root", &root]);
    server.await_idle();
    server
}

/// The processes that serve: neither the supervisor nor the store.
fn serving_processes(server: &Server) -> Vec<Process> {
    let mut processes = server.processes();
    processes.retain(|process| *process != server.supervisor() && !process.is_store());
    processes
}

/// Checks that new clients get files and the guestbook.
#[track_caller]
fn assert_serves(server: &Server) {
    assert_eq!(server.client().get("/hello.txt").body, b"hello\n");
    assert_eq!(server.client().get("/big.bin").body.len(), 300_000);
    // If a server could not reach the store, it tries again a little later.
    wait_until("a guestbook that works again", || {
        server.client().get("/guestbook").status == 200
            && server.client().sign("Ada", "back").status == 303
    });
}

test!(Architecture, while_accept_fails_clients_wait_in_the_queue_and_no_process_spins);
fn while_accept_fails_clients_wait_in_the_queue_and_no_process_spins(arch: &str) {
    if !is_allowed() {
        return;
    }
    let root = site();
    let store = Store::embedded();
    let server = start(arch, &store, &root);
    let servers = server.servers();
    for (errno, reason) in ACCEPT_ERRORS {
        let injection = Injection::start(&serving_processes(&server), "accept4", errno, WAIT_CALLS);
        let mut client = server.client();
        client.send(last_request("/hello.txt"));
        wait_until("accepts that fail", || injection.count() >= ENOUGH);
        assert_paced(&injection.calls());
        drop(injection);
        assert_eq!(client.answer().status, 200, "the client has waited in the queue");
        let message = format!("can't accept a client just now: {reason}");
        wait_until(&message, || server.errors().contains(&message));
    }
    assert_serves(&server);
    assert_eq!(server.servers(), servers, "{}", server.errors());
    // Each error is reported at most once in a while.
    let reports = server.errors().matches("can't accept a client just now").count();
    assert!(reports <= 2 * ACCEPT_ERRORS.len(), "{}", server.errors());
}

/// Checks that a thread that could not accept has waited before its next attempt.
#[track_caller]
fn assert_paced(calls: &[String]) {
    let mut has_waited = HashMap::new();
    for line in calls {
        let (thread, call) = line.split_once(' ').expect("a thread and its call");
        if is_injected(line) {
            let failed_twice = has_waited.insert(thread, false) == Some(false);
            assert!(!failed_twice, "thread {thread} does not wait: {calls:#?}");
        } else if !call.trim_start().starts_with("accept4") {
            has_waited.insert(thread, true);
        }
    }
}

test!(Architecture, interrupted_calls_are_repeated_and_no_client_notices);
fn interrupted_calls_are_repeated_and_no_client_notices(arch: &str) {
    if !is_allowed() {
        return;
    }
    let root = site();
    let calls = format!("accept4,openat2,recvfrom,recvmsg,sendto,sendmsg,sendfile,{WAIT_CALLS}");
    let store = Store::embedded();
    let server = start(arch, &store, &root);
    // Every other call of a thread fails, so the next attempt succeeds.
    for (calls, error) in [(&calls[..], "EINTR:when=1+2"), ("openat2", "EAGAIN:when=1+2")] {
        let injection = Injection::start(&serving_processes(&server), calls, error, "");
        for number in 0..5 {
            let mut client = server.client();
            assert_eq!(client.get("/hello.txt").body, b"hello\n");
            assert_eq!(client.get("/big.bin").body.len(), 300_000);
            assert_eq!(client.get("/missing").status, 404);
            assert!(client.visit() > number);
            assert_eq!(client.sign("Ada", "interrupted").status, 303);
        }
        assert!(injection.count() >= ENOUGH, "{:#?}", injection.calls());
    }
    assert_eq!(store.remarks().len(), 10);
}

test!(Once, a_server_survives_every_shortage_and_serves_again);
fn a_server_survives_every_shortage_and_serves_again() {
    if !is_allowed() {
        return;
    }
    let root = site();
    // The shortages that have occurred on some architecture.
    let occurred = Mutex::new(Vec::new());
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = start(arch, &store, &root);
        let servers = server.servers();
        for (calls, errno) in SHORTAGES {
            if ["socket", "connect"].contains(&calls) {
                // A server makes these calls only if it has no connection to the store.
                server.store().kill();
            }
            let lines_before = server.errors().lines().count();
            let injection = Injection::start(&serving_processes(&server), calls, errno, "");
            let mut guests = Vec::new();
            while guests.len() < GUESTS && injection.count() < ENOUGH {
                guests.push(guest(&server, guests.len()));
            }
            let what = format!("{calls} {errno}");
            if calls == CLONE {
                // If the server creates a process or thread for each client, the guest has to wait.
                wait_until("a guest that is served, or a call that fails", || {
                    guests[0].has_input_or_end() || injection.count() > 0
                });
            } else {
                guests.drain(..).for_each(|guest| assert_answered_or_ended(guest, &what));
            }
            if injection.count() > 0 {
                occurred.lock().expect("a list").push((calls, errno));
            }
            drop(injection);
            guests.into_iter().for_each(|guest| assert_answered_or_ended(guest, &what));
            assert_serves(&server);
            let errors = server.errors();
            assert_eq!(server.servers(), servers, "{calls} {errno}: {errors}");
            assert!(errors.lines().count() < lines_before + 30, "{calls} {errno}: {errors}");
        }
    });
    let occurred = occurred.into_inner().expect("a list");
    let missing: Vec<_> =
        SHORTAGES.iter().filter(|shortage| !occurred.contains(shortage)).collect();
    assert!(missing.is_empty(), "no architecture makes these calls: {missing:?}");
}

test!(Architecture, a_store_connection_that_cannot_be_returned_is_replaced);
fn a_store_connection_that_cannot_be_returned_is_replaced(arch: &str) {
    if !is_allowed() {
        return;
    }
    let root = site();
    let store = Store::embedded();
    let server = start(arch, &store, &root);
    let injection = Injection::start(&serving_processes(&server), "sendmsg", "ENOBUFS", "");
    // More requests than a pool has connections to the store.
    for _ in 0..20 {
        let mut client = server.client();
        client.send(last_request("/guestbook"));
        assert_answered_or_ended(client, "sendmsg ENOBUFS");
    }
    drop(injection);
    assert_serves(&server);
}

/// A client that has sent a request: for a small or large file, a visit, or a signature.
fn guest(server: &Server, number: usize) -> Client {
    let mut client = server.client();
    client.send(match number % 4 {
        0 => last_request("/hello.txt"),
        1 => last_request("/guestbook"),
        2 => last_request("/big.bin"),
        _ => signature("Ada", "in need"),
    });
    client.stop_sending();
    client
}

/// Checks that a client gets a valid answer or is disconnected, and does not wait in vain.
#[track_caller]
fn assert_answered_or_ended(mut guest: Client, what: &str) {
    match guest.try_answer(false) {
        Ok(answer) => {
            assert!([200, 303, 503].contains(&answer.status), "{what}: {}", answer.status)
        }
        Err(why) => assert!(!why.contains("temporarily"), "{what}: {why}"),
    }
}
