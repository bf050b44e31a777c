//! Clients that send many requests before they read answers.

use std::io::{Read, Write};
use std::thread;

use crate::support::cases::test;
use crate::support::client::{last_request, request};
use crate::support::script::read_answer;
use crate::support::{Client, Server, Store, TempDir, wait_until};

/// Fewer than the default of `--max-requests`.
const REQUESTS: usize = 80_000;
/// The length of all requests together.
const BYTES: usize = 10 * 1024 * 1024;

/// All requests, each with a field that makes it long enough.
fn requests() -> Vec<u8> {
    let padded = |number: usize| {
        let bare = "GET /hello.txt HTTP/1.1\r\nHost: test\r\nX: \r\n\r\n";
        let padding = "x".repeat((BYTES / REQUESTS).saturating_sub(bare.len()));
        let end = if number + 1 == REQUESTS { "Connection: close\r\n" } else { "" };
        format!("GET /hello.txt HTTP/1.1\r\nHost: test\r\n{end}X: {padding}\r\n\r\n")
    };
    (0..REQUESTS).map(padded).collect::<String>().into_bytes()
}

test!(Architecture, a_client_that_sends_80_000_requests_and_reads_meanwhile_gets_all_answers);
fn a_client_that_sends_80_000_requests_and_reads_meanwhile_gets_all_answers(arch: &str) {
    let requests = requests();
    assert!(requests.len() >= BYTES - REQUESTS, "{}", requests.len());
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &[]);
    let Client { stream, .. } = server.client();
    let mut sending = stream.try_clone().expect("a socket");
    let mut input = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| sending.write_all(&requests).expect("a server that reads"));
        (&stream).read_to_end(&mut input).expect("a server that answers");
    });
    let (mut rest, mut answers) = (&input[..], 0);
    while let Some((answer, used)) = read_answer(rest, false).expect("HTTP") {
        assert_eq!((answer.status, &answer.body[..]), (200, &b"hello\n"[..]));
        (rest, answers) = (&rest[used..], answers + 1);
    }
    assert_eq!((answers, rest.len()), (REQUESTS, 0));
}

test!(Architecture, a_client_that_never_reads_uses_little_memory_and_is_disconnected);
fn a_client_that_never_reads_uses_little_memory_and_is_disconnected(arch: &str) {
    let root = TempDir::new();
    root.write("page.txt", vec![b'x'; 60 * 1024]);
    let folder = root.path().display().to_string();
    let store = Store::embedded();
    let words = ["--root", &folder, "--send-timeout", "2", "--send-rate", "1073741824"];
    let server = Server::start(arch, &store.url(), &words);
    let memory = || server.processes().iter().map(|process| process.memory()).sum::<u64>();
    let (before, mut most) = (memory(), 0);
    let client = Client::with_small_buffer(server.port);
    let mut sending = client.stream.try_clone().expect("a socket");
    let pipeline = request("GET", "/page.txt").repeat(BYTES / 40);
    thread::scope(|scope| {
        // The sender is blocked until the server disconnects it, then fails.
        let sender = scope.spawn(move || sending.write_all(pipeline.as_bytes()));
        wait_until("a client that is disconnected", || {
            most = most.max(memory());
            sender.is_finished()
        });
        let outcome = sender.join().expect("a thread");
        assert!(outcome.is_err(), "the server has read all of it");
    });
    wait_until("a server without clients", || server.resources().client_sockets == 0);
    assert!(most < before + 8 * 1024 * 1024, "{before} bytes before, {most} meanwhile");
    let mut next = server.client();
    next.send(last_request("/page.txt"));
    assert_eq!(next.answer().status, 200);
}
