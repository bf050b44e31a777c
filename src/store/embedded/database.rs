//! What the embedded store knows: strings and lists, between [`Database::begin`] and
//! [`Database::commit`].
//!
//! A commit is one write to the log; `synchronous` says whether that reaches the disk before the
//! commit returns (<https://sqlite.org/pragma.html#pragma_synchronous>).

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, Result};

use super::lists::Page;

/// What a command, or a turn of them, does to the database: the later, the more it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    /// Leaves it alone.
    Nothing,
    /// Looks.
    Reads,
    /// Counts: written before the answer; a power failure may take back the last counts.
    Counts,
    /// Stores: on the disk before the answer.
    Stores,
}

/// A string, as it is kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plain {
    /// What Redis would take for an integer.
    Integer(i64),
    /// Anything else.
    Bytes(Vec<u8>),
}

/// The database, open.
pub(super) struct Database {
    pub(super) connection: Connection,
    /// What `synchronous` was last set for.
    durable_for: Option<Effect>,
    /// Counters of this turn that are yet to be written: each is written once, however often it
    /// counted.
    counters: HashMap<Vec<u8>, i64>,
    /// The stretch of a list that this turn has read last.
    pub(super) page: Option<Page>,
}

impl Database {
    pub(super) fn new(connection: Connection) -> Database {
        Database { connection, durable_for: None, counters: HashMap::new(), page: None }
    }

    /// Starts a transaction for a turn that does up to `effect`.
    pub(super) fn begin(&mut self, effect: Effect) -> Result<()> {
        debug_assert!(self.counters.is_empty());
        self.page = None;
        let begin = match effect {
            Effect::Nothing => return Ok(()),
            Effect::Reads => "BEGIN",
            // A write lock from the start: a transaction that read first could fail to get it.
            Effect::Counts | Effect::Stores => "BEGIN IMMEDIATE",
        };
        if effect >= Effect::Counts && self.durable_for != Some(effect) {
            let level = if effect == Effect::Stores { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.durable_for = Some(effect);
        }
        self.statement(begin)?.execute([]).map(drop)
    }

    /// Ends the transaction: from here on, what it did is done.
    ///
    /// # Errors
    ///
    /// Nothing of it is done then, once it is [rolled back](Database::rollback).
    pub(super) fn commit(&mut self) -> Result<()> {
        self.write_counters()?;
        if !self.connection.is_autocommit() {
            self.statement("COMMIT")?.execute([])?;
        }
        Ok(())
    }

    /// Undoes the transaction, if there is one: some errors have undone it already.
    pub(super) fn rollback(&mut self) {
        self.page = None;
        self.counters.clear();
        if !self.connection.is_autocommit() {
            // It fails only when there is nothing left to undo.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// The string at `key`.
    pub(super) fn string(&self, key: &[u8]) -> Result<Option<Plain>> {
        if let Some(&count) = self.counters.get(key) {
            return Ok(Some(Plain::Integer(count)));
        }
        self.statement("SELECT value FROM strings WHERE key = ?1")?
            .query_row([Bytes(key)], |row| Ok(plain(row.get_ref(0)?)))
            .optional()
    }

    /// Sets a counter; `commit` writes it.
    pub(super) fn count(&mut self, key: &[u8], value: i64) {
        match self.counters.get_mut(key) {
            Some(count) => *count = value,
            None => drop(self.counters.insert(key.to_vec(), value)),
        }
    }

    /// Sets the string at `key`, whatever was there.
    pub(super) fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.remove(key)?;
        match integer(value) {
            Some(number) => self.store(key, &number),
            None => self.store(key, &Bytes(value)),
        }
    }

    /// Removes what is at `key`; whether there was anything.
    pub(super) fn remove(&mut self, key: &[u8]) -> Result<bool> {
        self.page = None;
        let counted = self.counters.remove(key).is_some();
        let key = [Bytes(key)];
        let strings = self.statement("DELETE FROM strings WHERE key = ?1")?.execute(key)?;
        let items = self.statement("DELETE FROM items WHERE list = ?1")?.execute(key)?;
        Ok(counted || strings + items > 0)
    }

    /// How many keys there are.
    pub(super) fn size(&mut self) -> Result<i64> {
        self.write_counters()?;
        let count = "SELECT (SELECT count(*) FROM strings) + (SELECT count(*) FROM lists)";
        self.statement(count)?.query_row([], |row| row.get(0))
    }

    /// Calls `each` with every key that matches SQLite's GLOB, in order, while it returns true.
    pub(super) fn keys(&mut self, glob: &[u8], mut each: impl FnMut(&[u8]) -> bool) -> Result<()> {
        self.write_counters()?;
        let select = "SELECT key FROM strings WHERE key GLOB ?1
                      UNION ALL SELECT key FROM lists WHERE key GLOB ?1";
        let mut statement = self.statement(select)?;
        let mut rows = statement.query([Bytes(glob)])?;
        while let Some(row) = rows.next()? {
            if !each(&bytes(row.get_ref(0)?)) {
                break;
            }
        }
        Ok(())
    }

    /// One sentence for whoever asked what `error` prevented.
    pub(super) fn explain(&self, error: &rusqlite::Error) -> String {
        explain(Path::new(self.connection.path().unwrap_or("the store")), "use", error)
    }

    pub(super) fn statement(&self, sql: &str) -> Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }

    fn write_counters(&mut self) -> Result<()> {
        for (key, value) in &self.counters {
            self.store(key, value)?;
        }
        self.counters.clear();
        Ok(())
    }

    fn store(&self, key: &[u8], value: &dyn ToSql) -> Result<()> {
        let upsert = "INSERT INTO strings VALUES (?1, ?2)
                      ON CONFLICT DO UPDATE SET value = excluded.value";
        self.statement(upsert)?.execute((Bytes(key), value)).map(drop)
    }
}

/// Bytes on their way to SQLite: text where its tools can show them as text, else a blob. The same
/// bytes always become the same value, so they can be compared.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl ToSql for Bytes<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        // To SQLite's functions a text ends at the first NUL.
        let is_text = std::str::from_utf8(self.0).is_ok() && !self.0.contains(&0);
        let value = if is_text { ValueRef::Text(self.0) } else { ValueRef::Blob(self.0) };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// The bytes of what SQLite has; a tool may have put a number where we put text.
pub(super) fn bytes(value: ValueRef<'_>) -> Cow<'_, [u8]> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.into(),
        ValueRef::Integer(number) => number.to_string().into_bytes().into(),
        ValueRef::Real(number) => number.to_string().into_bytes().into(),
        ValueRef::Null => [].as_slice().into(),
    }
}

/// The integer that `text` is, written as Redis wants it: no plus, no zeros in front, no spaces.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        [b'1'..=b'9', ..] => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => (text == b"0").then_some(0),
    }
}

fn plain(value: ValueRef<'_>) -> Plain {
    match value {
        ValueRef::Integer(number) => Plain::Integer(number),
        value => {
            let bytes = bytes(value);
            integer(&bytes).map_or_else(|| Plain::Bytes(bytes.into_owned()), Plain::Integer)
        }
    }
}

/// One sentence for an error of SQLite, with what to do where that is known.
pub(super) fn explain(file: &Path, verb: &str, error: &rusqlite::Error) -> String {
    let remedy = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "make room on its disk",
        Some(ErrorCode::DatabaseBusy) => "end the other program that writes to it",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "let this user write the file and its folder"
        }
        Some(ErrorCode::NotADatabase) => "name another file, or restore this one from a copy",
        Some(ErrorCode::DatabaseCorrupt) => "restore it from a copy",
        Some(ErrorCode::SystemIoFailure) => "see what dmesg says of its disk",
        _ => "see https://sqlite.org/rescode.html",
    };
    format!("cannot {verb} {}: {error}; {remedy}", file.display())
}

#[cfg(test)]
mod tests {
    use super::integer;

    #[test]
    fn an_integer_is_what_redis_takes_for_one() {
        for (text, number) in [("0", 0), ("7", 7), ("-7", -7), ("-9223372036854775808", i64::MIN)] {
            assert_eq!(integer(text.as_bytes()), Some(number));
        }
        for text in ["", "-", "-0", "00", "+1", " 1", "1 ", "1e3", "9223372036854775808", "é"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }
}
