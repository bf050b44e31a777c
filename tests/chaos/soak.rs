//! Round after round of mixed load, each of which has to leave a server as it found it: the same
//! processes, threads and descriptors, and no more memory.

use std::thread;
use std::time::Instant;

use fastrand::Rng;

use crate::journal::Journal;
use crate::support::client::{is_last, request, signature};
use crate::support::process::Process;
use crate::support::server::Census;
use crate::support::{Client, Kind, ONE_AT_A_TIME, Server, Store, TempDir, for_each_pair, pattern};
use crate::{duration, nuisances, seed};

/// Connections that each client makes in a round.
const CONNECTIONS: usize = 8;

/// Requests to a connection, at the most.
const REQUESTS: usize = 12;

/// Clients at a time.
const CLIENTS: u64 = 4;

/// Rounds that are not measured: memory that is used for the first time is no leak.
const WARM_UP: usize = 2;

/// Rounds that are, at the least.
const ROUNDS: usize = 2;

/// What memory may grow by after the first rounds: an allocator takes it from the kernel in steps,
/// and a process or thread that had not served yet touches its own for the first time.
const GROWTH_BYTES: u64 = 512 * 1024;

/// Connections to the store that a pool may open as it goes.
const STORE_LINES: usize = 16;

/// What a server holds at rest.
struct Held {
    census: Census,
    /// Sockets that are not clients': those that listen, and connections to the store.
    sockets: usize,
    /// Memory, the store's apart.
    server_bytes: u64,
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
        let mut first: Option<Held> = None;
        let mut rounds = 0;
        while rounds < WARM_UP + ROUNDS || began.elapsed() < duration() {
            round(&server, arch, rounds);
            rounds += 1;
            let held = Held::of(&server);
            journal.note(held.line());
            match &first {
                Some(first) => held.assert_no_more_than(first),
                None if rounds == WARM_UP => first = Some(held),
                None => {}
            }
        }
        println!("{arch} on {kind:?}: {rounds} rounds, {}", journal.last());
        assert!(store.visitor_count() > 0 && !store.remarks().is_empty(), "a load on the store");
        if kind == Kind::Embedded {
            assert_eq!(server.servers().len() + 1, server.supervisor().children().len());
        }
    });
}

/// All kinds of clients, several at a time where a server can have them.
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
        // Whoever would stay is of no use here: it goes at once.
        drop(nuisances::call(client, rng));
        return;
    }
    for _ in 0..rng.usize(1..=REQUESTS) {
        if !ask(&mut client, rng) {
            return;
        }
    }
}

/// One request, and the answer that it has to get; whether there may be another.
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

impl Held {
    fn of(server: &Server) -> Held {
        let census = server.await_rest();
        let (stores, servers): (Vec<_>, Vec<_>) =
            server.processes().into_iter().partition(|process| process.is_store());
        let sockets = servers.iter().flat_map(|process| process.descriptors());
        let bytes = |processes: &[Process]| processes.iter().map(|process| process.memory()).sum();
        Held {
            census,
            sockets: sockets.filter(|target| target.starts_with("socket:")).count(),
            server_bytes: bytes(&servers),
            store_bytes: bytes(&stores),
        }
    }

    #[track_caller]
    fn assert_no_more_than(&self, first: &Held) {
        assert_eq!(self.census, first.census);
        assert!(self.sockets <= first.sockets + STORE_LINES, "{} sockets", self.sockets);
        for (now, before) in
            [(self.server_bytes, first.server_bytes), (self.store_bytes, first.store_bytes)]
        {
            assert!(now <= before + GROWTH_BYTES, "{now} bytes of memory, after {before}");
        }
    }

    fn line(&self) -> String {
        format!(
            "{} processes, {} threads, {} descriptors and {} sockets, {} KiB and the store {} KiB",
            self.census.processes,
            self.census.threads,
            self.census.descriptors.values().sum::<usize>(),
            self.sockets,
            self.server_bytes / 1024,
            self.store_bytes / 1024
        )
    }
}
