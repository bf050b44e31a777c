//! The data of the embedded store: strings and lists, changed between [`Database::begin`] and
//! [`Database::commit`].
//!
//! A commit is one write to the log. SQLite's setting `synchronous` says whether this write is on
//! the disk before the commit returns (<https://sqlite.org/pragma.html#pragma_synchronous>).

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, Result};

use super::items::ListPage;

/// The effect of a command, or of a batch of them, in ascending order of cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    /// The command does not use the database.
    Nothing,
    /// The command only reads.
    Reads,
    /// The command changes a counter. The change is written to the log before the reply, but not
    /// yet to the disk: a power failure can undo the latest changes.
    Counts,
    /// The command stores something. The change is on the disk before the reply.
    Stores,
}

/// The value of a string.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StoredString {
    /// A text that Redis takes for an integer.
    Integer(i64),
    /// Anything else.
    Bytes(Vec<u8>),
}

/// An open database.
pub(super) struct Database {
    pub(super) connection: Connection,
    /// The effect for which `synchronous` was last set.
    durable_for: Option<Effect>,
    /// The counters that this batch has changed. Each is written once, at the commit, however often
    /// it changed.
    counters: HashMap<Vec<u8>, i64>,
    /// The range of a list that this batch read last.
    pub(super) page: Option<ListPage>,
}

impl Database {
    pub(super) fn new(connection: Connection) -> Database {
        Database { connection, durable_for: None, counters: HashMap::new(), page: None }
    }

    /// Makes SQLite put its temporary files into this folder, the only one that a confined store
    /// can open. SQLite needs a temporary file for a statement that changes more than 64 KiB of
    /// pages (the statement journal in <https://sqlite.org/tempfiles.html>). In memory, such a file
    /// could grow without limit.
    pub(super) fn use_folder(&self, folder: &Path) -> Result<()> {
        let folder = folder.to_string_lossy();
        self.connection.pragma_update(None, "temp_store_directory", &*folder)
    }

    /// Copies the log into the database file and closes the file. SQLite itself copies the log only
    /// in the last program that closes the file, which need not be this store.
    pub(super) fn close(self) -> std::result::Result<(), String> {
        let file = self.connection.path().unwrap_or("the store").to_owned();
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.connection
            .query_row(checkpoint, [], |row| row.get::<_, bool>(0))
            .and_then(|is_busy| self.connection.close().map_err(|(_, e)| e).map(|()| is_busy))
            .map_err(|error| explain(Path::new(&file), "close", &error))
            .and_then(|is_busy| match is_busy {
                false => Ok(()),
                true => Err(format!(
                    "another program is using {file}, so the latest changes can still be in its \
                     log, not in the file itself"
                )),
            })
    }

    /// Starts a transaction for a batch whose greatest effect is `effect`.
    pub(super) fn begin(&mut self, effect: Effect) -> Result<()> {
        debug_assert!(self.counters.is_empty());
        self.page = None;
        let begin = match effect {
            Effect::Nothing => return Ok(()),
            Effect::Reads => "BEGIN",
            // Takes the write lock at the start: a transaction that reads first can fail to get the
            // lock later.
            Effect::Counts | Effect::Stores => "BEGIN IMMEDIATE",
        };
        if effect >= Effect::Counts && self.durable_for != Some(effect) {
            let level = if effect == Effect::Stores { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.durable_for = Some(effect);
        }
        self.statement(begin)?.execute([]).map(drop)
    }

    /// Commits the transaction.
    ///
    /// # Errors
    ///
    /// The error of SQLite. Nothing has changed once the transaction is [rolled
    /// back](Database::rollback).
    pub(super) fn commit(&mut self) -> Result<()> {
        self.write_counters()?;
        if !self.connection.is_autocommit() {
            self.statement("COMMIT")?.execute([])?;
        }
        Ok(())
    }

    /// Undoes the transaction, unless SQLite has undone it already, which some errors cause.
    pub(super) fn rollback(&mut self) {
        self.page = None;
        self.counters.clear();
        if !self.connection.is_autocommit() {
            // This fails only if there is nothing left to undo.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// The string at `key`.
    pub(super) fn string(&self, key: &[u8]) -> Result<Option<StoredString>> {
        if let Some(&count) = self.counters.get(key) {
            return Ok(Some(StoredString::Integer(count)));
        }
        self.statement("SELECT value FROM strings WHERE key = ?1")?
            .query_row([Bytes(key)], |row| Ok(stored_string(row.get_ref(0)?)))
            .optional()
    }

    /// Sets a counter; `commit` writes it.
    pub(super) fn set_counter(&mut self, key: &[u8], value: i64) {
        match self.counters.get_mut(key) {
            Some(count) => *count = value,
            None => drop(self.counters.insert(key.to_vec(), value)),
        }
    }

    /// Sets `key` to a string, and removes any earlier value.
    pub(super) fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.remove(key)?;
        match integer(value) {
            Some(number) => self.store(key, &number),
            None => self.store(key, &Bytes(value)),
        }
    }

    /// Removes a key of any type. Returns whether it existed.
    pub(super) fn remove(&mut self, key: &[u8]) -> Result<bool> {
        self.page = None;
        let was_counter = self.counters.remove(key).is_some();
        let key = [Bytes(key)];
        let strings = self.statement("DELETE FROM strings WHERE key = ?1")?.execute(key)?;
        let items = self.statement("DELETE FROM items WHERE list = ?1")?.execute(key)?;
        Ok(was_counter || strings + items > 0)
    }

    /// The number of keys.
    pub(super) fn size(&mut self) -> Result<i64> {
        self.write_counters()?;
        let count = "SELECT (SELECT count(*) FROM strings) + (SELECT count(*) FROM lists)";
        self.statement(count)?.query_row([], |row| row.get(0))
    }

    /// Calls `each` with every key that matches the pattern of SQLite's GLOB, until `each` returns
    /// false.
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

    /// A sentence for the client whose request failed with `error`.
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

/// Bytes as a value of SQLite: text if SQLite's tools can show them as text, else a blob. The same
/// bytes always become the same value, so they can be compared.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl ToSql for Bytes<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        // SQLite's functions end a text at the first NUL.
        let is_text = std::str::from_utf8(self.0).is_ok() && !self.0.contains(&0);
        let value = if is_text { ValueRef::Text(self.0) } else { ValueRef::Blob(self.0) };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// The bytes of a value in SQLite. A tool can have stored a number where this program stores text.
pub(super) fn bytes(value: ValueRef<'_>) -> Cow<'_, [u8]> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.into(),
        ValueRef::Integer(number) => number.to_string().into_bytes().into(),
        ValueRef::Real(number) => number.to_string().into_bytes().into(),
        ValueRef::Null => [].as_slice().into(),
    }
}

/// The integer in `text`, if written as Redis writes integers: without plus, leading zeros and
/// spaces.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        [b'1'..=b'9', ..] => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => (text == b"0").then_some(0),
    }
}

fn stored_string(value: ValueRef<'_>) -> StoredString {
    match value {
        ValueRef::Integer(number) => StoredString::Integer(number),
        value => {
            let bytes = bytes(value);
            integer(&bytes)
                .map_or_else(|| StoredString::Bytes(bytes.into_owned()), StoredString::Integer)
        }
    }
}

/// A sentence about an error of SQLite that says what to do. `verb` names the action that failed.
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
