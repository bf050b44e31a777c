//! One request to the embedded store: its command, arguments and reply.

use zerohttpd_core::store::resp::{self, Garbage, RespValue};

use super::command::{CommandError, StoreCommand};
use super::commands::COMMANDS;
use super::database::{Database, Effect};

/// One request.
pub(super) struct StoreRequest<'a> {
    command: Lookup,
    /// The name of the command, and its arguments.
    words: Vec<&'a [u8]>,
}

#[derive(Clone, Copy)]
enum Lookup {
    Known(&'static StoreCommand),
    Unknown,
    Garbage,
}

impl<'a> StoreRequest<'a> {
    /// The request in `value`; none for an empty array.
    ///
    /// # Errors
    ///
    /// [`Garbage`] for a value that is not an array of bulk strings.
    pub(super) fn new(value: RespValue<'a>) -> Result<Option<StoreRequest<'a>>, Garbage> {
        let RespValue::Array(values) = value else { return Err(Garbage) };
        let word = |value| match value {
            RespValue::Bulk(Some(word)) => Ok(word),
            _ => Err(Garbage),
        };
        let words = values.unwrap_or_default().into_iter().map(word);
        let words = words.collect::<Result<Vec<_>, _>>()?;
        let Some(name) = words.first() else { return Ok(None) };
        let named = |command: &&StoreCommand| name.eq_ignore_ascii_case(command.name.as_bytes());
        let command = COMMANDS.iter().find(named).map_or(Lookup::Unknown, Lookup::Known);
        Ok(Some(StoreRequest { command, words }))
    }

    /// A request that stands for invalid input, so that the error follows the replies to earlier
    /// requests.
    pub(super) fn garbage() -> StoreRequest<'a> {
        StoreRequest { command: Lookup::Garbage, words: Vec::new() }
    }

    pub(super) fn effect(&self) -> Effect {
        match self.command {
            Lookup::Known(command) => command.effect,
            Lookup::Unknown | Lookup::Garbage => Effect::Nothing,
        }
    }

    /// Whether the connection ends after the reply to this request.
    pub(super) fn closes(&self) -> bool {
        match self.command {
            Lookup::Known(command) => command.name == "quit",
            Lookup::Unknown => false,
            Lookup::Garbage => true,
        }
    }

    /// Executes the request and appends the reply. With a `refusal`, a request that would change
    /// something is not executed and gets the refusal as its reply.
    ///
    /// # Errors
    ///
    /// The error of the database; nothing is then appended. An error in the request is a reply.
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
            Err(CommandError::Refused(sentence)) => refuse(out, &sentence),
            Err(CommandError::Database(error)) => return Err(error),
        }
        Ok(())
    }

    fn attempt(&self, database: &mut Database, out: &mut Vec<u8>) -> Result<(), CommandError> {
        match self.command {
            Lookup::Known(command) => {
                let arguments = &self.words[1..];
                if !command.arguments.contains(&arguments.len()) {
                    return Err(CommandError::refused(format!(
                        "ERR wrong number of arguments for '{}' command",
                        command.name
                    )));
                }
                (command.run)(database, arguments, out)
            }
            Lookup::Unknown => Err(CommandError::refused(unknown_command(&self.words))),
            Lookup::Garbage => Err(CommandError::refused(
                "ERR Protocol error: the input is not a command in RESP2, or too long for one",
            )),
        }
    }
}

/// Appends an error as one line; line ends in it are replaced.
pub(super) fn refuse(out: &mut Vec<u8>, sentence: &str) {
    resp::error(out, &sentence.replace(['\r', '\n'], " "));
}

fn unknown_command(words: &[&[u8]]) -> String {
    /// Redis quotes at most this much of a name, and of all arguments together.
    const SHOWN_BYTES: usize = 128;
    let shown = |word: &[u8], max_bytes: usize| {
        String::from_utf8_lossy(&word[..word.len().min(max_bytes)]).into_owned()
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
