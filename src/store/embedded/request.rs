//! One request to the embedded store: which command it is, and the reply that it gets.

use std::borrow::Cow;

use zero_core::store::resp::{self, Garbage, Value};

use super::commands::{COMMANDS, Command};
use super::database::{Database, Effect};

/// One request, as it was asked.
pub(super) struct Request<'a> {
    asked: Asked,
    /// The name of the command, and its arguments.
    words: Vec<&'a [u8]>,
}

#[derive(Clone, Copy)]
enum Asked {
    Known(&'static Command),
    Unknown,
    Garbage,
}

/// Why a command wasn't done.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was wrong itself, and this is what it is told.
    Said(Cow<'static, str>),
    /// The database failed, and with it the transaction.
    Database(rusqlite::Error),
}

impl Failure {
    /// A word in capitals and a sentence.
    pub(super) fn said(sentence: impl Into<Cow<'static, str>>) -> Failure {
        Failure::Said(sentence.into())
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Database(error)
    }
}

impl<'a> Request<'a> {
    /// What `value` asks; none when it asks nothing, as an empty array does.
    ///
    /// # Errors
    ///
    /// [`Garbage`] for what is not an array of bulk strings.
    pub(super) fn new(value: Value<'a>) -> Result<Option<Request<'a>>, Garbage> {
        let Value::Array(values) = value else { return Err(Garbage) };
        let word = |value| match value {
            Value::Bulk(Some(word)) => Ok(word),
            _ => Err(Garbage),
        };
        let words = values.unwrap_or_default().into_iter().map(word);
        let words = words.collect::<Result<Vec<_>, _>>()?;
        let Some(name) = words.first() else { return Ok(None) };
        let named = |command: &&Command| name.eq_ignore_ascii_case(command.name.as_bytes());
        let asked = COMMANDS.iter().find(named).map_or(Asked::Unknown, Asked::Known);
        Ok(Some(Request { asked, words }))
    }

    /// What is no request at all, to be told so when those before it have been answered.
    pub(super) fn garbage() -> Request<'a> {
        Request { asked: Asked::Garbage, words: Vec::new() }
    }

    pub(super) fn effect(&self) -> Effect {
        match self.asked {
            Asked::Known(command) => command.effect,
            Asked::Unknown | Asked::Garbage => Effect::Nothing,
        }
    }

    /// Whether its reply is the last on its connection.
    pub(super) fn closes(&self) -> bool {
        match self.asked {
            Asked::Known(command) => command.name == "quit",
            Asked::Unknown => false,
            Asked::Garbage => true,
        }
    }

    /// Does it, and appends the reply; with a `refusal` that is the reply, should it change
    /// anything.
    ///
    /// # Errors
    ///
    /// Those of the database, with nothing appended. What is wrong with the request itself is a
    /// reply.
    pub(super) fn answer(
        &self,
        database: &mut Database,
        out: &mut Vec<u8>,
        refusal: Option<&str>,
    ) -> Result<(), rusqlite::Error> {
        if let Some(refusal) = refusal.filter(|_| self.effect() >= Effect::Counts) {
            refuse(out, refusal);
            return Ok(());
        }
        match self.attempt(database, out) {
            Ok(()) => {}
            Err(Failure::Said(sentence)) => refuse(out, &sentence),
            Err(Failure::Database(error)) => return Err(error),
        }
        Ok(())
    }

    fn attempt(&self, database: &mut Database, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self.asked {
            Asked::Known(command) => {
                let arguments = &self.words[1..];
                if !command.arguments.contains(&arguments.len()) {
                    return Err(Failure::said(format!(
                        "ERR wrong number of arguments for '{}' command",
                        command.name
                    )));
                }
                (command.run)(database, arguments, out)
            }
            Asked::Unknown => Err(Failure::said(unknown(&self.words))),
            Asked::Garbage => Err(Failure::said(
                "ERR Protocol error: what came is not a command in RESP2, or too long for one",
            )),
        }
    }
}

/// Appends an error, on one line whatever is in it.
pub(super) fn refuse(out: &mut Vec<u8>, sentence: &str) {
    resp::error(out, &sentence.replace(['\r', '\n'], " "));
}

fn unknown(words: &[&[u8]]) -> String {
    /// Redis shows so much of a name, and so much of all arguments.
    const SHOWN_BYTES: usize = 128;
    let shown = |word: &[u8], most: usize| {
        String::from_utf8_lossy(&word[..word.len().min(most)]).into_owned()
    };
    let mut arguments = String::new();
    for word in &words[1..] {
        let room = SHOWN_BYTES.saturating_sub(arguments.len());
        if room == 0 {
            break;
        }
        arguments += &format!("'{}' ", shown(word, room));
    }
    let name = shown(words[0], SHOWN_BYTES);
    format!("ERR unknown command '{name}', with args beginning with: {arguments}")
}
