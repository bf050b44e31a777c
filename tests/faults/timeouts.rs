//! Clients and stores that exceed their timeouts.

use crate::fake::{Behaviour, FakeStore};
use crate::support::cases::test;
use crate::support::client::{request, signature};
use crate::support::process::socket_of;
use crate::support::{Client, ONE_AT_A_TIME, Server, Store, TempDir, wait_until};

/// A timeout in seconds: short, so that the tests end soon, and long enough for a normal client on
/// a busy machine.
const SHORT: &str = "1";

/// A timeout of an hour, which no test waits for.
const LONG: &str = "3600";

/// Waits until the server has closed its end of a connection that the client has not closed.
fn await_end(server: &Server, client: &Client) {
    let client_port = client.stream.local_addr().expect("a socket").port();
    wait_until("a server that has closed its end", || {
        let held = socket_of(server.port, client_port);
        held.is_none_or(|socket| socket == "socket:[0]")
    });
}

test!(Architecture, half_a_head_gets_408_and_the_next_client_is_served);
fn half_a_head_gets_408_and_the_next_client_is_served(arch: &str) {
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &["--header-timeout", SHORT]);
    let mut slow = server.client();
    slow.send("GET /hello.txt HTTP/1.1\r\nHost");
    let mut next = server.client();
    next.send(request("GET", "/hello.txt"));
    assert_eq!(slow.answer().status, 408);
    assert_eq!(slow.read_to_end(), b"");
    // The server lingers on the first connection until its client leaves.
    drop(slow);
    assert_eq!(next.answer().status, 200);
    drop(next);
    let mut again = server.client();
    assert_eq!(again.get("/hello.txt").status, 200);
    again.send("G");
    let answer = again.answer();
    assert_eq!(answer.status, 408, "the head of a second request has a timeout, too");
    assert_eq!(answer.field("Connection"), Ok(Some(&b"close"[..])));
}

test!(Architecture, a_silent_client_is_disconnected);
fn a_silent_client_is_disconnected(arch: &str) {
    let store = Store::embedded();
    let server = Server::start(
        arch,
        &store.url(),
        &["--header-timeout", SHORT, "--keep-alive-timeout", SHORT],
    );
    let mut silent = server.client();
    let mut next = server.client();
    next.send(request("GET", "/hello.txt"));
    silent.read_until_closed();
    drop(silent);
    assert_eq!(next.answer().status, 200);
}

test!(Architecture, a_client_that_sends_no_byte_gets_408_before_one_that_has_begun);
fn a_client_that_sends_no_byte_gets_408_before_one_that_has_begun(arch: &str) {
    let store = Store::embedded();
    let words = ["--first-byte-timeout", SHORT, "--header-timeout", LONG];
    let server = Server::start(arch, &store.url(), &words);
    let mut begun = server.client();
    if arch != ONE_AT_A_TIME {
        begun.send("G");
    }
    let mut silent = server.client();
    assert_eq!(silent.answer().status, 408);
    assert_eq!(silent.read_to_end(), b"");
    drop(silent);
    if arch != ONE_AT_A_TIME {
        assert!(!begun.is_closed(), "the timeout of its head is an hour");
        begun.send(&request("GET", "/hello.txt")[1..]);
        assert_eq!(begun.answer().status, 200);
    }
}

test!(Architecture, an_idle_connection_is_closed_without_an_answer);
fn an_idle_connection_is_closed_without_an_answer(arch: &str) {
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &["--keep-alive-timeout", SHORT]);
    let mut client = server.client();
    assert_eq!(client.get("/hello.txt").status, 200);
    assert_eq!(client.read_to_end(), b"");
    drop(client);
    let words = ["--keep-alive-timeout", "0"];
    let server = Server::start(arch, &store.url(), &words);
    let mut client = server.client();
    let answer = client.get("/hello.txt");
    let close = Ok(Some(&b"close"[..]));
    assert_eq!(answer.field("Connection"), close, "without keep-alive, each answer is the last");
    assert_eq!(client.read_to_end(), b"");
}

test!(Architecture, half_a_body_gets_408);
fn half_a_body_gets_408(arch: &str) {
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &["--body-timeout", "0.3"]);
    let mut client = server.client();
    client.send(
        "POST /guestbook HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\nguest-name=Ada&guest",
    );
    assert_eq!(client.answer().status, 408);
    assert_eq!(client.read_to_end(), b"");
    drop(client);
    assert_eq!(server.client().visit(), 1);
    assert!(store.remarks().is_empty());
}

test!(Architecture, a_body_extends_its_deadline_by_the_configured_rate);
fn a_body_extends_its_deadline_by_the_configured_rate(arch: &str) {
    let store = Store::embedded();
    let words = ["--body-timeout", SHORT, "--body-rate", "1"];
    let server = Server::start(arch, &store.url(), &words);
    let whole = signature("Ada", "a remark that is worth most of a minute");
    let head = whole.find("guest-name").expect("a body");
    let mut client = server.client();
    client.send(&whole[..whole.len() - 1]);
    if arch != ONE_AT_A_TIME {
        // Meanwhile, a client that sends no byte of its body times out.
        let mut without_body = server.client();
        without_body.send(&whole[..head]);
        assert_eq!(without_body.answer().status, 408);
        assert!(!client.is_closed(), "each byte extends the deadline by a second");
    }
    client.send(&whole[whole.len() - 1..]);
    assert_eq!(client.answer().status, 303);
}

test!(Architecture, a_client_that_does_not_read_its_answer_is_disconnected);
fn a_client_that_does_not_read_its_answer_is_disconnected(arch: &str) {
    let root = TempDir::new();
    root.write("hello.txt", "hello\n");
    let big = std::fs::File::create(root.join("big.bin")).expect("a file");
    big.set_len(256 * 1024 * 1024).expect("a sparse file");
    let folder = root.path().display().to_string();
    let store = Store::embedded();
    // 256 KiB extend the deadline by a fortieth of a second.
    let words = ["--root", &folder, "--send-timeout", "0.3", "--send-rate", "10m"];
    let server = Server::start(arch, &store.url(), &words);
    let mut stuck = Client::with_small_buffer(server.port);
    stuck.send(request("GET", "/big.bin"));
    assert!(stuck.read_some(1000).expect("the first bytes") > 0);
    await_end(&server, &stuck);
    assert_eq!(server.client().get("/hello.txt").status, 200);
}

test!(Architecture, the_server_lingers_on_a_refused_client_as_long_as_configured);
fn the_server_lingers_on_a_refused_client_as_long_as_configured(arch: &str) {
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &["--linger-timeout", "0.3"]);
    let mut client = server.client();
    client.send("nonsense\r\n\r\n");
    assert_eq!(client.answer().status, 400);
    assert_eq!(client.read_to_end(), b"", "the server has shut its sending side");
    await_end(&server, &client);
    if arch == ONE_AT_A_TIME {
        return;
    }
    let server = Server::start(arch, &store.url(), &["--linger-timeout", LONG]);
    let mut client = server.client();
    client.send("nonsense\r\n\r\n");
    assert_eq!(client.answer().status, 400);
    assert_eq!(client.read_to_end(), b"");
    assert_eq!(server.client().get("/hello.txt").status, 200);
    let held = socket_of(server.port, client.stream.local_addr().expect("a socket").port());
    assert!(held.is_some_and(|socket| socket != "socket:[0]"), "the server still reads");
}

test!(Architecture, the_store_times_out_as_configured);
fn the_store_times_out_as_configured(arch: &str) {
    let fake = FakeStore::start();
    // A timeout shorter than the interval at which blocking workers check deadlines.
    let server = Server::start(arch, &fake.url(), &["--store-timeout", "0.15"]);
    fake.behave(Behaviour::Silent);
    let mut client = server.client();
    assert_eq!(client.get("/guestbook").status, 503);
    assert_eq!(client.get("/hello.txt").status, 200);
    fake.behave(Behaviour::Good);
    wait_until("a guestbook that works again", || client.get("/guestbook").status == 200);
}
