//! The commands that the embedded store answers, each as Redis 7 does
//! (<https://redis.io/docs/latest/commands/>).
//!
//! The table has the commands of the guestbook, those with which an operator inspects the guestbook
//! in redis-cli, and those [about the connection](super::greeting).

use std::ops::RangeInclusive;

use zerohttpd_core::store::resp;

use super::command::{CommandError, CommandResult, Execute, StoreCommand, number};
use super::database::{Database, Effect, StoredString};
use super::greeting;
use super::items::Items;
use super::lists::End;

const fn row(
    name: &'static str,
    arguments: RangeInclusive<usize>,
    effect: Effect,
    run: Execute,
) -> StoreCommand {
    StoreCommand { name, arguments, effect, run }
}

const ANY: usize = usize::MAX;

/// Every command. The most frequent ones come first, since the table is searched in order.
pub(super) const COMMANDS: &[StoreCommand] = &[
    row("incrby", 2..=2, Effect::Counts, |db, args, out| increment(db, args[0], args[1], out)),
    row("lrange", 3..=3, Effect::Reads, lrange),
    row("rpush", 2..=ANY, Effect::Stores, |db, args, out| push(db, args, End::Tail, out)),
    row("llen", 1..=1, Effect::Reads, llen),
    row("get", 1..=1, Effect::Reads, get),
    row("set", 2..=ANY, Effect::Stores, set),
    row("incr", 1..=1, Effect::Counts, |db, args, out| increment(db, args[0], b"1", out)),
    row("lpush", 2..=ANY, Effect::Stores, |db, args, out| push(db, args, End::Head, out)),
    row("lindex", 2..=2, Effect::Reads, lindex),
    row("lrem", 3..=3, Effect::Stores, lrem),
    row("ltrim", 3..=3, Effect::Stores, ltrim),
    row("del", 1..=ANY, Effect::Stores, del),
    row("exists", 1..=ANY, Effect::Reads, exists),
    row("type", 1..=1, Effect::Reads, kind),
    row("keys", 1..=1, Effect::Reads, keys),
    row("dbsize", 0..=0, Effect::Reads, dbsize),
    row("info", 0..=ANY, Effect::Reads, greeting::info),
    row("ping", 0..=1, Effect::Nothing, greeting::ping),
    row("echo", 1..=1, Effect::Nothing, greeting::echo),
    row("select", 1..=1, Effect::Nothing, greeting::select),
    row("client", 1..=ANY, Effect::Nothing, greeting::client),
    row("command", 0..=ANY, Effect::Nothing, greeting::command),
    row("hello", 0..=ANY, Effect::Nothing, greeting::hello),
    row("auth", 1..=2, Effect::Nothing, greeting::auth),
    row("quit", 0..=ANY, Effect::Nothing, greeting::quit),
];

fn increment(db: &mut Database, key: &[u8], by: &[u8], out: &mut Vec<u8>) -> CommandResult {
    let by = number(by)?;
    let count = match db.string(key)? {
        Some(StoredString::Integer(count)) => count,
        Some(StoredString::Bytes(bytes)) => number(&bytes)?,
        None if db.length(key)?.is_some() => return Err(wrong_type()),
        None => 0,
    };
    let overflow = || CommandError::refused("ERR increment or decrement would overflow");
    let count = count.checked_add(by).ok_or_else(overflow)?;
    db.set_counter(key, count);
    resp::integer(out, count);
    Ok(())
}

fn get(db: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    match db.string(args[0])? {
        Some(StoredString::Integer(number)) => resp::bulk(out, number.to_string().as_bytes()),
        Some(StoredString::Bytes(bytes)) => resp::bulk(out, &bytes),
        None if db.length(args[0])?.is_some() => return Err(wrong_type()),
        None => resp::null(out),
    }
    Ok(())
}

fn set(db: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    let &[key, value] = args else { return Err(CommandError::refused("ERR syntax error")) };
    db.set(key, value)?;
    resp::simple(out, "OK");
    Ok(())
}

fn push(db: &mut Database, args: &[&[u8]], end: End, out: &mut Vec<u8>) -> CommandResult {
    let (list, items) = (args[0], &args[1..]);
    let length = length(db, list)?;
    db.push(list, items, end)?;
    resp::integer(out, length + items.len() as i64);
    Ok(())
}

fn llen(db: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    resp::integer(out, length(db, args[0])?);
    Ok(())
}

fn lrange(db: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    let (start, stop) = (number(args[1])?, number(args[2])?);
    if let Some(items) = db.cached_items(args[0], (start, stop)) {
        return reply(items, out);
    }
    let length = length(db, args[0])?;
    let items = items(db, args[0], items_outside(start, stop, length), length)?;
    reply(&items, out)?;
    db.cache_items(args[0], (start, stop), items);
    Ok(())
}

fn lindex(db: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    let length = length(db, args[0])?;
    let index = number(args[1])?;
    let items = items(db, args[0], items_outside(index, index, length), length)?;
    if items.len() == 0 {
        resp::null(out);
    }
    items.each(|item| resp::bulk(out, item));
    Ok(())
}

fn lrem(db: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    let count = number(args[1])?;
    length(db, args[0])?;
    let removed = match count {
        0 => db.remove_items(args[0], args[2], End::Head, -1)?,
        1.. => db.remove_items(args[0], args[2], End::Head, count)?,
        _ => db.remove_items(args[0], args[2], End::Tail, count.saturating_neg())?,
    };
    resp::integer(out, removed as i64);
    Ok(())
}

fn ltrim(db: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    let (start, stop) = (number(args[1])?, number(args[2])?);
    let (head, tail) = items_outside(start, stop, length(db, args[0])?);
    db.trim(args[0], End::Head, head)?;
    db.trim(args[0], End::Tail, tail)?;
    resp::simple(out, "OK");
    Ok(())
}

fn del(db: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    let mut removed = 0;
    for key in args {
        removed += i64::from(db.remove(key)?);
    }
    resp::integer(out, removed);
    Ok(())
}

fn exists(db: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    let mut found = 0;
    for key in args {
        found += i64::from(db.string(key)?.is_some() || db.length(key)?.is_some());
    }
    resp::integer(out, found);
    Ok(())
}

fn kind(db: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    let kind = if db.string(args[0])?.is_some() {
        "string"
    } else if db.length(args[0])?.is_some() {
        "list"
    } else {
        "none"
    };
    resp::simple(out, kind);
    Ok(())
}

fn keys(db: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    let mut keys = Items::default();
    db.keys(args[0], |key| keys.push(key))?;
    reply(&keys, out)
}

fn dbsize(db: &mut Database, _: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    resp::integer(out, db.size()?);
    Ok(())
}

/// The length of a list, 0 if there is none, or an error if the key holds something else.
fn length(db: &Database, key: &[u8]) -> Result<i64, CommandError> {
    match db.length(key)? {
        Some(length) => Ok(length),
        None if db.string(key)?.is_some() => Err(wrong_type()),
        None => Ok(0),
    }
}

/// How many items are before and after the range `start..=stop`. As in Redis, both ends are
/// inclusive, negative numbers count from the end, and the range is cut to the list.
fn items_outside(start: i64, stop: i64, length: i64) -> (i64, i64) {
    let index = |given: i64| if given < 0 { given + length } else { given };
    let head = index(start).clamp(0, length);
    let end = index(stop).clamp(-1, length - 1) + 1;
    (head, length - end.max(head))
}

/// The items between the first `head` and the last `tail`, read from the nearer end.
fn items(
    db: &Database,
    list: &[u8],
    (head, tail): (i64, i64),
    length: i64,
) -> Result<Items, CommandError> {
    let (end, skipped) = if head < tail { (End::Head, head) } else { (End::Tail, tail) };
    Ok(db.items(list, end, skipped, length - head - tail)?)
}

fn reply(items: &Items, out: &mut Vec<u8>) -> CommandResult {
    if items.overflows() {
        return Err(CommandError::refused(
            "ERR the reply would be too long: ask for fewer items at a time",
        ));
    }
    resp::array(out, items.len());
    items.each(|item| resp::bulk(out, item));
    Ok(())
}

fn wrong_type() -> CommandError {
    CommandError::refused("WRONGTYPE Operation against a key holding the wrong kind of value")
}

#[cfg(test)]
mod tests {
    use super::super::request::StoreRequest;
    use super::super::schema;
    use super::super::tests::wire;
    use super::*;
    use tempfile::tempdir;

    /// Executes each command in turn and compares its reply. Spaces separate words, in replies too:
    /// `*2 $1 a $1 b`.
    fn commands_and_replies(lines: &[(&str, &str)]) {
        let folder = tempdir().unwrap();
        let mut db = Database::new(schema::open(&folder.path().join("guestbook")).unwrap());
        for (command, expected) in lines {
            let wire = wire(&[command]);
            let (value, _) = resp::decode(&wire).unwrap().unwrap();
            let mut out = Vec::new();
            StoreRequest::new(value).unwrap().unwrap().answer(&mut db, &mut out, None).unwrap();
            db.commit().unwrap();
            let out = String::from_utf8_lossy(&out).trim_end().replace("\r\n", " ");
            assert_eq!(out, *expected, "{command}");
        }
    }

    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range";
    const OVERFLOW: &str = "-ERR increment or decrement would overflow";

    #[test]
    fn strings_and_counters() {
        commands_and_replies(&[
            ("GET n", "$-1"),
            ("INCR n", ":1"),
            ("incrby n 41", ":42"),
            ("GET n", "$2 42"),
            ("INCRBY n -43", ":-1"),
            ("INCRBY n 1.5", NOT_AN_INTEGER),
            ("INCRBY n +1", NOT_AN_INTEGER),
            ("INCRBY n ", NOT_AN_INTEGER),
            ("INCRBY n 9223372036854775808", NOT_AN_INTEGER),
            ("INCRBY n -9223372036854775808", OVERFLOW),
            ("SET n 9223372036854775807", "+OK"),
            ("INCR n", OVERFLOW),
            ("SET n 007", "+OK"),
            ("INCR n", NOT_AN_INTEGER),
            ("GET n", "$3 007"),
            ("SET n 1 EX 5", "-ERR syntax error"),
            ("SET a\0b c\0d", "+OK"),
            ("GET a\0b", "$3 c\0d"),
            ("RPUSH l x", ":1"),
            ("INCR l", WRONG_TYPE),
            ("GET l", WRONG_TYPE),
            ("SET l é", "+OK"),
            ("TYPE l", "+string"),
            ("GET l", "$2 é"),
        ]);
    }

    #[test]
    fn lists() {
        commands_and_replies(&[
            ("LLEN l", ":0"),
            ("LRANGE l 0 -1", "*0"),
            ("LINDEX l 0", "$-1"),
            ("RPUSH l c d", ":2"),
            ("LPUSH l b a", ":4"),
            ("LLEN l", ":4"),
            ("LRANGE l 0 -1", "*4 $1 a $1 b $1 c $1 d"),
            ("LRANGE l -3 -2", "*2 $1 b $1 c"),
            ("LRANGE l -9 0", "*1 $1 a"),
            ("LRANGE l 3 99", "*1 $1 d"),
            ("LRANGE l 2 1", "*0"),
            ("LRANGE l 4 9", "*0"),
            ("LRANGE l -9 -5", "*0"),
            ("LRANGE l x 1", NOT_AN_INTEGER),
            ("LINDEX l -1", "$1 d"),
            ("LINDEX l 1", "$1 b"),
            ("LINDEX l -5", "$-1"),
            ("RPUSH l a b a", ":7"),
            ("LREM l -1 a", ":1"),
            ("LRANGE l 0 -1", "*6 $1 a $1 b $1 c $1 d $1 a $1 b"),
            ("LREM l 1 a", ":1"),
            ("LREM l 0 b", ":2"),
            ("LRANGE l 0 -1", "*3 $1 c $1 d $1 a"),
            ("LINDEX l 2", "$1 a"),
            ("LTRIM l 1 -2", "+OK"),
            ("LRANGE l 0 -1", "*1 $1 d"),
            ("LTRIM l 5 -1", "+OK"),
            ("TYPE l", "+none"),
            ("SET s x", "+OK"),
            ("RPUSH s x", WRONG_TYPE),
            ("LLEN s", WRONG_TYPE),
            ("LRANGE s 0 -1", WRONG_TYPE),
            ("LREM s 0 x", WRONG_TYPE),
        ]);
    }

    #[test]
    fn keys_of_both_kinds() {
        commands_and_replies(&[
            ("RPUSH remarks a", ":1"),
            ("INCR visits", ":1"),
            ("DBSIZE", ":2"),
            ("KEYS *", "*2 $6 visits $7 remarks"),
            ("KEYS v?s[hi]*", "*1 $6 visits"),
            ("EXISTS visits visits none remarks", ":3"),
            ("TYPE remarks", "+list"),
            ("DEL visits none remarks", ":2"),
            ("DBSIZE", ":0"),
        ]);
    }

    #[test]
    fn commands_that_fail_say_why() {
        commands_and_replies(&[
            ("GET", "-ERR wrong number of arguments for 'get' command"),
            ("RPUSH l", "-ERR wrong number of arguments for 'rpush' command"),
            ("FLUSHALL", "-ERR unknown command 'FLUSHALL', with args beginning with:"),
            ("A\r\nB c", "-ERR unknown command 'A  B', with args beginning with: 'c'"),
            ("SELECT 0", "+OK"),
            ("SELECT 1", "-ERR DB index is out of range"),
            ("HELLO 3", "-NOPROTO unsupported protocol version"),
            ("CLIENT SETNAME me", "+OK"),
            ("CLIENT KILL", "-ERR unknown subcommand 'KILL'. Try CLIENT HELP."),
            ("COMMAND DOCS", "*0"),
            ("PING", "+PONG"),
            ("PING hello", "$5 hello"),
        ]);
    }
}
