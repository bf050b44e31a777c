//! Clients that send or read a byte at a time and never pause, beside a normal client.

use std::fs::File;
use std::thread;

use crate::support::cases::test;
use crate::support::client::{last_request, request};
use crate::support::process::unsent;
use crate::support::{Client, ONE_AT_A_TIME, Server, Store, TempDir, wait_until};

/// How a client is slow.
#[derive(Clone, Copy, Debug)]
enum Attack {
    /// Sends a head that never ends.
    Head,
    /// Sends a form that never ends.
    Body,
    /// Reads its answer a byte at a time.
    Reader,
}

struct SlowClient {
    client: Client,
    attack: Attack,
}

const ATTACKS: [Attack; 3] = [Attack::Head, Attack::Body, Attack::Reader];

/// Short, so that the test ends soon.
const DEADLINES: [&str; 6] =
    ["--header-timeout", "1", "--body-timeout", "1", "--send-timeout", "1"];

/// How many files, and how many pages of the guestbook, the normal client requests meanwhile.
const REQUESTS: usize = 20;

impl SlowClient {
    fn new(server: &Server, attack: Attack) -> SlowClient {
        let mut client = Client::with_small_buffer(server.port);
        match attack {
            Attack::Head => client.send("GET /hello.txt HTTP/1.1\r\nHost: x\r\nX: "),
            Attack::Body => client.send(
                "POST /guestbook HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n\r\nguest-name=",
            ),
            Attack::Reader => client.send(request("GET", "/big.bin")),
        }
        SlowClient { client, attack }
    }

    /// Sends or reads one more byte.
    fn go_on(&mut self) {
        match self.attack {
            Attack::Head | Attack::Body => self.client.send("x"),
            Attack::Reader => drop(self.client.read_some(1)),
        }
    }
}

test!(Architecture, slow_clients_are_cut_off_even_if_they_never_pause);
fn slow_clients_are_cut_off_even_if_they_never_pause(arch: &str) {
    let root = TempDir::new();
    root.write("hello.txt", "hello\n");
    let big = File::create(root.join("big.bin")).expect("a file");
    big.set_len(256 * 1024 * 1024).expect("a sparse file");
    let root = root.path().display().to_string();
    let store = Store::embedded();
    let words = [&["--root", &root][..], &DEADLINES].concat();
    let server = Server::start_small(arch, &store.url(), &words);
    assert_eq!(server.client().get("/hello.txt").status, 200);
    let before = server.await_idle();
    for attack in ATTACKS {
        let mut slow_clients: Vec<_> =
            (0..client_count(arch, &server)).map(|_| SlowClient::new(&server, attack)).collect();
        thread::scope(|scope| {
            let normal = scope.spawn(|| make_normal_requests(&server));
            wait_until(&format!("{before:?}, once slow clients are gone: {attack:?}"), || {
                slow_clients.iter_mut().for_each(SlowClient::go_on);
                normal.is_finished() && server.resources() == before
            });
        });
    }
    assert!(store.remarks().is_empty());
}

test!(Architecture, a_client_that_does_not_read_holds_little_of_the_kernels_memory);
fn a_client_that_does_not_read_holds_little_of_the_kernels_memory(arch: &str) {
    let root = TempDir::new();
    let big = File::create(root.join("big.bin")).expect("a file");
    big.set_len(256 * 1024 * 1024).expect("a sparse file");
    let root = root.path().display().to_string();
    let store = Store::embedded();
    let words = ["--root", &root, "--send-timeout", "3600"];
    let server = Server::start(arch, &store.url(), &words);
    let mut client = Client::with_small_buffer(server.port);
    client.send(request("GET", "/big.bin"));
    let client_port = client.stream.local_addr().expect("a socket").port();
    let (mut last, mut repeats) = (0, 0);
    wait_until("a send queue that no longer grows", || {
        let held = unsent(server.port, client_port).unwrap_or(0);
        repeats = if held == last && held > 0 { repeats + 1 } else { 0 };
        last = held;
        repeats == 5
    });
    // Without a limit, the kernel takes some megabytes.
    assert!(last < 768 * 1024, "{last} bytes are held for one client");
}

/// How many slow clients come: three times a pool's workers, or 250 if the server has no pool.
fn client_count(arch: &str, server: &Server) -> usize {
    match arch {
        ONE_AT_A_TIME => 3,
        _ if server.errors().contains(" workers:") => 24,
        _ => 250,
    }
}

/// Makes the requests of the normal client. In a pool, it waits until deadlines end slow clients.
fn make_normal_requests(server: &Server) {
    for _ in 0..REQUESTS {
        let mut client = server.client();
        client.send(last_request("/hello.txt"));
        assert_eq!(client.answer().body, b"hello\n");
        assert!(server.client().visit() > 0);
    }
}
