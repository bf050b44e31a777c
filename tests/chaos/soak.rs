//! Rounds of mixed load. After each, a server must have the same processes, threads and descriptors
//! as before, and no more memory.

use std::thread;
use std::time::Instant;

use fastrand::Rng;

use crate::journal::Journal;
use crate::support::client::{is_last, request, signature};
use crate::support::process::Process;
use crate::support::resources::Resources;
use crate::support::{Client, Kind, ONE_AT_A_TIME, Server, Store, TempDir, for_each_pair, pattern};
use crate::{duration, misbehaving, seed};

/// Connections that each client makes in a round.
const CONNECTIONS: usize = 8;

/// The largest number of requests on a connection.
const REQUESTS: usize = 12;

/// Clients at the same time.
const CLIENTS: u64 = 4;

/// Rounds before the measurement: memory that is used for the first time is no leak.
const WARM_UP: usize = 2;

/// The smallest number of rounds that are measured.
const ROUNDS: usize = 2;

/// How much memory can grow after the first rounds: an allocator takes memory from the kernel in
/// steps, and a process or thread that serves for the first time touches its own memory only then.
const GROWTH_BYTES: u64 = 512 * 1024;

/// How many connections to the store a pool can open during the measurement.
const STORE_CONNECTIONS: usize = 16;

/// What a server holds while it has no client.
struct Usage {
    resources: Resources,
    /// Listening sockets, and connections to the store.
    sockets: usize,
    /// Heap and stacks of all processes but the embedded store.
    server_bytes: u64,
    /// Heap and stacks of the embedded store.
    store_bytes: u64,
}

#[test]
fn rounds_of_mixed_load_leave_nothing_behind() {
    let root = TempDir::new();
    root.write("hello.txt", "hello\n");
    root.write("big.bin", pattern(200_000));
    let root = root.path().display().to_string();
    for_each_pair(|arch, kind| {
        let store = Store::new(kind);
        let words = ["--root", &root, "--header-timeout", "3", "--send-timeout", "3"];
        let server = Server::start_small(arch, &store.url(), &words);
        let mut journal = Journal::new(format!("{arch} on {kind:?}, seed {}", seed()));
        let began = Instant::now();
        let mut first: Option<Usage> = None;
        let mut rounds = 0;
        while rounds < WARM_UP + ROUNDS || began.elapsed() < duration() {
            round(&server, arch, rounds);
            rounds += 1;
            let usage = Usage::measure(&server);
            journal.note(usage.summary());
            match &first {
                Some(first) => usage.assert_no_more_than(first),
                None if rounds == WARM_UP => first = Some(usage),
                None => {}
            }
        }
        println!("{arch} on {kind:?}: {rounds} rounds, {}", journal.last());
        assert!(store.visitor_count() > 0 && !store.remarks().is_empty(), "the store was used");
        if kind == Kind::Embedded {
            assert_eq!(server.servers().len() + 1, server.supervisor().children().len());
        }
    });
}

/// One round of load: [`CLIENTS`] at the same time, or one if the server serves one at a time.
fn round(server: &Server, arch: &str, number: usize) {
    let clients = if arch == ONE_AT_A_TIME { 1 } else { CLIENTS };
    thread::scope(|scope| {
        for client in 0..clients {
            let seed = seed().wrapping_add((number as u64) << 32 | client << 16);
            let mut rng = Rng::with_seed(seed);
            scope.spawn(move || (0..CONNECTIONS).for_each(|_| connection(server, &mut rng)));
        }
    });
}

fn connection(server: &Server, rng: &mut Rng) {
    let mut client = server.client();
    if rng.u8(..4) == 0 {
        // Dropping it closes the connection of a client that is still connected.
        drop(misbehaving::misbehave(client, rng));
        return;
    }
    for _ in 0..rng.usize(1..=REQUESTS) {
        if !ask(&mut client, rng) {
            return;
        }
    }
}

/// Sends a random request, and checks the status of the answer. Returns whether the connection
/// stays open.
fn ask(client: &mut Client, rng: &mut Rng) -> bool {
    let with = |field: &str| format!("GET /big.bin HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n");
    let (asked, status) = match rng.u8(..14) {
        0..3 => (request("GET", "/hello.txt"), 200),
        3 => (request("GET", "/big.bin"), 200),
        4 => (with("Range: bytes=1000-90000"), 206),
        5 => (with("Range: bytes=0-9,150000-150009,-1"), 206),
        6 => (with("Range: bytes=900000-"), 416),
        7..9 => (request("GET", "/guestbook"), 200),
        9 => (signature("Ada", "a remark in passing"), 303),
        10 => (signature("", "who am I?"), 400),
        11 => (request("GET", "/missing"), 404),
        12 => (request("DELETE", "/hello.txt"), 405),
        _ => ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n".into(), 400),
    };
    client.send(&asked);
    let answer = client.answer();
    assert_eq!(answer.status, status, "{asked}");
    !is_last(&answer)
}

impl Usage {
    fn measure(server: &Server) -> Usage {
        let resources = server.await_idle();
        let (stores, servers): (Vec<_>, Vec<_>) =
            server.processes().into_iter().partition(|process| process.is_store());
        let sockets = servers.iter().flat_map(|process| process.descriptors());
        let bytes = |processes: &[Process]| processes.iter().map(|process| process.memory()).sum();
        Usage {
            resources,
            sockets: sockets.filter(|target| target.starts_with("socket:")).count(),
            server_bytes: bytes(&servers),
            store_bytes: bytes(&stores),
        }
    }

    #[track_caller]
    fn assert_no_more_than(&self, first: &Usage) {
        assert_eq!(self.resources, first.resources);
        assert!(self.sockets <= first.sockets + STORE_CONNECTIONS, "{} sockets", self.sockets);
        for (now, before) in
            [(self.server_bytes, first.server_bytes), (self.store_bytes, first.store_bytes)]
        {
            assert!(now <= before + GROWTH_BYTES, "memory grew from {before} to {now} bytes");
        }
    }

    fn summary(&self) -> String {
        format!(
            "{} processes, {} threads, {} descriptors, {} sockets; {} KiB, and the store {} KiB",
            self.resources.processes,
            self.resources.threads,
            self.resources.descriptors.values().sum::<usize>(),
            self.sockets,
            self.server_bytes / 1024,
            self.store_bytes / 1024
        )
    }
}
