//! Clients that take too long, by an operator's clock that is short.

use crate::support::client::request;
use crate::support::{Client, Server, Store, TempDir, for_each_architecture, wait_until};

/// So short that nobody waits long for it, and so long that a client who does not dawdle makes it
/// on a busy machine.
const SHORT: &str = "1";

#[test]
fn half_a_head_gets_408_and_whoever_waits_behind_it_is_served() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &["--header-timeout", SHORT]);
        let mut slow = server.client();
        slow.send("GET /hello.txt HTTP/1.1\r\nHost");
        let mut next = server.client();
        next.send(request("GET", "/hello.txt"));
        assert_eq!(slow.answer().status, 408);
        assert_eq!(slow.rest(), b"");
        // On its way out, the first is still listened to for a while: it has to go.
        drop(slow);
        assert_eq!(next.answer().status, 200);
        drop(next);
        let mut again = server.client();
        assert_eq!(again.get("/hello.txt").status, 200);
        again.send("G");
        let answer = again.answer();
        assert_eq!(answer.status, 408, "the head after a request has its time too");
        assert_eq!(answer.field("Connection"), Ok(Some(&b"close"[..])));
    });
}

#[test]
fn a_client_that_says_nothing_is_given_up() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(
            arch,
            &store.url(),
            &["--header-timeout", SHORT, "--keep-alive-timeout", SHORT],
        );
        let mut silent = server.client();
        let mut next = server.client();
        next.send(request("GET", "/hello.txt"));
        silent.until_gone();
        drop(silent);
        assert_eq!(next.answer().status, 200);
    });
}

#[test]
fn silence_on_a_kept_alive_connection_ends_it_without_a_word() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &["--keep-alive-timeout", SHORT]);
        let mut client = server.client();
        assert_eq!(client.get("/hello.txt").status, 200);
        assert_eq!(client.rest(), b"");
        drop(client);
        let words = ["--keep-alive-timeout", "0"];
        let server = Server::start(arch, &store.url(), &words);
        let mut client = server.client();
        let answer = client.get("/hello.txt");
        assert_eq!(answer.field("Connection"), Ok(Some(&b"close"[..])), "one request each");
        assert_eq!(client.rest(), b"");
    });
}

#[test]
fn half_a_body_gets_408() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &["--body-timeout", "0.3"]);
        let mut client = server.client();
        client.send(
            "POST /guestbook HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\nguest-name=Ada&guest",
        );
        assert_eq!(client.answer().status, 408);
        assert_eq!(client.rest(), b"");
        drop(client);
        assert_eq!(server.client().visit(), 1);
        assert!(store.remarks().is_empty());
    });
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_given_up() {
    let root = TempDir::new();
    root.write("hello.txt", "hello\n");
    let big = std::fs::File::create(root.join("big.bin")).expect("a file");
    big.set_len(256 * 1024 * 1024).expect("a sparse file");
    let folder = root.path().display().to_string();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let words = ["--root", &folder, "--send-timeout", "0.3"];
        let server = Server::start(arch, &store.url(), &words);
        let mut stuck = Client::narrow(server.port);
        stuck.send(request("GET", "/big.bin"));
        assert!(stuck.read_some(1000).expect("the first bytes") > 0);
        let client_port = stuck.stream.local_addr().expect("a socket").port();
        wait_until("a server that gives it up", || {
            let held = crate::support::process::socket_of(server.port, client_port);
            held.is_none_or(|socket| socket == "socket:[0]")
        });
        assert_eq!(server.client().get("/hello.txt").status, 200);
    });
}
