//! The file of the embedded store: an SQLite database that any tool can read.
//!
//! ```text
//! strings   key, value             a counter is an integer here
//! lists     key, length            kept by triggers, so that tools can add and delete items too
//! items     place, list, item      in order of place; the place of a deleted item stays empty
//! ```
//!
//! Values can be long, so these tables have a rowid (`place`, or SQLite's own): without one, SQLite
//! would read the values to compare rows in a search.
//!
//! Changes go to a log beside the file first, and from there to the file whenever the log has grown
//! to 4 MiB (<https://sqlite.org/wal.html>).

use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use percent_encoding::NON_ALPHANUMERIC;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Result};

use super::database::explain;

/// How long the store waits while another program writes to the file. A tool's statement takes
/// milliseconds, and the store's clients give up after
/// [`STORE_TIMEOUT_MS`](zerohttpd_core::limits::STORE_TIMEOUT_MS).
const BUSY_TIMEOUT_MS: u64 = 1_000;

/// The size to which the log is cut after a large transaction.
const LOG_BYTES_KEPT: i64 = 16 * 1024 * 1024;

/// How many compiled statements are cached: more than the store has, so each is compiled once.
const STATEMENTS: usize = 64;

/// The application id in the file's header, which file(1) shows.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"Zero");

/// The version of [`SCHEMA`].
const SCHEMA_VERSION: i32 = 1;

const SCHEMA: &str = "
    CREATE TABLE strings (key TEXT NOT NULL PRIMARY KEY, value NOT NULL);
    CREATE TABLE lists (key TEXT NOT NULL PRIMARY KEY, length INTEGER NOT NULL);
    CREATE TABLE items (place INTEGER PRIMARY KEY, list TEXT NOT NULL, item TEXT NOT NULL);
    CREATE INDEX items_of_list ON items (list);
    CREATE TRIGGER item_added AFTER INSERT ON items BEGIN
        INSERT INTO lists VALUES (new.list, 1) ON CONFLICT DO UPDATE SET length = length + 1;
    END;
    CREATE TRIGGER item_removed AFTER DELETE ON items BEGIN
        UPDATE lists SET length = length - 1 WHERE key = old.list;
        DELETE FROM lists WHERE key = old.list AND length = 0;
    END;";

/// Opens `file`. If it does not exist, creates it for this user only.
///
/// # Errors
///
/// A sentence, if the file cannot be opened or is not a database of this program.
pub(super) fn open(file: &Path) -> std::result::Result<Connection, String> {
    let name = file.display();
    // SQLite would create the file readable for all users. The log gets the same mode as the file.
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(file).map_err(|error| unusable(file, &error))?;
    let connection = connect(file).map_err(|e| explain(file, "open", &e))?;
    if is_empty(file, &connection)? {
        create(&connection).map_err(|e| explain(file, "write", &e))?;
    }
    match start_log(&connection).map_err(|e| explain(file, "write", &e))?.as_str() {
        "wal" => Ok(connection),
        mode => Err(format!(
            "{name} can have no write-ahead log, only {mode:?}: name a file on a local disk"
        )),
    }
}

/// Checks a database file without its log. Creates nothing.
///
/// # Errors
///
/// A sentence, if it is not a database of this program.
pub(super) fn inspect(file: &Path) -> std::result::Result<(), String> {
    // Characters that have a meaning in a URI (<https://sqlite.org/uri.html>) must be encoded.
    let name = percent_encoding::percent_encode(file.as_os_str().as_bytes(), NON_ALPHANUMERIC);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)
        .map_err(|e| explain(file, "open", &e))?;
    is_empty(file, &connection).map(drop)
}

pub(super) fn unusable(file: &Path, error: &std::io::Error) -> String {
    format!("cannot open {}: {error}; name a file that this user may write", file.display())
}

/// Whether there is nothing in the database yet. An error says that the database is not of this
/// version.
fn is_empty(file: &Path, connection: &Connection) -> std::result::Result<bool, String> {
    let name = file.display();
    match version(connection).map_err(|e| explain(file, "read", &e))? {
        SchemaVersion::OtherProgram => {
            Err(format!("{name} is the database of another program: name another file"))
        }
        SchemaVersion::ThisProgram(SCHEMA_VERSION) => Ok(false),
        SchemaVersion::ThisProgram(version) => Err(format!(
            "{name} is of version {version} and this program knows {SCHEMA_VERSION}: \
             run the program that wrote it, or name another file"
        )),
        SchemaVersion::Empty => Ok(true),
    }
}

fn connect(file: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    // Without this setting, SQLite compiles a statement anew when its parameters change.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

enum SchemaVersion {
    Empty,
    ThisProgram(i32),
    OtherProgram,
}

fn version(connection: &Connection) -> Result<SchemaVersion> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get(0));
    let empty = "SELECT count(*) = 0 FROM sqlite_schema";
    Ok(match (number("application_id")?, number("user_version")?) {
        (APPLICATION_ID, version) => SchemaVersion::ThisProgram(version),
        (0, 0) if connection.query_row(empty, [], |row| row.get(0))? => SchemaVersion::Empty,
        _ => SchemaVersion::OtherProgram,
    })
}

fn create(connection: &Connection) -> Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    ))
}

/// Asks for a write-ahead log. Returns the journal mode that the file now has.
fn start_log(connection: &Connection) -> Result<String> {
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_KEPT, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::tempdir;

    fn refusal(file: &Path) -> String {
        open(file).map(drop).unwrap_err()
    }

    #[test]
    fn a_file_is_made_for_this_user_alone_and_opened_again() {
        let folder = tempdir().unwrap();
        let file = folder.path().join("guestbook");
        let first = open(&file).unwrap();
        first.execute("INSERT INTO strings VALUES ('key', 5)", []).unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let path = folder.path().join(format!("guestbook{suffix}"));
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o177, 0, "{suffix}: {mode:o}");
        }
        let again = open(&file).unwrap();
        let value: i64 =
            again.query_row("SELECT value FROM strings", [], |row| row.get(0)).unwrap();
        assert_eq!(value, 5);
    }

    #[test]
    fn files_of_other_programs_are_refused_and_not_changed() {
        let folder = tempdir().unwrap();
        let file = folder.path().join("text");
        let text =
            "not a database, but longer than the hundred bytes of an SQLite header ".repeat(9);
        std::fs::write(&file, &text).unwrap();
        assert!(refusal(&file).contains("file is not a database; name another file"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);

        let file = folder.path().join("other");
        Connection::open(&file).unwrap().execute_batch("CREATE TABLE t (c)").unwrap();
        assert!(refusal(&file).ends_with("is the database of another program: name another file"));

        let file = folder.path().join("newer");
        open(&file).unwrap().pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
        assert!(refusal(&file).contains("is of version 2 and this program knows 1"));

        assert!(refusal(folder.path()).starts_with("cannot open /"));
    }

    #[test]
    fn a_name_that_looks_like_a_uri_is_the_name_of_a_file() {
        let folder = tempdir().unwrap();
        let file = folder.path().join("file:x?mode=memory");
        open(&file).unwrap();
        assert!(file.metadata().unwrap().len() > 0);
    }

    #[test]
    fn lengths_stay_right_when_a_tool_adds_and_deletes() {
        let folder = tempdir().unwrap();
        let tool = open(&folder.path().join("guestbook")).unwrap();
        let lengths = || -> Vec<(String, i64)> {
            let mut select = tool.prepare("SELECT key, length FROM lists ORDER BY key").unwrap();
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            rows.map(|row| row.unwrap()).collect()
        };
        tool.execute_batch(
            "INSERT INTO items (list, item) VALUES ('a', 'x'), ('a', 'spam'), ('b', 'y')",
        )
        .unwrap();
        assert_eq!(lengths(), [("a".to_string(), 2), ("b".to_string(), 1)]);
        tool.execute_batch("DELETE FROM items WHERE item = 'spam' OR list = 'b'").unwrap();
        assert_eq!(lengths(), [("a".to_string(), 1)]);
    }
}
