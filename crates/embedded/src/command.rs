//! The type of a command: its name, its effect on the database, its function and its errors.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::database::{Database, Effect, integer};

/// A row of the table of commands.
pub(super) struct StoreCommand {
    /// The name, in lower case.
    pub(super) name: &'static str,
    /// How many arguments the command accepts.
    pub(super) arguments: RangeInclusive<usize>,
    pub(super) effect: Effect,
    /// Executes the command. The reply is appended only when everything is done.
    pub(super) run: Execute,
}

/// Executes a command, given its arguments and the buffer for the reply.
pub(super) type Execute = fn(&mut Database, &[&[u8]], &mut Vec<u8>) -> CommandResult;

/// Success if the command was executed; the reply is then in the buffer.
pub(super) type CommandResult = Result<(), CommandError>;

/// Why a command was not executed.
#[derive(Debug)]
pub(super) enum CommandError {
    /// The command is wrong. The text is the error reply.
    Refused(Cow<'static, str>),
    /// The database failed, and the transaction with it.
    Database(rusqlite::Error),
}

impl CommandError {
    /// An error reply: a word in capitals and a sentence.
    pub(super) fn refused(sentence: impl Into<Cow<'static, str>>) -> CommandError {
        CommandError::Refused(sentence.into())
    }
}

impl From<rusqlite::Error> for CommandError {
    fn from(error: rusqlite::Error) -> CommandError {
        CommandError::Database(error)
    }
}

/// An argument that has to be an integer.
pub(super) fn number(argument: &[u8]) -> Result<i64, CommandError> {
    integer(argument).ok_or(CommandError::refused("ERR value is not an integer or out of range"))
}
