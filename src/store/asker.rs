//! Asking the store and waiting for its answer: what a worker that may block does.

use zero_core::store::{Query, Reply, StoreDown};

use super::address::Address;
use super::gate::Gate;
use super::line::Line;
use crate::clock;

/// Where a worker gets a connection from, and gives it back to.
pub trait Lines {
    /// The right to use one connection, waited for until `until_ms` of the monotonic clock; with an
    /// open one if there is one.
    ///
    /// # Errors
    ///
    /// [`StoreDown::TimedOut`].
    fn take(&mut self, until_ms: u64) -> Result<Option<Line>, StoreDown>;

    /// Gives the right back, and the connection unless it broke.
    fn give_back(&mut self, line: Option<Line>);
}

/// One worker's own connection.
#[derive(Default)]
pub struct OwnLine(Option<Line>);

impl Lines for OwnLine {
    fn take(&mut self, _until_ms: u64) -> Result<Option<Line>, StoreDown> {
        Ok(self.0.take())
    }

    fn give_back(&mut self, line: Option<Line>) {
        self.0 = line;
    }
}

/// What is given back is closed: a connection for each question.
pub struct UsedOnce<L>(pub L);

impl<L: Lines> Lines for UsedOnce<L> {
    fn take(&mut self, until_ms: u64) -> Result<Option<Line>, StoreDown> {
        self.0.take(until_ms)
    }

    fn give_back(&mut self, _line: Option<Line>) {
        self.0.give_back(None);
    }
}

/// Asks a question, and waits for the answer until `until_ms` of the monotonic clock.
pub fn ask(
    lines: &mut dyn Lines,
    (address, gate): (&Address, Gate),
    query: Query,
    until_ms: u64,
) -> Result<Reply, StoreDown> {
    let asked_ms = clock::now().ms;
    let reply = ask_on_a_line(lines, (address, gate), query, until_ms);
    gate.count(&reply, asked_ms, clock::now().ms);
    reply
}

fn ask_on_a_line(
    lines: &mut dyn Lines,
    (address, gate): (&Address, Gate),
    query: Query,
    until_ms: u64,
) -> Result<Reply, StoreDown> {
    let idle = lines.take(until_ms)?.filter(Line::is_fresh);
    let mut line = match idle.map_or_else(|| open(address, gate, until_ms), Ok) {
        Ok(line) => line,
        Err(why) => {
            lines.give_back(None);
            return Err(why);
        }
    };
    let reply = line.ask(query, until_ms);
    lines.give_back(match reply {
        Ok(_) | Err(StoreDown::Refused) => Some(line),
        Err(_) => None,
    });
    gate.note(&reply, clock::now().ms);
    reply
}

fn open(address: &Address, gate: Gate, until_ms: u64) -> Result<Line, StoreDown> {
    if !gate.is_open(clock::now().ms) {
        return Err(StoreDown::Unreachable);
    }
    Line::open(address, until_ms).inspect_err(|why| gate.failed(*why, clock::now().ms))
}
