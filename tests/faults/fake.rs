//! A store that speaks RESP, badly when it is told to.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::support::TempDir;

/// What it does when it is asked something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// It answers.
    Good,
    /// It answers, a byte at a time.
    Slow,
    /// It says nothing.
    Silent,
    /// It begins an answer that never ends, a byte at a time.
    Endless,
    /// It says this, whatever it was asked.
    Says(&'static str),
    /// It says this and hangs up.
    Breaks(&'static str),
    /// It says this and stops sending, but goes on listening.
    Stops(&'static str),
}

/// The time between two bytes of one that is slow.
const TICK: Duration = Duration::from_millis(10);

pub(crate) struct Fake {
    folder: TempDir,
    state: Arc<Mutex<State>>,
}

struct State {
    manner: Manner,
    /// Whoever connects is let in, whatever the manner.
    is_polite: bool,
    visitors: u64,
    /// The remarks that it was asked to keep, whatever it answered.
    remarks: Vec<String>,
}

impl Fake {
    /// One that behaves well for the time being.
    pub(crate) fn start() -> Fake {
        let folder = TempDir::new();
        let listener = UnixListener::bind(folder.join("f.sock")).expect("a socket");
        let (manner, is_polite) = (Manner::Good, true);
        let state = State { manner, is_polite, visitors: 0, remarks: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || converse(client, &shared));
            }
        });
        Fake { folder, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.folder.join("f.sock").display())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        (self.state().manner, self.state().is_polite) = (manner, true);
    }

    /// Even to those who only knock.
    pub(crate) fn behave_at_the_door(&self, manner: Manner) {
        (self.state().manner, self.state().is_polite) = (manner, false);
    }

    /// How often it was asked to keep a remark.
    pub(crate) fn asked_to_keep(&self, remark: &str) -> usize {
        self.state().remarks.iter().filter(|asked| *asked == remark).count()
    }

    /// How many visitors it was asked to count.
    pub(crate) fn visitors(&self) -> u64 {
        self.state().visitors
    }
}

/// One client of it.
fn converse(mut client: UnixStream, state: &Mutex<State>) {
    client.set_read_timeout(Some(TICK)).expect("a socket");
    let (mut input, mut slowly) = (Vec::new(), Vec::new().into_iter());
    loop {
        let mut scratch = [0; 4096];
        match client.read(&mut scratch) {
            Ok(0) => return,
            Ok(count) => input.extend(&scratch[..count]),
            // Each tick, one byte of what is said slowly.
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
            let good = state.obey(&words);
            let is_polite = state.is_polite && words[0] == "PING";
            let manner = if is_polite { Manner::Good } else { state.manner };
            drop(state);
            let (at_once, later, then) = manner.reply(good);
            slowly = slowly.chain(later.into_bytes()).collect::<Vec<_>>().into_iter();
            if client.write_all(at_once.as_bytes()).is_err() {
                return;
            }
            match then {
                Then::GoOn => {}
                Then::Stop => drop(client.shutdown(Shutdown::Write)),
                Then::Close => return,
            }
        }
    }
}

/// What becomes of a connection after a reply.
enum Then {
    GoOn,
    Stop,
    Close,
}

impl Manner {
    /// What is said at once, and what slowly, in place of a good reply.
    fn reply(self, good: String) -> (String, String, Then) {
        let none = String::new();
        match self {
            Manner::Good => (good, none, Then::GoOn),
            Manner::Slow => (none, good, Then::GoOn),
            Manner::Silent => (none.clone(), none, Then::GoOn),
            Manner::Endless => (none, format!("*1\r\n$9999\r\n{}", "x".repeat(9000)), Then::GoOn),
            Manner::Says(text) => (text.into(), none, Then::GoOn),
            Manner::Stops(text) => (text.into(), none, Then::Stop),
            Manner::Breaks(text) => (text.into(), none, Then::Close),
        }
    }
}

impl State {
    /// Does what it is asked; what a good store answers.
    fn obey(&mut self, words: &[String]) -> String {
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

/// The command that `input` begins with, in the one form that clients use, and its length.
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

/// The number in a line that begins with `mark`, and where the next line begins.
fn length(input: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    let line = input.get(at..)?;
    let end = line.iter().position(|&byte| byte == b'\n')?;
    assert_eq!(line[0], mark, "not a command: {}", line.escape_ascii());
    let digits = std::str::from_utf8(&line[1..end - 1]).expect("digits");
    Some((digits.parse().expect("a number"), at + end + 1))
}
