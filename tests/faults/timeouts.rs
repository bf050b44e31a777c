//! Clients that take too long, by an operator's clock that is short.

use crate::fake::{Fake, Manner};
use crate::support::client::{request, signature};
use crate::support::process::socket_of;
use crate::support::{
    Client, ONE_AT_A_TIME, Server, Store, TempDir, for_each_architecture, wait_until,
};

/// So short that nobody waits long for it, and so long that a client who does not dawdle makes it
/// on a busy machine.
const SHORT: &str = "1";

/// An hour, which no test waits.
const LONG: &str = "3600";

/// Waits until the server has closed its end, whatever the client does with its own.
fn await_end(server: &Server, client: &Client) {
    let client_port = client.stream.local_addr().expect("a socket").port();
    wait_until("a server that has closed its end", || {
        let held = socket_of(server.port, client_port);
        held.is_none_or(|socket| socket == "socket:[0]")
    });
}

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
fn a_client_that_never_begins_gets_408_and_one_that_did_stays() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let words = ["--first-byte-timeout", SHORT, "--header-timeout", LONG];
        let server = Server::start(arch, &store.url(), &words);
        let mut begun = server.client();
        if arch != ONE_AT_A_TIME {
            begun.send("G");
        }
        let mut silent = server.client();
        assert_eq!(silent.answer().status, 408);
        assert_eq!(silent.rest(), b"");
        drop(silent);
        if arch != ONE_AT_A_TIME {
            assert!(!begun.is_closed(), "its head has an hour");
            begun.send(&request("GET", "/hello.txt")[1..]);
            assert_eq!(begun.answer().status, 200);
        }
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
fn a_body_earns_time_by_the_rate_that_is_set() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let words = ["--body-timeout", SHORT, "--body-rate", "1"];
        let server = Server::start(arch, &store.url(), &words);
        let whole = signature("Ada", "a remark that is worth most of a minute");
        let head = whole.find("guest-name").expect("a body");
        let mut client = server.client();
        client.send(&whole[..whole.len() - 1]);
        if arch != ONE_AT_A_TIME {
            // Another one who has earned nothing is given up meanwhile.
            let mut poor = server.client();
            poor.send(&whole[..head]);
            assert_eq!(poor.answer().status, 408);
            assert!(!client.is_closed(), "each byte earns a second");
        }
        client.send(&whole[whole.len() - 1..]);
        assert_eq!(client.answer().status, 303);
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
        // A piece of 256 KiB earns a fortieth of a second.
        let words = ["--root", &folder, "--send-timeout", "0.3", "--send-rate", "10m"];
        let server = Server::start(arch, &store.url(), &words);
        let mut stuck = Client::narrow(server.port);
        stuck.send(request("GET", "/big.bin"));
        assert!(stuck.read_some(1000).expect("the first bytes") > 0);
        await_end(&server, &stuck);
        assert_eq!(server.client().get("/hello.txt").status, 200);
    });
}

#[test]
fn a_refused_client_that_stays_is_waited_for_as_long_as_is_set() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &["--linger-timeout", "0.3"]);
        let mut client = server.client();
        client.send("nonsense\r\n\r\n");
        assert_eq!(client.answer().status, 400);
        assert_eq!(client.rest(), b"", "we have said all");
        await_end(&server, &client);
        if arch == ONE_AT_A_TIME {
            return;
        }
        let server = Server::start(arch, &store.url(), &["--linger-timeout", LONG]);
        let mut client = server.client();
        client.send("nonsense\r\n\r\n");
        assert_eq!(client.answer().status, 400);
        assert_eq!(client.rest(), b"");
        assert_eq!(server.client().get("/hello.txt").status, 200);
        let held = socket_of(server.port, client.stream.local_addr().expect("a socket").port());
        assert!(held.is_some_and(|socket| socket != "socket:[0]"), "it may yet send");
    });
}

#[test]
fn a_store_has_as_long_as_is_set() {
    for_each_architecture(|arch| {
        let fake = Fake::start();
        // Less than a tick of those who wait for it by blocking.
        let server = Server::start(arch, &fake.url(), &["--store-timeout", "0.15"]);
        fake.behave(Manner::Silent);
        let mut client = server.client();
        assert_eq!(client.get("/guestbook").status, 503);
        assert_eq!(client.get("/hello.txt").status, 200);
        fake.behave(Manner::Good);
        wait_until("a guestbook that heals", || client.get("/guestbook").status == 200);
    });
}
