//! System calls that fail: the machine is short of descriptors or memory, or a signal interrupts.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::support::client::{last_request, signature};
use crate::support::process::Process;
use crate::support::strace::{Injection, is_allowed, is_injected};
use crate::support::{Client, Server, Store, TempDir, for_each_architecture, pattern, wait_until};

/// Failures of each kind that are waited for.
const ENOUGH: usize = 3;

/// Clients who come while calls fail, at the most.
const GUESTS: usize = 40;

/// Calls in which a process may wait.
const WAITS: &str = "poll,ppoll,epoll_wait,epoll_pwait,epoll_pwait2";

/// What may be short, at which calls. All errors are in the manual pages of the calls.
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
    // Once in each process, as it is by poll too that it waits for memory to come back.
    ("poll,ppoll", "ENOMEM:when=1"),
    (CLONE, "EAGAIN"),
];

/// Without these there is neither a new process nor a new thread.
const CLONE: &str = "clone,clone3";

/// A root with a file for each way of sending: from memory, and from the disk.
fn site() -> TempDir {
    let root = TempDir::new();
    root.write("hello.txt", "hello\n");
    root.write("big.bin", pattern(300_000));
    root
}

fn start(arch: &str, store: &Store, root: &TempDir) -> Server {
    let root = root.path().display().to_string();
    let server = Server::start_small(arch, &store.url(), &["--root", &root]);
    server.await_rest();
    server
}

/// The processes that serve: neither the supervisor nor the store.
fn serving(server: &Server) -> Vec<Process> {
    let mut processes = server.processes();
    processes.retain(|process| *process != server.supervisor() && !process.is_store());
    processes
}

/// Everything is as it should be, for clients who come now.
#[track_caller]
fn assert_serves(server: &Server) {
    assert_eq!(server.client().get("/hello.txt").body, b"hello\n");
    assert_eq!(server.client().get("/big.bin").body.len(), 300_000);
    // A store that could not be reached is tried again a little later.
    wait_until("a guestbook that is back", || {
        server.client().get("/guestbook").status == 200
            && server.client().sign("Ada", "back").status == 303
    });
}

#[test]
fn without_room_to_accept_clients_wait_in_the_queue_and_nobody_spins() {
    if !is_allowed() {
        return;
    }
    let root = site();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = start(arch, &store, &root);
        let servers = server.servers();
        for errno in ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"] {
            let injection = Injection::into(&serving(&server), "accept4", errno, WAITS);
            let mut client = server.client();
            client.send(last_request("/hello.txt"));
            wait_until("accepts that fail", || injection.count() >= ENOUGH);
            assert_paced(&injection.calls());
            drop(injection);
            assert_eq!(client.answer().status, 200, "it has waited in the queue");
            assert_serves(&server);
        }
        assert_eq!(server.servers(), servers, "{}", server.errors());
        // Each worker may say it once for each of the four.
        let said = server.errors().matches("can't accept a client just now").count();
        assert!((1..=4 * server.census().threads).contains(&said), "{}", server.errors());
    });
}

/// Whoever could not accept has waited before trying again.
#[track_caller]
fn assert_paced(calls: &[String]) {
    let mut waited = HashMap::new();
    for call in calls {
        let (process, what) = call.split_once(' ').expect("a process and its call");
        if is_injected(call) {
            let again = waited.insert(process, false) == Some(false);
            assert!(!again, "process {process} does not wait: {calls:#?}");
        } else if !what.trim_start().starts_with("accept4") {
            waited.insert(process, true);
        }
    }
}

#[test]
fn interrupted_calls_are_made_again_and_nobody_notices() {
    if !is_allowed() {
        return;
    }
    let root = site();
    let calls = format!("accept4,openat2,recvfrom,recvmsg,sendto,sendmsg,sendfile,{WAITS}");
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = start(arch, &store, &root);
        // Every other call of a process or thread, and so the next attempt succeeds.
        for (calls, how) in [(&calls[..], "EINTR:when=1+2"), ("openat2", "EAGAIN:when=1+2")] {
            let injection = Injection::into(&serving(&server), calls, how, "");
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
    });
}

#[test]
fn a_server_outlives_every_shortage_and_serves_again() {
    if !is_allowed() {
        return;
    }
    let root = site();
    let hit = Mutex::new(Vec::new());
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = start(arch, &store, &root);
        let servers = server.servers();
        for (calls, errno) in SHORTAGES {
            if ["socket", "connect"].contains(&calls) {
                // Who has a connection to the store needs no other.
                server.store().kill();
            }
            let said = server.errors().lines().count();
            let injection = Injection::into(&serving(&server), calls, errno, "");
            let mut guests = Vec::new();
            while guests.len() < GUESTS && injection.count() < ENOUGH {
                guests.push(guest(&server, guests.len()));
            }
            let what = format!("{calls} {errno}");
            if calls == CLONE {
                // Without a process of its own a guest waits.
                wait_until("a guest who is served, or has to wait", || {
                    guests[0].has_news() || injection.count() > 0
                });
            } else {
                guests.drain(..).for_each(|guest| assert_answered_or_ended(guest, &what));
            }
            if injection.count() > 0 {
                hit.lock().expect("a list").push((calls, errno));
            }
            drop(injection);
            guests.into_iter().for_each(|guest| assert_answered_or_ended(guest, &what));
            assert_serves(&server);
            let errors = server.errors();
            assert_eq!(server.servers(), servers, "{calls} {errno}: {errors}");
            assert!(errors.lines().count() < said + 30, "{calls} {errno}: {errors}");
        }
    });
    let hit = hit.into_inner().expect("a list");
    let missed: Vec<_> = SHORTAGES.iter().filter(|shortage| !hit.contains(shortage)).collect();
    assert!(missed.is_empty(), "no architecture makes these calls: {missed:?}");
}

#[test]
fn a_connection_to_the_store_that_cannot_be_handed_back_is_not_missed() {
    if !is_allowed() {
        return;
    }
    let root = site();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = start(arch, &store, &root);
        let injection = Injection::into(&serving(&server), "sendmsg", "ENOBUFS", "");
        // More than connections are shared by a pool.
        for _ in 0..20 {
            let mut client = server.client();
            client.send(last_request("/guestbook"));
            assert_answered_or_ended(client, "sendmsg ENOBUFS");
        }
        drop(injection);
        assert_serves(&server);
    });
}

/// Somebody who wants a file, large or small, or the guestbook.
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

/// It gets an answer that is true, or none; but it is not forgotten.
#[track_caller]
fn assert_answered_or_ended(mut guest: Client, what: &str) {
    match guest.try_answer(false) {
        Ok(answer) => {
            assert!([200, 303, 503].contains(&answer.status), "{what}: {}", answer.status)
        }
        Err(why) => assert!(!why.contains("temporarily"), "{what}: {why}"),
    }
}
