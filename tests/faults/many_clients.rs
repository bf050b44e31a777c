//! Many clients at the same time: idle, slow, or with long answers.

use crate::support::cases::test;
use crate::support::client::{is_last, last_request, request};
use crate::support::server::takes_workers;
use crate::support::{Client, ONE_AT_A_TIME, Server, Store, TempDir, pattern, wait_until};

test!(Architecture, silent_and_slow_clients_do_not_block_others);
fn silent_and_slow_clients_do_not_block_others(arch: &str) {
    let root = TempDir::new();
    root.write("hello.txt", "hello\n");
    let big = std::fs::File::create(root.join("big.bin")).expect("a file");
    big.set_len(256 * 1024 * 1024).expect("a sparse file");
    let folder = root.path().display().to_string();
    if arch == ONE_AT_A_TIME {
        return;
    }
    let store = Store::embedded();
    let hour = "--first-byte-timeout 3600 --header-timeout 3600 --send-timeout 3600";
    let words: Vec<_> = ["--root", &folder].into_iter().chain(hour.split(' ')).collect();
    let server = Server::start(arch, &store.url(), &words);
    let idle: Vec<_> = (0..61)
        .map(|number| {
            let mut client = Client::with_small_buffer(server.port);
            match number {
                0 => client.send(request("GET", "/big.bin")),
                1..31 => client.send("GET /hello.txt HTTP/1.1\r\nHo"),
                _ => {}
            }
            client
        })
        .collect();
    wait_until("a server that has accepted them all", || {
        server.resources().client_sockets == idle.len()
    });
    let mut client = server.client();
    for number in 1..=5 {
        assert_eq!(client.get("/hello.txt").body, b"hello\n");
        assert_eq!(client.visit(), number);
    }
    // None of the idle and slow clients was disconnected.
    assert!(!idle.iter().any(Client::is_closed));
}

test!(Architecture, many_long_answers_at_the_same_time_arrive_complete);
fn many_long_answers_at_the_same_time_arrive_complete(arch: &str) {
    let root = TempDir::new();
    let big = pattern(12 * 1024 * 1024);
    root.write("big.bin", &big);
    root.write("hello.txt", "hello\n");
    let folder = root.path().display().to_string();
    let store = Store::embedded();
    let hour = "--send-timeout 3600 --first-byte-timeout 3600 --keep-alive-timeout 3600";
    let words: Vec<_> = ["--root", &folder].into_iter().chain(hour.split(' ')).collect();
    let server = Server::start(arch, &store.url(), &words);
    let mut clients: Vec<_> = (0..12).map(|_| server.client()).collect();
    for last in [false, true] {
        if arch == ONE_AT_A_TIME && !last {
            continue;
        }
        let asked = if last { last_request("/big.bin") } else { request("GET", "/big.bin") };
        clients.iter_mut().for_each(|client| client.send(&asked));
        for client in &mut clients {
            assert!(client.answer().body == big);
            if !last {
                assert_eq!(client.get("/hello.txt").body, b"hello\n");
            }
        }
    }
}

test!(Architecture, idle_clients_of_a_pool_make_room_for_new_ones);
fn idle_clients_of_a_pool_make_room_for_new_ones(arch: &str) {
    let store = Store::embedded();
    let words: &[&str] = if takes_workers(arch) { &["--workers", "4"] } else { &[] };
    let server = Server::start(arch, &store.url(), words);
    // A server of one client at a time keeps each of them for a tenth of a second.
    let connections = if arch == ONE_AT_A_TIME { 30 } else { 300 };
    let mut idle = Vec::new();
    for _ in 0..connections {
        let mut client = server.client();
        let answer = client.get("/hello.txt");
        assert_eq!(answer.status, 200);
        if !is_last(&answer) {
            idle.push(client);
        }
    }
    assert!(idle.len() >= connections / 2, "only {} of {connections} were kept alive", idle.len());
    assert_eq!(server.client().get("/hello.txt").status, 200);
    assert!(server.client().visit() > 0);
}
