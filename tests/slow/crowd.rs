//! A crowd that never quite stops, beside one client that wants something.

use std::fs::File;
use std::thread;

use crate::support::client::{last_request, request};
use crate::support::process::unsent;
use crate::support::{
    Client, ONE_AT_A_TIME, Server, Store, TempDir, for_each_architecture, wait_until,
};

/// How a client is slow.
#[derive(Clone, Copy, Debug)]
enum Sort {
    /// Its head never ends.
    Head,
    /// Its form never ends.
    Body,
    /// It reads hardly anything.
    Reader,
}

struct Slow {
    client: Client,
    sort: Sort,
}

const SORTS: [Sort; 3] = [Sort::Head, Sort::Body, Sort::Reader];

/// Short, so that nobody waits long for the end.
const DEADLINES: [&str; 6] =
    ["--header-timeout", "1", "--body-timeout", "1", "--send-timeout", "1"];

/// What the one client asks for meanwhile.
const REQUESTS: usize = 20;

impl Slow {
    fn new(server: &Server, sort: Sort) -> Slow {
        let mut client = Client::narrow(server.port);
        match sort {
            Sort::Head => client.send("GET /hello.txt HTTP/1.1\r\nHost: x\r\nX: "),
            Sort::Body => client.send(
                "POST /guestbook HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n\r\nguest-name=",
            ),
            Sort::Reader => client.send(request("GET", "/big.bin")),
        }
        Slow { client, sort }
    }

    /// Goes on, by a byte.
    fn go_on(&mut self) {
        match self.sort {
            Sort::Head | Sort::Body => self.client.send("x"),
            Sort::Reader => drop(self.client.read_some(1)),
        }
    }
}

#[test]
fn slow_clients_are_cut_off_however_steadily_they_go_on() {
    let root = TempDir::new();
    root.write("hello.txt", "hello\n");
    let big = File::create(root.join("big.bin")).expect("a file");
    big.set_len(256 * 1024 * 1024).expect("a sparse file");
    let root = root.path().display().to_string();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let words = [&["--root", &root][..], &DEADLINES].concat();
        let server = Server::start_small(arch, &store.url(), &words);
        assert_eq!(server.client().get("/hello.txt").status, 200);
        let before = server.await_rest();
        for sort in SORTS {
            let mut crowd: Vec<_> =
                (0..size(arch, &server)).map(|_| Slow::new(&server, sort)).collect();
            thread::scope(|scope| {
                let served = scope.spawn(|| be_served(&server));
                wait_until(&format!("{before:?}, without those who are slow: {sort:?}"), || {
                    crowd.iter_mut().for_each(Slow::go_on);
                    served.is_finished() && server.census() == before
                });
            });
        }
        assert!(store.remarks().is_empty());
    });
}

#[test]
fn a_client_that_does_not_read_holds_little_of_the_kernels_memory() {
    let root = TempDir::new();
    let big = File::create(root.join("big.bin")).expect("a file");
    big.set_len(256 * 1024 * 1024).expect("a sparse file");
    let root = root.path().display().to_string();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let words = ["--root", &root, "--send-timeout", "3600"];
        let server = Server::start(arch, &store.url(), &words);
        let mut client = Client::narrow(server.port);
        client.send(request("GET", "/big.bin"));
        let client_port = client.stream.local_addr().expect("a socket").port();
        let (mut last, mut glances) = (0, 0);
        wait_until("a connection that takes no more", || {
            let held = unsent(server.port, client_port).unwrap_or(0);
            glances = if held == last && held > 0 { glances + 1 } else { 0 };
            last = held;
            glances == 5
        });
        // Left to itself, the kernel takes some megabytes.
        assert!(last < 768 * 1024, "{last} bytes are held for one client");
    });
}

/// So many that a pool is full thrice; several hundred where each client costs little.
fn size(arch: &str, server: &Server) -> usize {
    match arch {
        ONE_AT_A_TIME => 3,
        _ if server.errors().contains(" workers:") => 24,
        _ => 250,
    }
}

/// In a pool it has to wait for its turn, but no longer than others' deadlines.
fn be_served(server: &Server) {
    for _ in 0..REQUESTS {
        let mut client = server.client();
        client.send(last_request("/hello.txt"));
        assert_eq!(client.answer().body, b"hello\n");
        assert!(server.client().visit() > 0);
    }
}
