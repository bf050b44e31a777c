//! A batch of the embedded store: the requests that all clients have sent, answered in one
//! transaction.
//!
//! A commit costs more than the commands in it, so the busier the store is, the less a command
//! costs. Replies are sent after the commit. If the commit fails, nothing has changed, and each
//! client that asked for a change gets the error.

use std::ops::Range;

use zerohttpd_core::store::resp;

use super::database::{Database, Effect};
use super::request::{StoreRequest, refuse};

/// The most requests of one client in a batch, so that a client that sends thousands does not delay
/// the others. The cost of a commit is small next to that of this many requests.
pub(super) const REQUESTS_PER_BATCH: usize = 256;

/// The length of a client's replies at which its part of a batch ends. For a client that does not
/// read, the store holds at most this many bytes and one more reply.
const REPLY_BYTES_PER_BATCH: usize = 256 * 1024;

/// The part of a batch that comes from one client.
pub(super) struct ClientBatch<'a> {
    /// The requests, each with the input that follows it.
    requests: Vec<(StoreRequest<'a>, &'a [u8])>,
    /// The input that is left for the next batch.
    pub(super) rest: &'a [u8],
    /// Whether `rest` can hold a whole request.
    pub(super) may_have_more: bool,
    /// The client's part of the replies of the batch, in bytes.
    pub(super) replies: Range<usize>,
    /// Whether the connection ends after these replies.
    pub(super) closes: bool,
}

impl<'a> ClientBatch<'a> {
    /// Decodes the requests in `input`, at most [`REQUESTS_PER_BATCH`].
    pub(super) fn new(input: &'a [u8]) -> ClientBatch<'a> {
        let mut requests = Vec::new();
        let mut rest = input;
        while requests.len() < REQUESTS_PER_BATCH {
            let request = match resp::decode(rest) {
                Ok(Some((value, taken))) => {
                    rest = &rest[taken..];
                    StoreRequest::new(value)
                }
                Ok(None) => break,
                Err(garbage) => Err(garbage),
            };
            let Some(request) = request.unwrap_or(Some(StoreRequest::garbage())) else { continue };
            let closes = request.closes();
            requests.push((request, rest));
            if closes {
                rest = &[];
                break;
            }
        }
        let may_have_more = requests.len() == REQUESTS_PER_BATCH;
        ClientBatch { requests, rest, may_have_more, replies: 0..0, closes: false }
    }

    /// Answers the requests in their order, until the replies have [`REPLY_BYTES_PER_BATCH`]. With
    /// a `refusal`, every request that would change something gets the refusal as its reply.
    fn answer(
        &mut self,
        database: &mut Database,
        replies: &mut Vec<u8>,
        refusal: Option<&str>,
    ) -> rusqlite::Result<()> {
        let start = replies.len();
        let mut answered = 0;
        for (request, _) in &self.requests {
            match (request.answer(database, replies, refusal), refusal) {
                (Ok(()), _) => {}
                // There is no transaction after a rollback, so only this command fails.
                (Err(error), Some(_)) => refuse(replies, &error_reply(database, &error)),
                (Err(error), None) => return Err(error),
            }
            answered += 1;
            self.closes = request.closes();
            if replies.len() - start > REPLY_BYTES_PER_BATCH {
                break;
            }
        }
        if answered < self.requests.len() {
            (self.rest, self.may_have_more) = (self.requests[answered - 1].1, true);
            // If this batch fails, the requests that are left for the next batch do not fail.
            self.requests.truncate(answered);
        }
        self.replies = start..replies.len();
        Ok(())
    }
}

/// Answers all `parts` of a batch. When this returns, the transaction is over and the `replies` can
/// be sent.
pub(super) fn answer(
    database: &mut Database,
    parts: &mut [ClientBatch<'_>],
    replies: &mut Vec<u8>,
) {
    if let Err(error) = transaction(database, parts, replies) {
        database.rollback();
        replies.clear();
        let refusal = error_reply(database, &error);
        for part in parts {
            // With a refusal, every failure becomes a reply.
            let _ = part.answer(database, replies, Some(&refusal));
        }
    }
}

fn transaction(
    database: &mut Database,
    parts: &mut [ClientBatch<'_>],
    replies: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    let requests = parts.iter().flat_map(|part| &part.requests);
    let effect = requests.map(|(request, _)| request.effect()).max().unwrap_or(Effect::Nothing);
    database.begin(effect)?;
    for part in parts {
        part.answer(database, replies, None)?;
    }
    database.commit()
}

fn error_reply(database: &Database, error: &rusqlite::Error) -> String {
    format!("ERR {}", database.explain(error))
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::super::tests::wire;
    use super::*;
    use tempfile::{TempDir, tempdir};

    fn open() -> (Database, TempDir) {
        let folder = tempdir().unwrap();
        (Database::new(schema::open(&folder.path().join("guestbook")).unwrap()), folder)
    }

    /// Answers the commands of several clients in one batch. Returns the replies to each client.
    fn batch<const N: usize>(database: &mut Database, clients: [&[&str]; N]) -> [String; N] {
        let inputs = clients.map(wire);
        let mut parts: Vec<ClientBatch<'_>> =
            inputs.iter().map(|input| ClientBatch::new(input)).collect();
        let mut replies = Vec::new();
        answer(database, &mut parts, &mut replies);
        std::array::from_fn(|i| {
            assert!(parts[i].rest.is_empty() && !parts[i].may_have_more);
            let replies = &replies[parts[i].replies.clone()];
            String::from_utf8_lossy(replies).replace("\r\n", " ")
        })
    }

    #[test]
    fn a_counter_is_written_once_a_batch_and_clients_see_each_others_changes() {
        let (mut database, _folder) = open();
        let counting: &[&str] = &["INCRBY n 1", "LRANGE list -2 -1"];
        let before = database.connection.total_changes();
        let replies = batch(&mut database, [counting, counting, &["GET n", "TYPE n", "DBSIZE"]]);
        assert_eq!(replies, [":1 *0 ", ":2 *0 ", "$1 2 +string :1 "]);
        // SQLite counts the keys for DBSIZE, so the counter is written before.
        assert_eq!(database.connection.total_changes() - before, 1);
        assert_eq!(batch(&mut database, [counting; 100])[99], ":102 *0 ");
        assert_eq!(database.connection.total_changes() - before, 2);
        let replies = batch(&mut database, [&["INCR n", "SET n 7", "INCR n", "DEL n", "GET n"]]);
        assert_eq!(replies, [":103 +OK :8 :1 $-1 "]);
    }

    #[test]
    fn a_page_is_read_anew_when_the_list_has_changed() {
        let (mut database, _folder) = open();
        let replies = batch(
            &mut database,
            [
                &["RPUSH l a b", "LRANGE l -2 -1", "LRANGE l -2 -1", "RPUSH l c", "LRANGE l -2 -1"],
                &["LREM l 0 c", "LRANGE l -2 -1", "LTRIM l 1 1", "LRANGE l -2 -1"],
                &["DEL l", "LRANGE l -2 -1", "SET l x", "LRANGE l -2 -1"],
            ],
        );
        assert_eq!(replies[0], ":2 *2 $1 a $1 b *2 $1 a $1 b :3 *2 $1 b $1 c ");
        assert_eq!(replies[1], ":1 *2 $1 a $1 b +OK *1 $1 b ");
        assert!(replies[2].starts_with(":1 *0 +OK -WRONGTYPE "), "{}", replies[2]);
    }

    #[test]
    fn a_batch_that_cannot_be_written_changes_nothing_and_the_next_one_can_succeed() {
        let (mut database, _folder) = open();
        batch(&mut database, [&["RPUSH l a", "SET n 5"]]);
        let limit = |database: &Database, pages: u32| {
            database.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
        };
        limit(&database, 1).unwrap();
        let long = format!("RPUSH l {}", "x".repeat(50_000));
        let replies = batch(
            &mut database,
            [&["INCR n", "GET n"], &["RPUSH l b", &long, "LRANGE l 0 -1"], &["PING", "FOO"]],
        );
        let error = "database or disk is full; make room on its disk ";
        assert!(replies[0].starts_with("-ERR cannot use /"), "{}", replies[0]);
        assert!(replies[0].ends_with(&format!("{error}$1 5 ")), "{}", replies[0]);
        assert_eq!(replies[1].matches(error).count(), 2);
        assert!(replies[1].ends_with("*1 $1 a "), "{}", replies[1]);
        assert!(replies[2].starts_with("+PONG -ERR unknown command 'FOO'"), "{}", replies[2]);
        limit(&database, 1_000).unwrap();
        assert_eq!(batch(&mut database, [&["INCR n", &long, "LLEN l"]]), [":6 :2 :2 "]);
    }

    #[test]
    fn a_batch_fails_if_its_commit_fails() {
        let (mut database, _folder) = open();
        // Counters are written only at the commit, so the trigger makes the commit fail.
        let trigger = "CREATE TEMP TRIGGER t BEFORE INSERT ON strings
                       BEGIN SELECT raise(ROLLBACK, 'no'); END";
        database.connection.execute_batch(trigger).unwrap();
        let replies = batch(&mut database, [&["INCR n", "GET n"]]);
        assert!(replies[0].starts_with("-ERR cannot use /") && replies[0].ends_with(" $-1 "));
        database.connection.execute_batch("DROP TRIGGER t").unwrap();
        assert_eq!(batch(&mut database, [&["INCR n"]]), [":1 "]);
    }

    #[test]
    fn requests_left_for_the_next_batch_do_not_fail_with_this_one() {
        let (mut database, _folder) = open();
        let echo = format!("ECHO {}", "x".repeat(REPLY_BYTES_PER_BATCH));
        let wires = [wire(&[&echo, "INCR n"]), wire(&["INCR m"])];
        let mut parts: Vec<ClientBatch<'_>> =
            wires.iter().map(|wire| ClientBatch::new(wire)).collect();
        database.connection.pragma_update(None, "query_only", true).unwrap();
        let mut replies = Vec::new();
        answer(&mut database, &mut parts, &mut replies);
        assert_eq!((parts[0].rest, parts[0].may_have_more), (&wire(&["INCR n"])[..], true));
        assert!(replies[..parts[0].replies.end].ends_with(b"x\r\n"));
        assert!(replies[parts[1].replies.clone()].starts_with(b"-ERR cannot use /"));
    }

    #[test]
    fn a_client_batch_is_bounded_and_the_rest_is_for_the_next_batch() {
        let (mut database, _folder) = open();
        let many = wire(&vec!["PING"; REQUESTS_PER_BATCH + 1]);
        let mut part = ClientBatch::new(&many);
        let mut replies = Vec::new();
        answer(&mut database, std::slice::from_mut(&mut part), &mut replies);
        assert_eq!((part.rest, part.may_have_more), (&wire(&["PING"])[..], true));

        let echo = format!("ECHO {}", "x".repeat(REPLY_BYTES_PER_BATCH));
        let long = wire(&[&echo, "QUIT"]);
        let mut part = ClientBatch::new(&long);
        answer(&mut database, std::slice::from_mut(&mut part), &mut replies);
        assert_eq!((part.rest, part.may_have_more), (&wire(&["QUIT"])[..], true));
        assert!(!part.closes);
        let mut part = ClientBatch::new(part.rest);
        answer(&mut database, std::slice::from_mut(&mut part), &mut replies);
        assert!(part.closes && replies.ends_with(b"+OK\r\n"));

        // A client whose input holds no request is not in the batch.
        let nothing = b"*0\r\n*-1\r\n*1\r\n$4";
        assert_eq!(ClientBatch::new(nothing).rest, b"*1\r\n$4");
    }
}
