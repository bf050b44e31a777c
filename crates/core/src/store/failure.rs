//! Failures of the store, with the store's or the system's message.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt::{self, Write};

use super::resp::RespValue;
use super::store_down::StoreDown;
use crate::limits::STORE_REASON_BYTES;

/// The first words of errors of a Redis that can't execute commands in its current state. Redis
/// checks its state before it executes a command (`processCommand` in its server.c), so the command
/// was not executed. The connection is closed, since a new one can lead to another Redis, through a
/// proxy or after a change in DNS.
const NOT_SERVING: [&str; 12] = [
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "NOREPLICAS",
    "MISCONF",
    "BUSY",
    "NOAUTH",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MOVED",
    "ASK",
    "REDIRECT",
];

/// A failure of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFailure {
    /// The kind of failure.
    pub why: StoreDown,
    /// The store's error, or the system's: a line of bounded length without control characters.
    pub message: Option<Arc<str>>,
    /// Which later success shows that the failure is over.
    pub scope: Scope,
}

/// Which queries a failure concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All queries on the connection: any later reply shows that the failure is over.
    Connection,
    /// All queries that change something.
    Writes,
    /// Queries of this kind: the next one can fail in the same way.
    Query,
}

impl StoreFailure {
    /// A failure of the connection, with the system's message.
    pub fn of_connection(why: StoreDown, message: &str) -> StoreFailure {
        let message = Some(one_line(message.as_bytes()).into());
        StoreFailure { why, message, scope: Scope::Connection }
    }

    /// The failure that an unexpected reply shows.
    pub(super) fn of_reply(value: &RespValue<'_>) -> StoreFailure {
        let RespValue::Error(text) = value else {
            let why = StoreDown::Refused;
            return StoreFailure { why, message: None, scope: Scope::Query };
        };
        let (why, scope) = match first_word(text) {
            // These errors depend on the key.
            b"MOVED" | b"ASK" | b"TRYAGAIN" => (StoreDown::NotServing, Scope::Query),
            b"OOM" => (StoreDown::Refused, Scope::Writes),
            word if is_not_serving(word) => (StoreDown::NotServing, Scope::Writes),
            _ => (StoreDown::Refused, Scope::Query),
        };
        StoreFailure { why, message: Some(one_line(text).into()), scope }
    }

    /// The failure that an error in reply to the greeting shows: wrong credentials, unless the
    /// error names a state of the store.
    pub(super) fn of_greeting(text: &[u8]) -> StoreFailure {
        let word = first_word(text);
        let is_state = is_not_serving(word) && word != b"NOAUTH";
        let why = match is_state || text.starts_with(b"ERR max number of clients") {
            true => StoreDown::NotServing,
            false => StoreDown::NotAdmitted,
        };
        StoreFailure { why, message: Some(one_line(text).into()), scope: Scope::Connection }
    }
}

impl From<StoreDown> for StoreFailure {
    fn from(why: StoreDown) -> StoreFailure {
        StoreFailure { why, message: None, scope: Scope::Connection }
    }
}

impl fmt::Display for StoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)?;
        match &self.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

/// The first word of an error, which Redis writes in capitals.
pub(super) fn first_word(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b' ').next().unwrap_or_default()
}

fn is_not_serving(word: &[u8]) -> bool {
    NOT_SERVING.iter().any(|known| known.as_bytes() == word)
}

/// Text of another program as one line for a log or a report. The line has a bounded length, and
/// characters that could end the line or change the order of its text are escaped.
fn one_line(text: &[u8]) -> String {
    // Redis quotes the arguments of the command, which can be a visitor's remark or the password.
    let quote = memchr::memmem::find(text, b", with args beginning with");
    let text = &text[..quote.unwrap_or(text.len())];
    let mut line = String::new();
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match is_plain(c) {
                _ if line.len() >= STORE_REASON_BYTES => break,
                true => line.push(c),
                false => line.extend(c.escape_default()),
            }
        }
        if line.len() >= STORE_REASON_BYTES {
            line.push_str("...");
            break;
        }
        for byte in chunk.invalid() {
            let _ = write!(line, "\\x{byte:02x}");
        }
    }
    line
}

/// Whether a character is written as it is: it is printable, does not change the direction of the
/// text, and is not the backslash, with which escapes begin.
fn is_plain(c: char) -> bool {
    let is_format = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{61c}' | '\u{feff}');
    !c.is_control() && !is_format && c != '\\'
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::ToString};

    #[test]
    fn a_message_becomes_one_bounded_line_with_escapes() {
        for (text, line) in [
            (&b"OOM command not allowed"[..], "OOM command not allowed"),
            ("cannot use /srv/gäste.db".as_bytes(), "cannot use /srv/gäste.db"),
            (b"a\rb\x1b[31m\0", "a\\rb\\u{1b}[31m\\u{0}"),
            (b"\xff\\n", "\\xff\\\\n"),
            ("\u{202e}flip".as_bytes(), "\\u{202e}flip"),
            (
                b"ERR unknown command 'AUTH', with args beginning with: 's3cret' ",
                "ERR unknown command 'AUTH'",
            ),
        ] {
            assert_eq!(one_line(text), line);
        }
        for long in ["x", "é", "\u{202e}"] {
            let line = one_line(long.repeat(10_000).as_bytes());
            assert!(line.len() < STORE_REASON_BYTES + 16 && line.ends_with("..."), "{line}");
        }
        let invalid = one_line(&[0xff; 10_000]);
        assert!(invalid.len() < STORE_REASON_BYTES + 16, "{}", invalid.len());
    }

    #[test]
    fn a_server_state_error_differs_from_a_query_error() {
        let of = |text: &str| StoreFailure::of_reply(&RespValue::Error(text.as_bytes()));
        for word in NOT_SERVING {
            let failure = of(&format!("{word} whatever"));
            assert_eq!(failure.why, StoreDown::NotServing, "{word}");
            assert_ne!(failure.scope, Scope::Connection, "{word}");
            assert_eq!(of(word).why, StoreDown::NotServing, "{word}");
        }
        for text in ["OOM no", "WRONGTYPE no", "NOPERM no", "ERR READONLY", "READONLYX", "MOVEDTO"]
        {
            assert_eq!(of(text).why, StoreDown::Refused, "{text}");
        }
        assert_eq!(of("OOM no").scope, Scope::Writes);
        assert_eq!(of("NOPERM no").to_string(), "answered with an error: NOPERM no");
    }
}
