//! A server that speaks HTTP, badly when it is told to.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

/// What it does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// It answers.
    Good,
    /// It says this, whatever it was asked.
    Says(&'static str),
    /// It says this, and closes the connection.
    Breaks(&'static str),
    /// It resets the connection.
    Resets,
    /// It says nothing.
    Silent,
    /// It answers the first request of a connection, and closes it when another one comes.
    Crosses,
    /// It answers, and takes this long for each, one after the other.
    Slow(Duration),
    /// It answers at once, but for the request of this number: for so long after it has come it
    /// answers nobody.
    Stalls(u64, Duration),
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

pub(crate) struct Fake {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    manner: Manner,
    /// Requests that came.
    requests: AtomicU64,
    /// Whoever answers has this.
    turn: Mutex<()>,
    is_over: AtomicBool,
}

impl Fake {
    pub(crate) fn start(manner: Manner) -> Fake {
        Fake::with_workers(manner, usize::MAX)
    }

    /// One that has so many connections at once, and lets the others wait to be accepted.
    pub(crate) fn with_workers(manner: Manner, workers: usize) -> Fake {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (requests, turn) = (AtomicU64::new(0), Mutex::new(()));
        let state = State { manner, requests, turn, is_over: AtomicBool::new(false) };
        let state = Arc::new(state);
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            let (free, is_free) = mpsc::channel();
            let mut busy = 0;
            for client in listener.incoming().flatten() {
                let (shared, free) = (Arc::clone(&shared), free.clone());
                if shared.is_over.load(SeqCst) {
                    return;
                }
                busy += 1;
                thread::spawn(move || {
                    shared.converse(client);
                    let _ = free.send(());
                });
                while busy == workers {
                    is_free.recv().expect("we have a sender ourselves");
                    busy -= 1;
                }
            }
        });
        Fake { port, state }
    }

    /// How many requests have come.
    pub(crate) fn requests(&self) -> u64 {
        self.state.requests.load(SeqCst)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.state.is_over.store(true, SeqCst);
        // It waits for somebody.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    /// One client of it.
    fn converse(&self, mut client: TcpStream) {
        client.set_nodelay(true).expect("a socket");
        let mut input = Vec::new();
        for count in 1.. {
            if !read_request(&mut client, &mut input) {
                return;
            }
            let number = self.requests.fetch_add(1, SeqCst) + 1;
            let (text, goes_on) = match self.manner {
                Manner::Good => (GOOD, true),
                Manner::Says(text) => (text, true),
                Manner::Breaks(text) => (text, false),
                Manner::Silent => ("", true),
                Manner::Resets => {
                    let _ = set_socket_linger(&client, Some(Duration::ZERO));
                    return;
                }
                Manner::Crosses if count > 1 => ("", false),
                Manner::Crosses => (GOOD, true),
                Manner::Slow(time) => {
                    self.take(time);
                    (GOOD, true)
                }
                Manner::Stalls(at, time) => {
                    self.take(if number == at { time } else { Duration::ZERO });
                    (GOOD, true)
                }
            };
            if client.write_all(text.as_bytes()).is_err() || !goes_on {
                return;
            }
        }
    }

    /// Takes its turn, and this long over it.
    fn take(&self, time: Duration) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            thread::park_timeout(left);
        }
    }
}

/// Whether a whole request came; what came after it stays in `input`.
fn read_request(client: &mut TcpStream, input: &mut Vec<u8>) -> bool {
    loop {
        if let Some(len) = request_len(input) {
            input.drain(..len);
            return true;
        }
        let mut scratch = [0; 4096];
        match client.read(&mut scratch) {
            Ok(0) => return false,
            Ok(count) => input.extend(&scratch[..count]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}

/// The length of the request that this begins with, if it is whole.
fn request_len(input: &[u8]) -> Option<usize> {
    let head = input.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&input[..head]).to_ascii_lowercase();
    let body = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let len = head + body.map_or(0, |digits| digits.trim().parse().expect("a length"));
    (input.len() >= len).then_some(len)
}
