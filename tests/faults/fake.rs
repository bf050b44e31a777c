//! A store that speaks RESP, and misbehaves as a test asks for.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::support::TempDir;

/// How the store answers a query.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    /// It answers.
    Good,
    /// It answers, a byte at a time.
    Slow,
    /// It sends nothing.
    Silent,
    /// It sends an answer that never ends, a byte at a time.
    Endless,
    /// It sends this in answer to every query.
    Sends(&'static str),
    /// It sends this and closes the connection.
    SendsAndCloses(&'static str),
    /// It sends this and shuts its sending side, but goes on reading.
    SendsAndHalfCloses(&'static str),
}

/// The time between two bytes of a slow answer.
const TICK: Duration = Duration::from_millis(10);

pub(crate) struct FakeStore {
    folder: TempDir,
    state: Arc<Mutex<State>>,
}

struct State {
    behaviour: Behaviour,
    /// The behaviour to clients that were connected when it was set. Other clients get `behaviour`.
    to_connected_clients: Option<Behaviour>,
    /// How many times `to_connected_clients` was set.
    epoch: u64,
    /// Whether the greeting (PING) is answered well, whatever the behaviour.
    greets_well: bool,
    visitors: u64,
    /// The remarks that the store was asked to keep, however it answered.
    remarks: Vec<String>,
}

impl FakeStore {
    /// Starts a store that answers well until a test changes its behaviour.
    pub(crate) fn start() -> FakeStore {
        let folder = TempDir::new();
        let listener = UnixListener::bind(folder.join("f.sock")).expect("a socket");
        let (behaviour, greets_well) = (Behaviour::Good, true);
        let state = State {
            behaviour,
            to_connected_clients: None,
            epoch: 0,
            greets_well,
            visitors: 0,
            remarks: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(client, &shared));
            }
        });
        FakeStore { folder, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.folder.join("f.sock").display())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the behaviour to all clients; the greeting is answered well.
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        let mut state = self.state();
        (state.behaviour, state.greets_well, state.to_connected_clients) = (behaviour, true, None);
    }

    /// Sets the behaviour to clients that are connected now; later ones are answered well, as after
    /// a failover behind a proxy.
    pub(crate) fn behave_to_connected_clients(&self, behaviour: Behaviour) {
        let mut state = self.state();
        (state.behaviour, state.to_connected_clients) = (Behaviour::Good, Some(behaviour));
        state.epoch += 1;
    }

    /// Sets the behaviour to all clients, which also get it in answer to their greeting.
    pub(crate) fn behave_from_the_greeting(&self, behaviour: Behaviour) {
        (self.state().behaviour, self.state().greets_well) = (behaviour, false);
    }

    /// How many times the store was asked to keep a remark.
    pub(crate) fn times_asked_to_keep(&self, remark: &str) -> usize {
        self.state().remarks.iter().filter(|asked| *asked == remark).count()
    }

    /// How many visitors the store was asked to count.
    pub(crate) fn visitors(&self) -> u64 {
        self.state().visitors
    }
}

/// Serves one client.
fn serve(mut client: UnixStream, state: &Mutex<State>) {
    client.set_read_timeout(Some(TICK)).expect("a socket");
    let (mut input, mut slowly) = (Vec::new(), Vec::new().into_iter());
    let epoch = state.lock().unwrap_or_else(PoisonError::into_inner).epoch;
    loop {
        let mut scratch = [0; 4096];
        match client.read(&mut scratch) {
            Ok(0) => return,
            Ok(count) => input.extend(&scratch[..count]),
            // At each tick, one byte of a slow answer is sent.
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if slowly.next().is_some_and(|byte| client.write_all(&[byte]).is_err()) {
                    return;
                }
            }
            Err(_) => return,
        }
        while let Some((words, used)) = command(&input) {
            input.drain(..used);
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let good = state.execute(&words);
            let greets_well = state.greets_well && words[0] == "PING";
            let behaviour = match state.to_connected_clients {
                Some(behaviour) if epoch < state.epoch => behaviour,
                _ if greets_well => Behaviour::Good,
                _ => state.behaviour,
            };
            drop(state);
            let (at_once, later, then) = behaviour.reply(good);
            slowly = slowly.chain(later.into_bytes()).collect::<Vec<_>>().into_iter();
            if client.write_all(at_once.as_bytes()).is_err() {
                return;
            }
            match then {
                AfterReply::Stay => {}
                AfterReply::HalfClose => drop(client.shutdown(Shutdown::Write)),
                AfterReply::Close => return,
            }
        }
    }
}

/// What the store does with a connection after a reply.
enum AfterReply {
    Stay,
    HalfClose,
    Close,
}

impl Behaviour {
    /// What is sent in place of a good reply: the bytes that are sent at once, and those that are
    /// sent slowly.
    fn reply(self, good: String) -> (String, String, AfterReply) {
        let none = String::new();
        match self {
            Behaviour::Good => (good, none, AfterReply::Stay),
            Behaviour::Slow => (none, good, AfterReply::Stay),
            Behaviour::Silent => (none.clone(), none, AfterReply::Stay),
            Behaviour::Endless => {
                (none, format!("*1\r\n$9999\r\n{}", "x".repeat(9000)), AfterReply::Stay)
            }
            Behaviour::Sends(text) => (text.into(), none, AfterReply::Stay),
            Behaviour::SendsAndHalfCloses(text) => (text.into(), none, AfterReply::HalfClose),
            Behaviour::SendsAndCloses(text) => (text.into(), none, AfterReply::Close),
        }
    }
}

impl State {
    /// Executes a command, and returns the answer of a good store.
    fn execute(&mut self, words: &[String]) -> String {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["PING"] => "+PONG\r\n".into(),
            ["INCRBY", "visitor_count", by] => {
                self.visitors += by.parse::<u64>().expect("a number");
                format!(":{}\r\n", self.visitors)
            }
            ["GET", "visitor_count"] => {
                let digits = self.visitors.to_string();
                format!("${}\r\n{digits}\r\n", digits.len())
            }
            ["LRANGE", ..] => "*0\r\n".into(),
            ["RPUSH", "guestbook_remarks", remark] => {
                self.remarks.push(remark.to_string());
                format!(":{}\r\n", self.remarks.len())
            }
            _ => "-ERR unknown command\r\n".into(),
        }
    }
}

/// The words of the command at the start of `input`, an array of bulk strings, and its length in
/// bytes; none while it is incomplete.
fn command(input: &[u8]) -> Option<(Vec<String>, usize)> {
    let (count, mut at) = length(input, 0, b'*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (len, start) = length(input, at, b'$')?;
        words.push(String::from_utf8_lossy(input.get(start..start + len)?).into_owned());
        at = start + len + 2;
    }
    (at <= input.len()).then_some((words, at))
}

/// The number in the line at `at`, which begins with `mark`, and the start of the next line.
fn length(input: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    let line = input.get(at..)?;
    let end = line.iter().position(|&byte| byte == b'\n')?;
    assert_eq!(line[0], mark, "not a command: {}", line.escape_ascii());
    let digits = std::str::from_utf8(&line[1..end - 1]).expect("digits");
    Some((digits.parse().expect("a number"), at + end + 1))
}
