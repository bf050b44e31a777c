//! Measures the latency of a normal client during attacks by slowhttptest(1). It runs only on
//! request, because it takes minutes and prints measurements that need a quiet machine.

use std::fs::File;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::cases::test;
use crate::support::client::last_request;
use crate::support::{Client, Server, Store, TempDir};

/// Architectures in which a thousand slow clients need not delay another one.
const ARCHITECTURES: [&str; 3] = ["threaded", "poll", "epoll"];

const CONNECTIONS: &str = "1000";

/// The pause between two requests of the normal client.
const PERIOD: Duration = Duration::from_millis(10);

/// The tool's modes (slow head, body and reader), each with its further arguments.
const MODES: [(&str, &[&str]); 3] = [
    ("-H", &["-u", "/hello.txt"]),
    ("-B", &["-s", "8192", "-t", "POST", "-u", "/guestbook"]),
    ("-X", &["-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-u", "/big.bin"]),
];

// docs/testing.md has the results.
test!(Ignored, a_normal_client_is_served_beside_a_thousand_slow_ones);
fn a_normal_client_is_served_beside_a_thousand_slow_ones() {
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
            let before = await_idle(&server);
            let Measured { mut times, clients_peak, cut_s } = attack(&server, mode, words);
            times.sort_unstable();
            let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
            println!(
                "{arch:8} {mode}: up to {clients_peak} connections, all cut off after {cut_s:.0} \
                 s; {} requests of the normal client: p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
                times.len(),
                at(50),
                at(99),
                at(100)
            );
            assert_eq!(await_idle(&server), before);
        }
    }
}

/// Waits until a server has no client; returns the resources that it then has.
#[track_caller]
fn await_idle(server: &Server) -> crate::support::resources::Resources {
    crate::support::wait_for("a server without clients", || {
        let resources = server.resources();
        (resources.client_sockets == 0 && resources.threads <= 2).then_some(resources)
    })
}

/// What was measured during an attack.
#[derive(Default)]
struct Measured {
    /// How long each request of the normal client took.
    times: Vec<Duration>,
    /// The largest number of clients that the server had at a sample.
    clients_peak: usize,
    /// When the server last had more than a few clients, in seconds from the start.
    cut_s: f64,
}

/// Runs the tool against the server until the tool has no connection left, and measures.
fn attack(server: &Server, mode: &str, words: &[&str]) -> Measured {
    let site = format!("http://127.0.0.1:{}", server.port);
    let words = words.iter().map(|word| match word.starts_with('/') {
        true => format!("{site}{word}"),
        false => word.to_string(),
    });
    let mut command = Command::new("slowhttptest");
    command.args([mode, "-c", CONNECTIONS, "-r", "500", "-i", "2", "-l", "60", "-p", "5"]);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
    let mut tool = command.spawn().expect("slowhttptest (`apt-get install slowhttptest`)");
    let (running, end) = channel();
    thread::scope(|scope| {
        let normal = scope.spawn(move || measure(server, &end));
        tool.wait().expect("a child of ours");
        drop(running);
        normal.join().expect("times")
    })
}

/// Makes one request after the other, each on a connection of its own, until the attack is over.
/// After every 50 requests, counts the server's clients.
fn measure(server: &Server, end: &Receiver<()>) -> Measured {
    const FEW: usize = 5;
    let mut measured = Measured::default();
    let start = Instant::now();
    while end.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        let began = Instant::now();
        let mut client = Client::connect(server.port);
        client.send(last_request("/hello.txt"));
        assert_eq!(client.answer().body, b"hello\n");
        measured.times.push(began.elapsed());
        if measured.times.len() % 50 == 0 {
            let clients = server.resources().client_sockets;
            measured.clients_peak = measured.clients_peak.max(clients);
            if clients > FEW {
                measured.cut_s = start.elapsed().as_secs_f64();
            }
        }
    }
    measured
}
