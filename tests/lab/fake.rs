//! An HTTP server that misbehaves in the way that a test chooses.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

/// What the server does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    /// Answers.
    Good,
    /// Sends this in answer to every request.
    Sends(&'static str),
    /// Sends this, and closes the connection.
    SendsAndCloses(&'static str),
    /// Resets the connection.
    Resets,
    /// Sends nothing.
    Silent,
    /// Answers the first request of a connection, and closes the connection at the second.
    ClosesAtSecond,
    /// Answers each request this long after it has come; requests can overlap.
    After(Duration),
    /// Answers requests whose number is a multiple of this with 500, and all others with 200.
    Fails(u64),
    /// Answers this many requests, and then no more.
    Freezes(u64),
    /// Refuses a request with 413 as soon as it has read the head, and closes the connection.
    RefusesEarly,
    /// Answers a request as soon as it has read the head, and goes on to read.
    AnswersEarly,
    /// Answers one request after the other, and takes this long for each.
    Slow(Duration),
    /// Answers one request after the other, and takes this long for the request of this number.
    Stalls(u64, Duration),
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

const BAD: &str = "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno";

const REFUSAL: &str = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";

/// The length of a good answer in bytes.
pub(crate) const GOOD_LEN: u64 = GOOD.len() as u64;

pub(crate) struct FakeServer {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    behaviour: Behaviour,
    /// How many requests have come.
    requests: AtomicU64,
    /// When each of them came.
    arrivals: Mutex<Vec<Instant>>,
    /// Held while a request is answered, if requests are answered one after the other.
    turn: Mutex<()>,
    is_over: AtomicBool,
}

impl FakeServer {
    pub(crate) fn start(behaviour: Behaviour) -> FakeServer {
        FakeServer::with_workers(behaviour, usize::MAX)
    }

    /// Starts a server of at most this many connections at a time; others wait in the accept queue.
    pub(crate) fn with_workers(behaviour: Behaviour, workers: usize) -> FakeServer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(State {
            behaviour,
            requests: AtomicU64::new(0),
            arrivals: Mutex::default(),
            turn: Mutex::new(()),
            is_over: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            let (ended, ends) = mpsc::channel();
            let mut busy = 0;
            for client in listener.incoming().flatten() {
                let (shared, ended) = (Arc::clone(&shared), ended.clone());
                if shared.is_over.load(SeqCst) {
                    return;
                }
                busy += 1;
                thread::spawn(move || {
                    shared.serve(client);
                    let _ = ended.send(());
                });
                while busy == workers {
                    ends.recv().expect("this thread has a sender itself");
                    busy -= 1;
                }
            }
        });
        FakeServer { port, state }
    }

    /// How many requests have come.
    pub(crate) fn requests(&self) -> u64 {
        self.state.requests.load(SeqCst)
    }

    /// When requests have come since the last call, in order.
    pub(crate) fn arrivals(&self) -> Vec<Instant> {
        let mut arrivals = self.state.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let mut arrivals = std::mem::take(&mut *arrivals);
        arrivals.sort_unstable();
        arrivals
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.state.is_over.store(true, SeqCst);
        // The server's thread waits in accept(2).
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    /// Serves one client.
    fn serve(&self, mut client: TcpStream) {
        client.set_nodelay(true).expect("a socket");
        let mut input = Vec::new();
        for count in 1.. {
            let reads_body =
                !matches!(self.behaviour, Behaviour::RefusesEarly | Behaviour::AnswersEarly);
            if !read_request(&mut client, &mut input, reads_body) {
                return;
            }
            let now = Instant::now();
            self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(now);
            let number = self.requests.fetch_add(1, SeqCst) + 1;
            let (text, goes_on) = match self.behaviour {
                Behaviour::Good => (GOOD, true),
                Behaviour::Sends(text) => (text, true),
                Behaviour::SendsAndCloses(text) => (text, false),
                Behaviour::Silent => ("", true),
                Behaviour::Resets => {
                    let _ = set_socket_linger(&client, Some(Duration::ZERO));
                    return;
                }
                Behaviour::ClosesAtSecond if count > 1 => ("", false),
                Behaviour::ClosesAtSecond => (GOOD, true),
                Behaviour::After(time) => {
                    park_until(now + time);
                    (GOOD, true)
                }
                Behaviour::Fails(each) if number.is_multiple_of(each) => (BAD, true),
                Behaviour::Fails(_) => (GOOD, true),
                Behaviour::Freezes(after) if number > after => ("", true),
                Behaviour::Freezes(_) => (GOOD, true),
                Behaviour::RefusesEarly => (REFUSAL, false),
                Behaviour::AnswersEarly => (GOOD, true),
                Behaviour::Slow(time) => {
                    self.await_turn_and(time);
                    (GOOD, true)
                }
                Behaviour::Stalls(at, time) => {
                    self.await_turn_and(if number == at { time } else { Duration::ZERO });
                    (GOOD, true)
                }
            };
            if client.write_all(text.as_bytes()).is_err() || !goes_on {
                return;
            }
        }
    }

    /// Waits until no other request is being answered, then for this time.
    fn await_turn_and(&self, time: Duration) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        park_until(Instant::now() + time);
    }
}

fn park_until(until: Instant) {
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
}

/// Reads a request, with its body if `reads_body`; false if the client has ended the connection.
/// Bytes of the next request stay in `input`.
fn read_request(client: &mut TcpStream, input: &mut Vec<u8>, reads_body: bool) -> bool {
    loop {
        let head = input.windows(4).position(|four| four == b"\r\n\r\n");
        if head.is_some() && !reads_body {
            input.clear();
            return true;
        }
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

/// The length of the request at the start of `input`; none while it is incomplete.
fn request_len(input: &[u8]) -> Option<usize> {
    let head = input.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&input[..head]).to_ascii_lowercase();
    let body = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let len = head + body.map_or(0, |digits| digits.trim().parse().expect("a length"));
    (input.len() >= len).then_some(len)
}
