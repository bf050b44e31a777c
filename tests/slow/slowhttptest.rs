//! The tool that made these attacks known, and what a normal client feels of them. Not run unless
//! asked for: it takes minutes, and measures.

use std::fs::File;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::last_request;
use crate::support::{Client, Server, Store, TempDir};

/// Where a thousand clients are no reason for anybody to wait.
const ARCHITECTURES: [&str; 3] = ["threaded", "poll", "epoll"];

const CONNECTIONS: &str = "1000";

/// A normal client comes this often.
const PERIOD: Duration = Duration::from_millis(10);

/// Its mode, and what it is told beside.
const MODES: [(&str, &[&str]); 3] = [
    ("-H", &["-u", "/hello.txt"]),
    ("-B", &["-s", "8192", "-t", "POST", "-u", "/guestbook"]),
    ("-X", &["-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-u", "/big.bin"]),
];

#[test]
#[ignore = "it takes minutes, and measures; see docs/testing.md"]
fn a_normal_client_beside_a_thousand_slow_ones() {
    let root = TempDir::new();
    root.write("hello.txt", "hello\n");
    let big = File::create(root.join("big.bin")).expect("a file");
    big.set_len(64 * 1024 * 1024).expect("a sparse file");
    let root = root.path().display().to_string();
    for arch in ARCHITECTURES {
        for (mode, words) in MODES {
            let store = Store::embedded();
            let server = Server::start(arch, &store.url(), &["--root", &root]);
            assert_eq!(server.client().get("/hello.txt").status, 200);
            let before = at_rest(&server);
            let Felt { mut times, most, cut_s } = attack(&server, mode, words);
            times.sort_unstable();
            let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
            println!(
                "{arch:8} {mode}: up to {most} connections, all cut off after {cut_s:.0} s; {} \
                 requests of another: p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
                times.len(),
                at(50),
                at(99),
                at(100)
            );
            assert_eq!(at_rest(&server), before);
        }
    }
}

/// What a server holds once all clients are gone.
#[track_caller]
fn at_rest(server: &Server) -> crate::support::server::Census {
    crate::support::wait_for("a server without clients", || {
        let census = server.census();
        (census.client_sockets == 0 && census.threads <= 2).then_some(census)
    })
}

/// What a normal client felt of it.
#[derive(Default)]
struct Felt {
    /// How long each of its requests took.
    times: Vec<Duration>,
    /// The most clients that the server was seen to have.
    most: usize,
    /// When it was last seen to have more than a few.
    cut_s: f64,
}

/// Has the tool at it until it has no connection left.
fn attack(server: &Server, mode: &str, words: &[&str]) -> Felt {
    let site = format!("http://127.0.0.1:{}", server.port);
    let words = words.iter().map(|word| match word.starts_with('/') {
        true => format!("{site}{word}"),
        false => word.to_string(),
    });
    let mut command = Command::new("slowhttptest");
    command.args([mode, "-c", CONNECTIONS, "-r", "500", "-i", "2", "-l", "60", "-p", "5"]);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
    let mut tool = command.spawn().expect("slowhttptest (`apt-get install slowhttptest`)");
    let (end, over) = channel();
    thread::scope(|scope| {
        let normal = scope.spawn(move || measure(server, &over));
        tool.wait().expect("a child of ours");
        drop(end);
        normal.join().expect("times")
    })
}

/// One request after the other, each on a connection of its own; now and then the others are
/// counted.
fn measure(server: &Server, over: &Receiver<()>) -> Felt {
    const FEW: usize = 5;
    let mut felt = Felt::default();
    let start = Instant::now();
    while over.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        let began = Instant::now();
        let mut client = Client::connect(server.port);
        client.send(last_request("/hello.txt"));
        assert_eq!(client.answer().body, b"hello\n");
        felt.times.push(began.elapsed());
        if felt.times.len() % 50 == 0 {
            let clients = server.census().client_sockets;
            felt.most = felt.most.max(clients);
            if clients > FEW {
                felt.cut_s = start.elapsed().as_secs_f64();
            }
        }
    }
    felt
}
